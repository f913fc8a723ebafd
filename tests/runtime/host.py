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
    """The host's end of the link to one runtime. ``pid`` is its process 1, or its only one without a sandbox."""

    def __init__(self, sock: socket.socket, answers: Answers) -> None:
        self.pid = 0
        self.ready: frames.Ready | None = None
        self.logs: list[frames.LogRecord] = []
        self.turns: dict[str, Turn] = {}
        self.questions: list[Any] = []
        self.first: asyncio.Future[frames.Ready | frames.Booted | frames.Broken]
        self.first = asyncio.get_running_loop().create_future()
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

    async def until_exit(self, seconds: float = 5) -> None:
        """Return once the process has ended."""
        async with asyncio.timeout(seconds):
            while _is_alive(self.pid):
                await asyncio.sleep(0.01)

    async def until_logged(self, text: str) -> frames.LogRecord:
        """The first log line with ``text`` in it, once it is there."""
        async with asyncio.timeout(5):
            while True:
                for record in self.logs:
                    if text in record.message:
                        return record
                await asyncio.sleep(0.01)

    def fork(self, user: frames.AppUser, descriptors: list[int]) -> None:
        """Ask a zygote for a runtime. The last two descriptors, its output, are closed here."""
        socket.send_fds(self._sock, [frames.encode(frames.Fork(user))], descriptors)
        for descriptor in descriptors[2:]:
            os.close(descriptor)

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
            case frames.Ready() | frames.Booted() | frames.Broken():
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


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@asynccontextmanager
async def imported(
    code: str | Path, *, answers: Answers = no_answers, isolation: str = "none", **start: Any
) -> AsyncIterator[Host]:
    """The zygote of the app in folder ``code``, after its first frame (see ``host.first``)."""
    ours, theirs = socket.socketpair()
    hung_up, lifeline = os.pipe()
    options = ["--fd", str(theirs.fileno()), "--lifeline", str(hung_up)]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cpsl.runtime", "--launch", *options],
        pass_fds=[theirs.fileno(), hung_up],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    os.close(hung_up)
    ours.setblocking(False)
    host = Host(ours, answers)
    reading = asyncio.ensure_future(host.read())
    entry = start.pop("entry", "app.py:app")
    frame = frames.Start(
        app="demo", version=1, code_dir=str(code), entry=entry, app_url="http://gw/a/demo", isolation=isolation, **start
    )
    try:
        await host.send(frame)
        await host.send(frame)
        await asyncio.wait_for(asyncio.shield(host.first), 20)
        yield host
    finally:
        reading.cancel()
        ours.close()
        os.close(lifeline)
        await asyncio.to_thread(process.wait)


@asynccontextmanager
async def running(
    code: str | Path, *, answers: Answers = no_answers, user: frames.AppUser | None = None, **start: Any
) -> AsyncIterator[Host]:
    """A runtime of the app in folder ``code``, after its first frame; or the zygote, if that is as far as it came."""
    async with imported(code, answers=answers, **start) as zygote:
        if isinstance(zygote.first.result(), frames.Broken):
            yield zygote
            return
        async with forked(zygote, user or frames.AppUser("usr_0"), answers) as host:
            yield host


@asynccontextmanager
async def forked(zygote: Host, user: frames.AppUser, answers: Answers = no_answers) -> AsyncIterator[Host]:
    """A runtime for one user, after its first frame."""
    ours, link = socket.socketpair()
    life, their_life = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with link, their_life:
        zygote.fork(user, [link.fileno(), their_life.fileno(), os.dup(1), os.dup(2)])
    host = Host(ours, answers)
    reading = asyncio.ensure_future(host.read())
    try:
        _, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, life, 64, 1)
        host.pid = pid_of(descriptors[0])
        life.send(b"!")
        await asyncio.wait_for(asyncio.shield(host.first), 20)
        told = zygote.first.result()
        host.ready = told if isinstance(told, frames.Ready) else None
        host.logs[:0] = zygote.logs
        host.questions[:0] = zygote.questions
        yield host
    finally:
        reading.cancel()
        ours.close()
        life.close()


def pid_of(pidfd: int) -> int:
    """The process that a descriptor stands for, which is closed."""
    with os.fdopen(pidfd), open(f"/proc/self/fdinfo/{pidfd}") as file:
        return int(next(line for line in file if line.startswith("Pid:")).split()[1])
