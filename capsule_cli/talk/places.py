"""What conversations leave in the state directory: messages for the arrow keys, and which session was the last.

Only the owner may read it. That it cannot be written is not worth an error: people can talk without.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

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
        known = _read()
        known.pop(self._key, None)
        kept = dict(list(known.items())[-_SESSIONS_KEPT:])
        with suppress(OSError):
            _write(kept | {self._key: session_id})


def _read() -> dict[str, object]:
    try:
        found = json.loads((_folder() / "sessions.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(sessions: dict[str, object]) -> None:
    """All or nothing, so that two conversations at once do not tear it."""
    folder = _folder()
    handle, name = tempfile.mkstemp(dir=folder, prefix=".sessions-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(sessions, file)
        os.replace(name, folder / "sessions.json")
    except OSError:
        os.unlink(name)
        raise


def _folder() -> Path:
    from cpsl import config

    folder = config.state_dir() / "chat"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
