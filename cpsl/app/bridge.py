"""What an app may ask of whoever runs it. The runtime's bridge speaks to the gateway; a test's keeps lists."""

from __future__ import annotations

from typing import Any, Protocol

from cpsl.wire.events import AppEvent
from cpsl.wire.frames import Question


class Bridge(Protocol):
    """The host of an app, as the SDK sees it."""

    app_url: str

    def emit(self, request_id: str, event: AppEvent) -> None:
        """Send an event of a turn; order is kept. Waits only when the host takes far less than the app makes."""

    async def drained(self) -> None:
        """Wait until the host has taken enough that more may be emitted; gives way to other sessions at times."""

    async def ask(self, question: Question) -> Any:
        """Ask the host and wait for its answer, already decoded to plain values. Raises the CapsuleError it gave."""

    def ask_blocking(self, question: Question) -> Any:
        """Like ``ask`` for code that cannot await; works on the loop's own thread and on others."""
