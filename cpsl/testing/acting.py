"""Which of the apps and people of a test the code that runs right now belongs to."""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context
from typing import Any

from cpsl.app.bridge import Bridge
from cpsl.wire.events import AppEvent
from cpsl.wire.frames import Question

_acting: ContextVar[Bridge] = ContextVar("capsule_acting")


def context_of(bridge: Bridge) -> Context:
    """A context in which ``bridge`` is asked."""
    context = copy_context()
    context.run(_acting.set, bridge)
    return context


class Acting:
    """The bridge of the process: hands on to the one that the running code belongs to, else to the ``first``."""

    def __init__(self, first: Bridge) -> None:
        self._first = first
        self.app_url = first.app_url

    def emit(self, request_id: str, event: AppEvent) -> None:
        """Take an event of a turn."""
        self._bridge.emit(request_id, event)

    async def drained(self) -> None:
        """Let those who watch see it."""
        await self._bridge.drained()

    async def ask(self, question: Question) -> Any:
        """Answer a question."""
        return await self._bridge.ask(question)

    def ask_blocking(self, question: Question) -> Any:
        """Answer a question at once."""
        return self._bridge.ask_blocking(question)

    @property
    def _bridge(self) -> Bridge:
        return _acting.get(self._first)
