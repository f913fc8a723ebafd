"""What a process writes to its standard streams, as lines of a log that no app can drown its gateway with."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

from cpsl.engine.protocol import OnLog
from cpsl.wire.frames import LogRecord

_LINES_PER_SECOND = 2_000
_BURST = 10_000
_LAST_WORDS = 20
_SHORT_LINE = 4096


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

    async def read(self, pipe: asyncio.StreamReader, stream: str) -> None:
        """Pass on the lines of a pipe until its end."""
        async for line in _lines(pipe):
            self.last_words = [*self.last_words[1 - _LAST_WORDS :], line]
            await self.pass_on([LogRecord(line, time.time(), "info", stream)])


def _cost(record: LogRecord) -> int:
    """A long line counts as several."""
    return 1 + len(record.message) // _SHORT_LINE


async def reader_of(descriptor: int) -> asyncio.StreamReader:
    """A reader of this end of a pipe, which closes it at the end."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0))
    return reader


async def _lines(pipe: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of a pipe; one that is longer than the buffer comes in pieces."""
    while True:
        try:
            line = await pipe.readuntil(b"\n")
        except asyncio.IncompleteReadError as rest:
            line = rest.partial
        except asyncio.LimitOverrunError as overrun:
            line = await pipe.readexactly(overrun.consumed)
        if not line:
            return
        yield line.decode(errors="replace").rstrip("\r\n")
