"""A small gateway for tests: starts the real runtime process and speaks frames with it over a real socket pair."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cpsl.wire import frames
from cpsl.wire.events import Chunk, Event

Answers = Callable[[Any], Any]
ROOT = Path(__file__).resolve().parents[2]


class Turn:
    """What came of one turn."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ended: asyncio.Future[frames.TurnEnded] = asyncio.get_running_loop().create_future()

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Chunk))

    @property
    def failure(self) -> frames.TurnFailure | None:
        return self.ended.result().failure


class Host:
    """The host's end of the link."""

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket, answers: Answers) -> None:
        self.process = process
        self.logs: list[frames.LogRecord] = []
        self.turns: dict[str, Turn] = {}
        self.questions: list[Any] = []
        self.first: asyncio.Future[frames.Ready | frames.Broken] = asyncio.get_running_loop().create_future()
        self.paused = asyncio.Event()
        self.paused.set()
        self._sock = sock
        self._answers = answers
        self._data: dict[int, asyncio.Future[frames.DataResponse]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, frame: frames.ToRuntime) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, frames.encode(frame))

    async def send_raw(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def begin(
        self,
        text: str,
        request_id: str = "req_1",
        session: frames.SessionState | None = None,
        **more: Any,
    ) -> Turn:
        """Send a message and go on."""
        turn = self.turns[request_id] = Turn()
        state = session or frames.SessionState("ses_1", "api")
        await self.send(frames.StartTurn(request_id, state, text, **more))
        return turn

    async def turn(self, text: str, request_id: str = "req_1", **more: Any) -> Turn:
        """Send a message and wait for the end of its turn."""
        turn = await self.begin(text, request_id, **more)
        await asyncio.wait_for(asyncio.shield(turn.ended), 10)
        return turn

    async def data(self, name: str, params: dict[str, str] | None = None, **more: Any) -> frames.DataResponse:
        """Ask a data handler."""
        call_id = len(self._data) + 1
        answer = self._data[call_id] = asyncio.get_running_loop().create_future()
        await self.send(frames.DataRequest(call_id, name, params or {}, **more))
        return await asyncio.wait_for(answer, 10)

    async def until_exit(self, seconds: float = 5) -> int:
        """The exit status, once the process has ended."""
        return await asyncio.to_thread(self.process.wait, seconds)

    async def until_logged(self, text: str) -> frames.LogRecord:
        """The first log line with ``text`` in it, once it is there."""
        async with asyncio.timeout(5):
            while True:
                for record in self.logs:
                    if text in record.message:
                        return record
                await asyncio.sleep(0.01)

    def hang_up(self) -> None:
        """Close the link, as the kernel does when the gateway dies."""
        self._sock.close()

    async def read(self) -> None:
        """Take frames until the link is closed."""
        buffer = frames.FrameBuffer()
        loop = asyncio.get_running_loop()
        while True:
            await self.paused.wait()
            try:
                data = await loop.sock_recv(self._sock, 256 * 1024)
            except OSError:
                return
            if not data:
                return
            for raw in buffer.feed(data):
                self._take(frames.decode_to_gateway(raw))

    def _take(self, frame: frames.ToGateway) -> None:
        match frame:
            case frames.Ready() | frames.Broken():
                self.first.set_result(frame)
            case frames.TurnEvents():
                self.turns[frame.request_id].events += frame.events
            case frames.TurnEnded():
                self.turns[frame.request_id].ended.set_result(frame)
            case frames.DataResponse():
                self._data[frame.call_id].set_result(frame)
            case frames.Logs():
                self.logs += frame.records
            case frames.Call():
                task = asyncio.ensure_future(self._answer(frame))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, call: frames.Call) -> None:
        self.questions.append(call.question)
        answer = self._answers(call.question)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, frames.CallError):
            await self.send(frames.Result(call.call_id, error=answer))
        else:
            await self.send(frames.Result(call.call_id, answer))


def no_answers(question: Any) -> Any:
    return frames.CallError("not_found", f"no answer to {type(question).__name__}")


@asynccontextmanager
async def running(
    code: str | Path, *, answers: Answers = no_answers, isolation: str = "none", **start: Any
) -> AsyncIterator[Host]:
    """The runtime of the app in folder ``code``, after its first frame (see ``host.first``)."""
    ours, theirs = socket.socketpair()
    argv = [sys.executable, "-m", "cpsl.runtime", "--fd", str(theirs.fileno())]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(argv, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL)
    theirs.close()
    ours.setblocking(False)
    host = Host(process, ours, answers)
    reading = asyncio.ensure_future(host.read())
    entry = start.pop("entry", "app.py:app")
    frame = frames.Start(
        app="demo", version=1, code_dir=str(code), entry=entry, app_url="http://gw/a/demo", isolation=isolation, **start
    )
    try:
        await host.send(frame)
        await asyncio.wait_for(asyncio.shield(host.first), 20)
        yield host
    finally:
        reading.cancel()
        ours.close()
        process.kill()
        await asyncio.to_thread(process.wait)
