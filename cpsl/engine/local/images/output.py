"""What a build printed: kept, within bounds, and passed on as it comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

OnLine = Callable[[str], None]
_MAX_LINE_BYTES = 4096
_MAX_LINES = 20_000
_LAST = 15


class Output:
    """The lines of one build. Whoever listens gets them all, from the first one on."""

    def __init__(self) -> None:
        self.lines: list[str] = []
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
        """Keep a line and pass it on. Of a build that prints too much, only the last lines are known."""
        self._last.append(line)
        if len(self.lines) > _MAX_LINES:
            return
        if len(self.lines) == _MAX_LINES:
            line = f"(more than {_MAX_LINES} lines; the rest is left out)"
        self.lines.append(line)
        for on_line in self._listeners:
            on_line(line)

    @property
    def last(self) -> str:
        """The last lines."""
        return "\n".join(self._last)

    @property
    def text(self) -> str:
        """All lines that are kept."""
        return "".join(f"{line}\n" for line in self.lines)

    async def read(self, pipe: asyncio.StreamReader) -> None:
        """Add the lines of a pipe until it ends; a line longer than 4 KiB comes in pieces."""
        while True:
            try:
                line = await pipe.readuntil(b"\n")
            except asyncio.IncompleteReadError as rest:
                line = rest.partial
            except asyncio.LimitOverrunError:
                line = await pipe.read(_MAX_LINE_BYTES)
            if not line:
                return
            # A progress bar goes back to the start of its line: what stands there in the end counts.
            self.add(line.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2])


READ_LIMIT = _MAX_LINE_BYTES
"""For the ``limit`` of the pipe's reader, in bytes."""
