"""The bridge of this process: whoever runs the app puts it here before it imports the app."""

from __future__ import annotations

from cpsl.app.bridge import Bridge
from cpsl.errors import InvalidRequest

_bridge: Bridge | None = None


def use(bridge: Bridge | None) -> None:
    """Make ``bridge`` the one that secrets and collections ask; None when nothing runs the app any more."""
    global _bridge
    _bridge = bridge


def connected() -> Bridge | None:
    """The bridge of this process, or None where the app's file is only imported."""
    return _bridge


def current(purpose: str) -> Bridge:
    """The bridge of this process. Raises InvalidRequest (code ``no_runtime``), which names the ``purpose``."""
    if _bridge is not None:
        return _bridge
    raise InvalidRequest(
        f"{purpose} needs a running app",
        code="no_runtime",
        hint="Deploy the app and use this in a handler or in the boot hook, not while the file is imported.",
    )
