"""What was deployed from where on this machine, so that the wrong folder does not become the app.

Kept as ``deploys.json`` in the state folder. It is a help and no truth: where it cannot be read, nothing is asked.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cpsl import config, private_files
from cpsl.errors import ConfigError

if TYPE_CHECKING:
    from cpsl.client.projects import Entry


class Deployed(msgspec.Struct, frozen=True):
    """One project that was deployed: its folder and entry, as which app, at which gateway."""

    folder: str
    entry: str
    app: str
    gateway_url: str


def surprise(entry: Entry, app: str, gateway_url: str) -> str | None:
    """Why deploying this may be a mistake; None if it is as it was, or the first time."""
    here = Deployed(str(entry.root), entry.name, app, gateway_url)
    known = _load()
    same_place = [each for each in known if (each.folder, each.entry) == (here.folder, here.entry)]
    if here in known:
        return None
    if same_place:
        before = same_place[-1]
        return f"{here.folder} was last deployed as {before.app} to {before.gateway_url}, not as {app} to {gateway_url}"
    for each in known:
        if (each.app, each.gateway_url) == (app, gateway_url):
            return f"{app} was last deployed from {each.folder} ({each.entry}), not from {here.folder} ({here.entry})"
    return None


def remember(entry: Entry, app: str, gateway_url: str) -> None:
    """From now on this place is the app's, and the app this place's.

    The deploy is done: that it cannot be remembered must not make it look as if it had failed.
    """
    with suppress(ConfigError, OSError):
        _remember(Deployed(str(entry.root), entry.name, app, gateway_url))


def _remember(here: Deployed) -> None:
    with private_files.locked(_path()):
        others = [
            each
            for each in _load()
            if (each.folder, each.entry) != (here.folder, here.entry)
            and (each.app, each.gateway_url) != (here.app, here.gateway_url)
        ]
        private_files.write(_path(), msgspec.json.encode([*others, here]))


def _path() -> Path:
    return config.state_dir() / "deploys.json"


def _load() -> list[Deployed]:
    try:
        content = private_files.read(_path(), secret=False)
        return msgspec.json.decode(content, type=list[Deployed]) if content else []
    except (ConfigError, OSError, msgspec.MsgspecError):
        return []
