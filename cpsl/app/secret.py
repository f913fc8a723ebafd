"""Secrets of the workspace, by name. A value is never in a repr, and never kept for long."""

from __future__ import annotations

import os
import time

from cpsl.app import host
from cpsl.errors import NotFound
from cpsl.wire.frames import GetSecret
from cpsl.wire.names import check_secret_name

CACHE_SECONDS = 60.0
"""How long a value that came through the link is used before it is asked for again, so that rotation takes effect."""

_named: dict[str, None] = {}
_cache: dict[str, tuple[float, str]] = {}


class Secret:
    """A reference to a secret that the app owns. Create it with ``capsule secret create NAME=value``.

    Raises InvalidRequest (a ValueError) for a name that no secret can have.
    """

    def __init__(self, name: str) -> None:
        self.name = check_secret_name(name)
        _named[name] = None

    @classmethod
    def from_name(cls, name: str) -> Secret:
        """The secret called ``name``. Nothing is looked up until ``value`` is read."""
        return cls(name)

    @property
    def value(self) -> str:
        """The secret itself: from the environment, else from the vault through the link of the runtime.

        Waits for the answer; in a handler with many turns declare the secret in ``App(secrets=[…])`` instead, which
        puts it into the environment. Raises NotFound (a ValueError) when it is in neither place.
        """
        if self.name in os.environ:
            return os.environ[self.name]
        cached = _cache.get(self.name)
        if cached and time.monotonic() - cached[0] < CACHE_SECONDS:
            return cached[1]
        return self._fetch()

    def _fetch(self) -> str:
        bridge = host.connected()
        if bridge is None:
            raise NotFound(
                f"The secret {self.name} is not in the environment, and no runtime is connected that could fetch it",
                code="secret_not_found",
                hint=f"Set {self.name} in the environment for a local run, or read it in the deployed app.",
            )
        _cache.pop(self.name, None)
        value = str(bridge.ask_blocking(GetSecret(self.name)))
        _cache[self.name] = (time.monotonic(), value)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.name == self.name

    def __hash__(self) -> int:
        return hash((Secret, self.name))

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    def __str__(self) -> str:
        return f"Secret({self.name})"


def named() -> list[str]:
    """The secrets that have been named in this process so far, in that order."""
    return list(_named)


def forget_all() -> None:
    """Forget names and cached values, as in a new process."""
    _named.clear()
    forget_values()


def forget_values() -> None:
    """Ask for every value anew."""
    _cache.clear()
