"""The stream of a turn's parts, as server-sent events.

Finished parts are sent once; the end of the answer that is being written is sent anew, but never so often that to
render or to send it takes more than a small share of the time: so a long answer costs no more by the character than a
short one. An event has an ``id`` when all up to this number of the log has been told, so that a browser that comes
back with it misses nothing; what it gets twice replaces itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import msgspec

from cpsl.gateway.bell import Bell
from cpsl.gateway.chats.log import TurnLog
from cpsl.gateway.http import sse
from cpsl.gateway.web.parts import Fold
from cpsl.wire.events import decode

T = TypeVar("T")
encode = msgspec.json.encode
_PAUSE_SECONDS = 0.05
_SHARE = 10
_BYTES_A_SECOND = 400_000
_HEAVY = 4096


async def stream(log: TurnLog, fold: Fold, after: int, closing: Bell, heartbeat: float) -> AsyncIterator[bytes]:
    """Events past number ``after`` of a turn's log, to its end, or until the gateway closes.

    ``fold`` makes them, and is new. ``heartbeat``: seconds after which a comment is sent when there is nothing to tell.
    """
    follower = _Follower(log, fold)
    follower.skip(after)
    while not closing.has_rung:
        began, sent = time.monotonic(), 0
        async for message in follower.messages():
            sent = len(message)
            yield message
        if follower.is_over:
            return
        if sent:
            await _pause(log, closing, max(_PAUSE_SECONDS, _SHARE * (time.monotonic() - began), sent / _BYTES_A_SECOND))
        elif not await log.wait(closing, heartbeat):
            yield sse.HEARTBEAT


class _Follower:
    """What one browser has been told of a turn."""

    def __init__(self, log: TurnLog, fold: Fold) -> None:
        self._log = log
        self._fold = fold
        self._number = 0
        self._state = ""

    @property
    def is_over(self) -> bool:
        """Whether all has been told. A log may end without the store, and so without a last event."""
        return self._fold.is_over or (self._log.final is not None and not self._log.after(self._number))

    def skip(self, after: int) -> None:
        """Take what the page has already."""
        known = self._log.after(0)[:after]
        self._fold.take(decode(entry.data) for entry in known)
        self._fold.fresh()
        self._number = len(known)

    async def messages(self) -> AsyncIterator[bytes]:
        """What is to be told since the last time; the last of it has the number of the log up to which that is all."""
        last: tuple[str, bytes] | None = None
        async for message in self._changes():
            if last is not None:
                yield sse.message(*last)
            last = message
        if last is not None:
            yield sse.message(*last, self._number)

    async def _changes(self) -> AsyncIterator[tuple[str, bytes]]:
        entries = self._log.after(self._number)
        if entries:
            self._number = entries[-1].number
            self._fold.take(decode(entry.data) for entry in entries)
            for part in await _done(self._fold.fresh, self._fold.weight > _HEAVY):
                html = await _done(part.html, part.weight > _HEAVY)
                yield "part", encode({"id": part.id, "html": html})
        if news := self._fold.take_news():
            yield "news", encode({"message": news.message, "detail": news.detail})
        if self._fold.state != self._state:
            self._state = self._fold.state
            yield "state", encode({"state": self._state, "message": self._fold.failure})


async def _done(work: Callable[[], T], is_heavy: bool) -> T:
    """What ``work`` returns; what may take a while is done where it keeps nobody waiting."""
    return await asyncio.to_thread(work) if is_heavy else work()


async def _pause(log: TurnLog, closing: Bell, seconds: float) -> None:
    """Let some time pass, unless there is no more to wait for."""
    until = time.monotonic() + seconds
    while log.final is None and not closing.has_rung and (left := until - time.monotonic()) > 0:
        await log.wait(closing, left)
