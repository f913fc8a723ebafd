"""What the app prints and logs, line by line, each with the turn that it belongs to.

Only what goes through Python is known by its turn; what a library or a child process writes to the file descriptors
itself goes to the engine's pipes.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from cpsl.app.session import current_session
from cpsl.runtime.link import Link
from cpsl.wire.frames import LogRecord

MAX_LINE_BYTES = 1024 * 1024
"""A longer line is cut into several. Only there a secret may be cut too, so that nobody knows it for one."""

Send = Callable[[LogRecord], None]
_STREAMS = ((1, "stdout"), (2, "stderr"))
_LEVELS = ((50, "critical"), (40, "error"), (30, "warning"), (20, "info"))


class Lines(io.RawIOBase):
    """A stream of bytes that becomes log records. What is no whole line yet is kept apart for each turn."""

    def __init__(self, name: str, descriptor: int, send: Send, push: Callable[[], None]) -> None:
        self._stream = name
        self._descriptor = descriptor
        self._send = send
        self._push = push
        self._lock = threading.RLock()
        self._partial: dict[str, bytearray] = {}

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor  # for child processes: they write to the engine's pipe

    def write(self, data: Any) -> int:
        request_id, session_id = _turn()
        level = _level_of(sys._getframe(1))
        with self._lock:
            partial = self._partial.setdefault(request_id, bytearray())
            partial += data
            *lines, rest = bytes(partial).split(b"\n")
            whole = max(len(rest) - 1, 0) // MAX_LINE_BYTES * MAX_LINE_BYTES
            lines += [rest[start : start + MAX_LINE_BYTES] for start in range(0, whole, MAX_LINE_BYTES)]
            partial[:] = rest[whole:]
            if not rest:
                del self._partial[request_id]
        for line in lines:
            self._tell(line, request_id, session_id, level)
        return len(data)

    def flush(self) -> None:
        """``print(…, flush=True)`` means that it is out, whatever becomes of the process next."""
        self._push()

    def detach(self) -> None:
        """In a process that was forked: nothing waits here, and nobody holds a lock."""
        self._lock = threading.RLock()
        self._partial = {}

    def finish(self, request_id: str, session_id: str) -> None:
        """Tell the last line of a turn, though it was never ended."""
        with self._lock:
            partial = self._partial.pop(request_id, None)
        if partial:
            self._tell(bytes(partial), request_id, session_id)

    def _tell(self, line: bytes, request_id: str, session_id: str, level: str = "info") -> None:
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        for start in range(0, len(text) or 1, MAX_LINE_BYTES):
            part = text[start : start + MAX_LINE_BYTES]
            self._send(LogRecord(part, time.time(), level, self._stream, session_id, request_id))


class LogHandler(logging.Handler):
    """Log records of apps that did not configure logging, with their level."""

    def __init__(self, send: Send) -> None:
        super().__init__(logging.WARNING)
        self._send_record = send
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # as logging does: a bad log call never fails the app
            self.handleError(record)
            return
        request_id, session_id = _turn()
        level = _level(record)
        self._send_record(LogRecord(text, record.created, level, "stderr", session_id, request_id))


class Output:
    """Stands in for ``sys.stdout``, ``sys.stderr`` and the handler of last resort of ``logging``."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._is_detached = False
        self._lines = tuple(Lines(name, number, self._pass_on, self._push) for number, name in _STREAMS)

    def install(self) -> None:
        """From now on all that is printed and logged goes over the link."""
        sys.stdout, sys.stderr = (_text(lines) for lines in self._lines)
        # Not a handler of the root logger: logging.basicConfig() of the app would then do nothing.
        logging.lastResort = LogHandler(self._pass_on)

    def redirect(self, link: Link) -> None:
        """Use another link from now on. What the app kept of its streams goes there too."""
        self._link = link

    def detach(self) -> None:
        """In a process that was forked: all goes to the engine's pipes, as from any program that the app starts."""
        self._is_detached = True
        for lines in self._lines:
            lines.detach()

    def finish(self, request_id: str = "", session_id: str = "") -> None:
        """Send what a turn printed without ending the line."""
        for lines in self._lines:
            lines.finish(request_id, session_id)

    def error(self, message: str, traceback: str, request_id: str = "", session_id: str = "") -> None:
        """Tell of a failure that no answer carries."""
        text = f"{message}\n{traceback}" if traceback else message
        self._pass_on(LogRecord(text, time.time(), "error", "system", session_id, request_id))

    def _pass_on(self, record: LogRecord) -> None:
        if self._is_detached:
            os.write(1 if record.stream == "stdout" else 2, f"{record.message}\n".encode(errors="backslashreplace"))
        else:
            self._link.log(record)

    def _push(self) -> None:
        self._link.push()


def _text(lines: Lines) -> io.TextIOWrapper:
    # RawIOBase is what TextIOWrapper really needs; its type asks for a buffer that adds nothing here.
    buffer: Any = lines
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)


def _level_of(writer: FrameType) -> str:
    """The level of what is written: of the record, where a handler that the app has configured writes one."""
    if writer.f_code is logging.StreamHandler.emit.__code__:
        return _level(writer.f_locals["record"])
    return "info"


def _level(record: logging.LogRecord) -> str:
    """Apps may have levels of their own: one counts as the next lower one that everybody knows."""
    return next((name for number, name in _LEVELS if record.levelno >= number), "debug")


def _turn() -> tuple[str, str]:
    session = current_session()
    return (session.request_id, session.id) if session is not None else ("", "")
