"""The bridge of this process: whoever runs the app puts it here before it imports the app."""

from __future__ import annotations

from cpsl.app.bridge import Bridge
from cpsl.errors import InvalidRequest

_bridge: Bridge | None = None
_inspects = False


def use(bridge: Bridge | None, *, inspects: bool = False) -> None:
    """Make ``bridge`` the one that secrets and collections ask; None when nothing runs the app any more.

    ``inspects``: the app is only imported, to see what it declares; its secrets are not in the environment yet.
    """
    global _bridge, _inspects
    _bridge, _inspects = bridge, inspects


def inspects() -> bool:
    """Whether the app is only imported, to see what it declares."""
    return _inspects


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
