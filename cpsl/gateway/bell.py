"""Waiting for one of several things to happen, without a task for each of them: a thousand idle streams wait so."""

from __future__ import annotations

import asyncio


class Bell:
    """Rings once, and wakes all who wait for it."""

    __slots__ = ("_waiting", "has_rung")

    def __init__(self) -> None:
        self.has_rung = False
        self._waiting: set[asyncio.Future[bool]] = set()

    def ring(self) -> None:
        """Wake all who wait, and let nobody wait any more."""
        self.has_rung = True
        for waiter in self._waiting:
            _wake(waiter, True)


async def wait_for(*bells: Bell, timeout: float) -> bool:
    """Wait until one of ``bells`` has rung, for at most ``timeout`` seconds; tells whether one has."""
    if any(bell.has_rung for bell in bells):
        return True
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[bool] = loop.create_future()
    timer = loop.call_later(timeout, _wake, waiter, False)
    for bell in bells:
        bell._waiting.add(waiter)
    try:
        return await waiter
    finally:
        timer.cancel()
        for bell in bells:
            bell._waiting.discard(waiter)


def _wake(waiter: asyncio.Future[bool], has_rung: bool) -> None:
    if not waiter.done():
        waiter.set_result(has_rung)
