"""``capsule __complete KIND``: the names of what there is, one a line, or nothing. Never slow, never an error.

It runs while somebody waits for a key to do something, so it does not go through the parser.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cpsl import config

if TYPE_CHECKING:
    from cpsl.client import Client

_START_SECONDS = 0.03  # what Python itself took before this could begin to count


def main(arguments: list[str]) -> int:
    """Print the names of one kind, and return 0. The process ends when the time (the setting
    ``completion_timeout``, the start of Python included) is over, whatever it was doing."""
    kind = arguments[0] if arguments else ""
    try:
        _end_after(config.get("completion_timeout"))
        found = list(_names(kind))
    except Exception:  # a key press is no place for a message
        return 0
    sys.stdout.write("".join(f"{name}\n" for name in found if name.isprintable()))
    sys.stdout.flush()
    return 0


def _end_after(seconds: float) -> None:
    limit = threading.Timer(max(seconds - _START_SECONDS, 0), os._exit, (0,))
    limit.daemon = True
    limit.start()


def _names(kind: str) -> Iterable[str]:
    if kind == "profiles":
        return config.load().profiles
    if kind not in _ASKED:
        return ()
    from cpsl.client import Client

    with Client(max_retries=0) as client:
        return _ASKED[kind](client)


_ASKED: dict[str, Callable[[Client], list[str]]] = {
    "apps": lambda client: [app.name for app in client.apps.list()],
    "channels": lambda client: [channel.name for channel in client.channels.list()],
    "filesystems": lambda client: [filesystem.name for filesystem in client.filesystems.list()],
    "secrets": lambda client: [secret.name for secret in client.secrets.list()],
}
