"""The secrets of a gateway itself: its master key, kept away from its data, and the bootstrap secret of its owner."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from cpsl import private_files
from cpsl.auth import store as credential_store
from cpsl.errors import ConfigError
from cpsl.gateway.vault import KEY_BYTES, Key
from cpsl.wire.ids import new_id


def master_key(data_dir: Path) -> Key:
    """The key that opens this data directory: from the keyring, or a 0600 file in the config directory.

    It is made together with the directory's id, on the first start. Raises ConfigError when it, or the id, is gone
    later: a new one would open nothing.
    """
    marker = data_dir / "store-id"
    known = private_files.read(marker)
    if known is None:
        if (data_dir / "capsule.db").exists():
            raise _missing(data_dir, f"Restore the file {marker}")
        store_id = new_id("store")
        key = os.urandom(KEY_BYTES)
        credential_store.write(_name(store_id), base64.b64encode(key).decode())
        private_files.write(marker, store_id.encode())
        return Key(key)
    store_id = known.decode().strip()
    found = credential_store.read(_name(store_id))
    if found is None:
        raise _missing(data_dir, f"Restore {_name(store_id)!r} in the keyring or in {credential_store.file_path()}")
    return _parse(found[0])


def bootstrap_secret() -> str:
    """What the owner's bootstrap file holds, new at every start."""
    return secrets.token_urlsafe(32)


def _parse(text: str) -> Key:
    try:
        return Key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise ConfigError(
            "the master key is damaged", code="master_key_invalid", hint="Restore it from a copy."
        ) from None


def _missing(data_dir: Path, remedy: str) -> ConfigError:
    return ConfigError(
        f"the master key of {data_dir} is missing",
        code="master_key_missing",
        hint=f"{remedy}; without it the stored secrets cannot be opened.",
    )


def _name(store_id: str) -> str:
    return f"master-key:{store_id}"
