"""What conversations leave in the state directory: messages for the arrow keys, and which session was the last.

Only the owner may read it. That it cannot be written is not worth an error: people can talk without.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cpsl import private_files
from cpsl.errors import ConfigError

if TYPE_CHECKING:
    from cpsl.client import Client

_SESSIONS_KEPT = 500


def history(app: str) -> Path | None:
    """The file of messages said to ``app``, there and private; None if that cannot be."""
    try:
        path = _folder() / f"{quote(app, safe='')[:100]}.history"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        path.chmod(0o600)
    except OSError:
        return None
    return path


class Sessions:
    """The last session with ``app``, for each gateway and profile."""

    def __init__(self, client: Client, profile: str | None, app: str) -> None:
        self._key = json.dumps([client.gateway_url, profile or "", app])

    def last(self) -> str | None:
        """Its id; None if there was none, or it is not known any more."""
        found = _read().get(self._key)
        return found if isinstance(found, str) else None

    def remember(self, session_id: str) -> None:
        """It is this one now."""
        with suppress(OSError, ConfigError), private_files.locked(_sessions()):
            known = _read()
            known.pop(self._key, None)
            kept = dict(list(known.items())[-_SESSIONS_KEPT:])
            private_files.write(_sessions(), json.dumps(kept | {self._key: session_id}).encode())


def _read() -> dict[str, object]:
    try:
        found = json.loads(private_files.read(_sessions(), secret=False) or b"{}")
    except (OSError, ValueError):  # also a file that is not safe to read
        return {}
    return found if isinstance(found, dict) else {}


def _sessions() -> Path:
    return _folder() / "sessions.json"


def _folder() -> Path:
    from cpsl import config

    folder = config.state_dir() / "chat"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
