"""What a build printed: kept, within bounds, and passed on as it comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

OnLine = Callable[[str], None]
READ_LIMIT = 64 * 1024
"""For the ``limit`` of the pipe's reader, in bytes."""
_MAX_LINE = 4096
_MAX_LINES = 20_000
_MAX_CHARACTERS = 8 * 1024 * 1024
_LAST = 15
_PAUSE_SECONDS = 0.01


class Output:
    """The lines of one build. Whoever listens gets them all, from the first one on."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._characters = 0
        self._last: deque[str] = deque(maxlen=_LAST)
        self._listeners: list[OnLine] = []

    def listen(self, on_line: OnLine) -> None:
        """Pass on what was printed so far, then what comes."""
        for line in self.lines:
            on_line(line)
        self._listeners.append(on_line)

    def forget(self, on_line: OnLine) -> None:
        """Pass nothing on to this one any more."""
        self._listeners.remove(on_line)

    def add(self, line: str) -> None:
        """Keep a line and pass it on. Of a build that prints too much, only the last lines are known from there on."""
        self._last.append(line)
        if self._is_full():
            return
        self._characters += len(line)
        self._pass_on(line)
        if self._is_full():
            self._pass_on("(the rest of the output is left out)")

    @property
    def last(self) -> str:
        """The last lines."""
        return "\n".join(self._last)

    @property
    def text(self) -> str:
        """All lines that are kept."""
        return "".join(f"{line}\n" for line in self.lines)

    async def read(self, pipe: asyncio.StreamReader) -> None:
        """Add the lines of a pipe until it ends; a line of more than 4096 characters comes in pieces."""
        while piece := await self._piece(pipe):
            text = piece.decode(errors="replace")
            for line in text.splitlines()[-_LAST:] if self._is_full() else _lines(text):
                self.add(line)

    def _is_full(self) -> bool:
        return len(self.lines) >= _MAX_LINES or self._characters >= _MAX_CHARACTERS

    def _pass_on(self, line: str) -> None:
        self.lines.append(line)
        for on_line in self._listeners:
            on_line(line)

    async def _piece(self, pipe: asyncio.StreamReader) -> bytes:
        if self._is_full():
            await asyncio.sleep(_PAUSE_SECONDS)  # who prints without end waits, not the gateway
            return await pipe.read(2 * READ_LIMIT)
        try:
            return await pipe.readuntil(b"\n")
        except asyncio.IncompleteReadError as rest:
            return rest.partial
        except asyncio.LimitOverrunError:
            return await pipe.read(READ_LIMIT)


def _lines(text: str) -> list[str]:
    # A progress bar goes back to the start of its line: what stands there in the end counts.
    line = text.rstrip("\r\n").rpartition("\r")[2]
    return [line[start : start + _MAX_LINE] for start in range(0, max(len(line), 1), _MAX_LINE)]
