"""What a process writes to its standard streams, as lines of a log that no app can drown its gateway with."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from cpsl.engine.local.share import Share
from cpsl.engine.protocol import OnLog
from cpsl.wire.frames import LogRecord

_LINES_PER_SECOND = 2_000
_BURST = 10_000
_LAST_WORDS = 20
_LAST_CHARACTERS = 64 * 1024
MAX_LINE_BYTES = 1024 * 1024
"""A longer line comes in pieces."""
_SHORT_LINE = 4096
_READ_BYTES = 8 * 1024


class LogGate:
    """Passes on lines of one process to ``on_log``. Who writes faster than 2,000 lines a second has to wait."""

    def __init__(self, on_log: OnLog) -> None:
        self.last_words: list[str] = []
        self._on_log = on_log
        self._credit = float(_BURST)
        self._at = time.monotonic()

    async def pass_on(self, records: list[LogRecord]) -> None:
        """Keep the lines; returns when more may come."""
        self._on_log(records)
        now = time.monotonic()
        self._credit = min(self._credit + (now - self._at) * _LINES_PER_SECOND, _BURST) - sum(map(_cost, records))
        self._at = now
        if self._credit < 0:
            await asyncio.sleep(-self._credit / _LINES_PER_SECOND)

    async def read(self, pipe: int, stream: str) -> None:
        """Pass on the lines of a pipe until its end. The descriptor is closed then, also when this is cancelled."""
        share = Share()
        async with aclosing(_lines(pipe)) as pieces:
            async for lines in pieces:
                began = time.perf_counter()
                for line in lines:
                    self._remember(line)
                await self.pass_on([LogRecord(line, time.time(), "info", stream) for line in lines])
                await share.spent(time.perf_counter() - began)

    def _remember(self, line: str) -> None:
        self.last_words.append(line)
        while len(self.last_words) > _LAST_WORDS or sum(map(len, self.last_words[:-1])) > _LAST_CHARACTERS:
            self.last_words.pop(0)


def _cost(record: LogRecord) -> int:
    """A long line counts as several."""
    return 1 + len(record.message) // _SHORT_LINE


async def _lines(pipe: int) -> AsyncGenerator[list[str], None]:
    """Lines of a pipe, as many as come at once; one that is longer than MAX_LINE_BYTES comes in pieces."""
    rest = b""
    async with aclosing(_pieces(pipe)) as pieces:
        async for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n")
            while len(rest) > MAX_LINE_BYTES:
                lines.append(rest[:MAX_LINE_BYTES])
                rest = rest[MAX_LINE_BYTES:]
            yield [_text(line) for line in lines]
    if rest:
        yield [_text(rest)]


async def _pieces(pipe: int) -> AsyncGenerator[bytes, None]:
    """What comes out of a pipe.

    Not a transport of the loop: uvloop closes the descriptor of one twice, and the second time it may be that of a file
    that another thread has just opened.
    """
    os.set_blocking(pipe, False)
    try:
        while True:
            try:
                piece = os.read(pipe, _READ_BYTES)
            except BlockingIOError:
                await _readable(pipe)
                continue
            if not piece:
                return
            yield piece
    finally:
        os.close(pipe)


async def _readable(descriptor: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
