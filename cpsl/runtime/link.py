"""The runtime's end of the socket to its gateway: frames out in batches, frames in, answers to their questions.

One small class over a non-blocking socket, for three needs that asyncio's streams do not meet together: events of one
loop iteration leave in one write; a question can be asked and answered while the loop stands still (``Secret.value``
in an async handler, or at import, before there is a loop); and who writes faster than the host reads is held up.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from cpsl.errors import ConnectionFailed, TooLarge
from cpsl.wire import frames
from cpsl.wire.events import AppEvent

HOLD_BYTES = 1024 * 1024
"""Above this much unsent output, whoever writes has to wait, loop or no loop."""
YIELD_BYTES = HOLD_BYTES // 4
"""Above this much, whoever can await should."""
_BATCH_EVENTS = 512
_STALE_SECONDS = 0.002
"""How long output may wait for the loop's next iteration; a handler that does not yield sends it by itself then."""
_READ_BYTES = 256 * 1024


class Link:
    """Frames over ``sock``. ``on_frame`` gets each frame that is no ``Result``; ``on_closed`` a reason, once."""

    def __init__(
        self,
        sock: socket.socket,
        on_frame: Callable[[frames.ToRuntime], None],
        on_closed: Callable[[str], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_frame = on_frame
        self._on_closed = on_closed
        self._owner = threading.get_ident()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._buffer = frames.FrameBuffer()
        self._inbox: deque[frames.ToRuntime] = deque()
        self._reading = threading.RLock()
        self._calls: dict[int, Future[Any]] = {}
        self._last_call = 0
        self._writing = threading.RLock()
        self._out = bytearray()
        self._batch = _Batch()
        self._relief: list[Future[None]] = []
        self._flush_due = 0.0  # when the flush of this loop iteration was asked for; 0 when it was not

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on ``loop``, on this thread, reads and writes. Frames that came before are handed out now."""
        self._loop = loop
        self._owner = threading.get_ident()
        loop.add_reader(self._sock, self._readable)
        loop.call_soon(self._deliver)
        loop.call_soon(self._flush)

    def abandon(self) -> None:
        """In a process that was forked: leave the socket, and what is unsent, to the one that it is of."""
        self._closed = True
        self._reading, self._writing = threading.RLock(), threading.RLock()
        self._out.clear()
        self._batch = _Batch()
        self._sock.close()

    @property
    def is_attached(self) -> bool:
        """Whether a loop reads and writes; before that, who waits for an answer has to read it."""
        return self._loop is not None

    # --- out ------------------------------------------------------------------------------------------------------

    def send(self, frame: frames.ToGateway) -> None:
        """Send a frame after all that was sent before. Raises TooLarge for one that no frame can hold."""
        data = _encode(frame)
        with self._writing:
            self._seal()
            self._out += data
        self._written()

    def emit(self, request_id: str, event: AppEvent) -> None:
        """Send an event of a turn; neighbours of one turn share a frame."""
        with self._writing:
            if not self._batch.add_event(request_id, event):
                self._seal()
                self._batch.add_event(request_id, event)
        self._written()

    def log(self, record: frames.LogRecord) -> None:
        """Send a line of the app's log; neighbours share a frame."""
        with self._writing:
            if not self._batch.add_log(record):
                self._seal()
                self._batch.add_log(record)
        self._written()

    def push(self) -> None:
        """Send at once what the socket takes, without waiting for the loop."""
        self._write_some()

    async def drained(self) -> None:
        """Wait while much output is unsent; and let the loop run when this task has kept it for long."""
        while self._unsent() > YIELD_BYTES and not self._closed:
            relief: Future[None] = Future()
            with self._writing:
                self._relief.append(relief)
            await asyncio.wrap_future(relief)
        if self._flush_due and time.monotonic() - self._flush_due > _STALE_SECONDS:
            await asyncio.sleep(0)

    def flush_blocking(self, seconds: float) -> None:
        """Write all that is unsent, for at most ``seconds``."""
        until = time.monotonic() + seconds
        while self._unsent() and not self._closed and time.monotonic() < until:
            self._pump()

    def _written(self) -> None:
        """Something was added: see that it leaves, and hold up the writer when too much waits."""
        if self._closed:
            return
        if self._loop is None or threading.get_ident() != self._owner:
            self._write_some()
        elif not self._flush_due:
            self._flush_due = time.monotonic()
            self._loop.call_soon(self._flush)
        elif time.monotonic() - self._flush_due > _STALE_SECONDS:
            self._write_some()
            self._flush_due = time.monotonic()
        if self._unsent() > HOLD_BYTES:
            self._hold_up()

    def _hold_up(self) -> None:
        while self._unsent() > HOLD_BYTES // 2 and not self._closed:
            self._pump()

    def _unsent(self) -> int:
        return len(self._out) + self._batch.size

    def _seal(self) -> None:
        frame = self._batch.take()
        if frame is not None:
            self._out += _encode(frame)

    def _flush(self) -> None:
        """Runs on the loop, after the callbacks that wrote."""
        self._flush_due = 0.0
        self._write_some()
        if self._loop is not None:
            if self._out and not self._closed:
                self._loop.add_writer(self._sock, self._flush)
            else:
                self._loop.remove_writer(self._sock)

    def _write_some(self) -> None:
        """Write what the socket takes now."""
        with self._writing:
            self._seal()
            try:
                while self._out and not self._closed:
                    with memoryview(self._out) as view:
                        sent = self._sock.send(view[:_READ_BYTES])
                    del self._out[:sent]
            except (BlockingIOError, InterruptedError):
                self._ask_for_flush()
            except OSError as error:
                self._close(f"the link cannot be written: {error.strerror}")
            if self._unsent() < YIELD_BYTES:
                self._relieve()

    def _ask_for_flush(self) -> None:
        if self._loop is not None and threading.get_ident() != self._owner:
            with suppress(RuntimeError):  # the loop is closed: the process is ending
                self._loop.call_soon_threadsafe(self._flush)

    def _relieve(self) -> None:
        waiting, self._relief = self._relief, []
        for relief in waiting:
            if relief.set_running_or_notify_cancel():
                relief.set_result(None)

    # --- questions ------------------------------------------------------------------------------------------------

    def ask(self, question: frames.Question) -> Future[frames.Result]:
        """Send a question. The future gets its ``Result``."""
        answer: Future[frames.Result] = Future()
        with self._writing:
            self._last_call += 1
            call = frames.Call(self._last_call, question)
            self._calls[call.call_id] = answer
        if self._closed:
            answer.set_exception(ConnectionFailed("this process has no link to the gateway", code="link_closed"))
        try:
            self.send(call)
        except TooLarge:
            self._calls.pop(call.call_id, None)
            raise
        return answer

    def wait(self, answer: Future[frames.Result]) -> frames.Result:
        """Wait for an answer without a loop: by reading the socket where nobody else does."""
        if self._loop is None or threading.get_ident() == self._owner:
            while not answer.done() and not self._closed:
                self._pump()
        return answer.result()

    # --- in -------------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Write and read what there is, waiting a moment for it. Works on every thread."""
        self._write_some()
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._out else 0))
        for _, happened in poll.poll(50):
            if happened & ~select.POLLOUT:
                self._read()
        if self._inbox and self._loop is not None:  # what is for the app has to wait for the loop
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver)

    def _readable(self) -> None:
        if self._closed:
            return self._on_closed("the link was left to another process")
        self._read()
        self._deliver()

    def _read(self) -> None:
        with self._reading:
            try:
                data = self._sock.recv(_READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                return self._close(f"the link cannot be read: {error.strerror}")
            if not data:
                return self._close("the host closed the link")
            try:
                for raw in self._buffer.feed(data):
                    self._take(frames.decode_to_runtime(raw))
            except ValueError as error:  # msgspec's errors are ValueErrors too
                self._close(f"the host sent no frame: {error}")

    def _take(self, frame: frames.ToRuntime) -> None:
        if isinstance(frame, frames.Result):
            answer = self._calls.pop(frame.call_id, None)
            if answer is not None and answer.set_running_or_notify_cancel():
                answer.set_result(frame)
            return
        self._inbox.append(frame)

    def _deliver(self) -> None:
        while self._inbox:
            self._on_frame(self._inbox.popleft())

    def _close(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        self._on_closed(reason)
        calls, self._calls = self._calls, {}
        for answer in calls.values():
            if answer.set_running_or_notify_cancel():
                answer.set_exception(ConnectionFailed(reason, code="link_closed"))


class _Batch:
    """Events of one turn, or lines of the log, that go into one frame."""

    def __init__(self) -> None:
        self.size = 0
        self._request_id: str | None = None
        self._events: list[AppEvent] = []
        self._records: list[frames.LogRecord] = []

    def add_event(self, request_id: str, event: AppEvent) -> bool:
        """True if it fits in; else the batch has to be taken first."""
        if self._records or (self._events and request_id != self._request_id):
            return False
        if len(self._events) >= _BATCH_EVENTS or self.size > YIELD_BYTES // 4:
            return False
        self._request_id = request_id
        self._events.append(event)
        self.size += 32 + len(getattr(event, "text", ""))
        return True

    def add_log(self, record: frames.LogRecord) -> bool:
        """True if it fits in; else the batch has to be taken first."""
        if self._events or len(self._records) >= _BATCH_EVENTS or self.size > YIELD_BYTES // 4:
            return False
        self._records.append(record)
        self.size += 64 + len(record.message)
        return True

    def take(self) -> frames.TurnEvents | frames.Logs | None:
        """The batch as a frame, and begin a new one."""
        events, self._events = self._events, []
        records, self._records = self._records, []
        self.size = 0
        if events:
            return frames.TurnEvents(self._request_id or "", events)
        return frames.Logs(records) if records else None


def _encode(frame: frames.ToGateway) -> bytes:
    try:
        return frames.encode(frame)
    except ValueError as error:
        raise TooLarge(f"This is too much to send at once: {error}") from error


def read_first(sock: socket.socket) -> frames.Start:
    """The ``Start`` frame, read from a blocking socket, not a byte further. Raises ValueError for anything else."""
    length = int.from_bytes(_exactly(sock, 4), "big")
    if length > frames.MAX_FRAME_BYTES:
        raise ValueError("the first frame is too long")
    start = frames.decode_to_runtime(_exactly(sock, length))
    if not isinstance(start, frames.Start):
        raise ValueError(f"the first frame is {type(start).__name__}, not Start")
    return start


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ValueError("the link was closed before the first frame")
        data += piece
    return bytes(data)
