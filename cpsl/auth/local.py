"""This machine's own gateway needs no browser: whoever can read its 0600 bootstrap file is its owner."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cpsl import config, private_files
from cpsl.errors import ConfigError
from cpsl.wire.accounts import Bootstrap

FILE_NAME = "bootstrap.json"


def read_bootstrap(data_dir: Path | None = None) -> Bootstrap | None:
    """What the local gateway left for its owner, or None if no gateway ever ran there.

    Raises ConfigError: ``unsafe_file`` if it is a symlink or others may read it, ``invalid_config`` if it is damaged.
    """
    path = (data_dir or config.data_dir()) / FILE_NAME
    content = private_files.read(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Bootstrap)
    except msgspec.DecodeError:
        hint = "Restart the gateway: 'capsule gateway stop', then 'capsule gateway start'."
        raise ConfigError(f"{path} is damaged", hint=hint) from None
