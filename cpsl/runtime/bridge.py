"""The bridge of a real runtime: what the SDK asks goes over the link, what comes back becomes values or errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from cpsl import errors
from cpsl.runtime.link import Link
from cpsl.wire import frames
from cpsl.wire.events import AppEvent


class LinkBridge:
    """A ``cpsl.app.bridge.Bridge`` over ``link``."""

    def __init__(self, link: Link, app_url: str) -> None:
        self.app_url = app_url
        self._link = link

    def emit(self, request_id: str, event: AppEvent) -> None:
        """Send an event of a turn."""
        self._link.emit(request_id, event)

    async def drained(self) -> None:
        """Wait until more may be sent."""
        await self._link.drained()

    async def ask(self, question: frames.Question) -> Any:
        """Ask and wait. Raises the error that the host answered with."""
        if not self._link.is_attached:  # while the app is imported, maybe on a loop of its own
            return self.ask_blocking(question)
        return _value(await asyncio.wrap_future(self._link.ask(question)))

    def ask_blocking(self, question: frames.Question) -> Any:
        """Ask and wait without a loop. Raises the error that the host answered with."""
        return _value(self._link.wait(self._link.ask(question)))


def _value(result: frames.Result) -> Any:
    if result.error is None:
        return result.value
    raise _error(result.error)


def _error(given: frames.CallError) -> errors.CapsuleError:
    """The error of the class that owns the code; else of the class that such codes belong to by their name."""
    kind = _OWNERS.get(given.code) or next((known for known, fits in _BY_NAME if fits(given.code)), None)
    return (kind or errors.CapsuleError)(given.message, code=given.code, hint=given.hint)


_BY_NAME: tuple[tuple[type[errors.CapsuleError], Callable[[str], bool]], ...] = (
    (errors.NotFound, lambda code: code.endswith("not_found") or code.startswith("unknown_")),
    (errors.AuthError, lambda code: code.endswith("_not_declared")),
    (errors.Conflict, lambda code: code.endswith("_exists")),
    (errors.TooLarge, lambda code: code.endswith("_too_large")),
    (errors.InvalidRequest, lambda code: code.startswith("invalid_")),
)
_OWNERS: dict[str, type[errors.CapsuleError]] = {
    kind.default_code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.CapsuleError)
}
