"""One runtime: a process, its link, and the turns that run in it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from cpsl.engine.local.link import Link
from cpsl.engine.protocol import Answer, AppBroken, OnEvents, OnLog, RuntimeLost
from cpsl.errors import CapsuleError
from cpsl.wire import frames
from cpsl.wire.apps import AppSpec

log = logging.getLogger("cpsl.engine")
_ENVIRONMENT = ("LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAST_WORDS = 20


class RuntimeProcess:
    """A runtime on this machine (the ``Runtime`` of the engine's protocol). Made by ``start``."""

    def __init__(self, process: asyncio.subprocess.Process, link: Link, answer: Answer, on_log: OnLog) -> None:
        self._process = process
        self._link = link
        self._answer = answer
        self._on_log = on_log
        self._ready: asyncio.Future[AppSpec] = asyncio.get_running_loop().create_future()
        self._turns: dict[str, tuple[asyncio.Future[frames.TurnEnded], OnEvents]] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._call_ids = itertools.count(1)
        self._last_words: list[str] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.ended = asyncio.Event()
        self.last_used = time.monotonic()

    @classmethod
    async def start(cls, start: frames.Start, answer: Answer, on_log: OnLog, timeout: float) -> RuntimeProcess:
        """Start a process and wait until its app is ready. Raises AppBroken; ``timeout`` in seconds."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await _spawn(theirs.fileno())
        runtime = cls(process, await Link.over(ours), answer, on_log)
        runtime._watch()
        runtime._link.send(start)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(runtime._ready)
        except TimeoutError:
            await runtime.kill()
            raise AppBroken(
                f"the app did not come up within {timeout:g} seconds",
                code="start_timeout",
                hint="Move slow work out of the import and the boot hook.",
            ) from None
        except BaseException:
            await runtime.kill()
            raise
        return runtime

    @property
    def spec(self) -> AppSpec:
        """What the app declares."""
        return self._ready.result()

    @property
    def is_busy(self) -> bool:
        """Whether anything runs in it."""
        return bool(self._turns or self._answers)

    async def turn(self, turn: frames.StartTurn, on_events: OnEvents) -> frames.TurnEnded:
        """Run a turn to its end. Raises RuntimeLost when the process ends first."""
        ended: asyncio.Future[frames.TurnEnded] = asyncio.get_running_loop().create_future()
        self._check_alive()
        self._turns[turn.request_id] = ended, on_events
        self._link.send(turn)
        try:
            return await ended
        finally:
            self._turns.pop(turn.request_id, None)
            self.last_used = time.monotonic()

    def cancel(self, request_id: str) -> None:
        """Ask the handler of a turn to stop."""
        self._link.send(frames.CancelTurn(request_id))

    async def data(self, name: str, params: dict[str, str], integrations: dict[str, Any]) -> frames.DataResponse:
        """Ask a data handler. Raises RuntimeLost when the process ends first."""
        response = await self._call(lambda call_id: frames.DataRequest(call_id, name, params, integrations))
        assert isinstance(response, frames.DataResponse)
        return response

    async def close_session(self, session: frames.SessionState) -> None:
        """Run the ``exit`` hook for a session that ends. Raises RuntimeLost when the process ends first."""
        await self._call(lambda call_id: frames.CloseSession(call_id, session))

    async def _call(self, frame: Callable[[int], frames.ToRuntime]) -> Any:
        """Send a frame that is answered by its ``call_id``; what it is answered with."""
        call_id = next(self._call_ids)
        self._check_alive()
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[call_id] = answered
        self._link.send(frame(call_id))
        try:
            return await answered
        finally:
            self._answers.pop(call_id, None)
            self.last_used = time.monotonic()

    async def idle(self) -> None:
        """Return when nothing runs in it any more."""
        while running := [ended for ended, _ in self._turns.values()] + [*self._answers.values()]:
            await asyncio.wait(running)
            await asyncio.sleep(0)  # whoever waits for them takes them off the list

    async def stop(self, timeout: float) -> None:
        """End it in order: its ``shutdown`` hook runs; after ``timeout`` seconds it is killed."""
        self._link.send(frames.Stop())
        try:
            async with asyncio.timeout(timeout):
                await self.ended.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it now, with all that it started."""
        self._kill()
        await self.ended.wait()

    def _check_alive(self) -> None:
        if self.ended.is_set():
            raise self._lost()

    def _watch(self) -> None:
        reading = [
            asyncio.create_task(self._read_link()),
            asyncio.create_task(self._read_output(self._process.stdout, "stdout")),
            asyncio.create_task(self._read_output(self._process.stderr, "stderr")),
        ]
        self._keep(asyncio.create_task(self._wait(reading)))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(self, reading: list[asyncio.Task[None]]) -> None:
        await self._process.wait()
        # A process that the app left behind may hold the pipes open: what it prints is nobody's.
        await asyncio.wait(reading, timeout=1.0)
        for task in reading:
            task.cancel()
        self._link.close()
        self.ended.set()
        turns = [ended for ended, _ in self._turns.values()]
        waiting: list[asyncio.Future[Any]] = [self._ready, *turns, *self._answers.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(self._lost())
        self._ready.exception()  # retrieved, for the case that nobody waits for it any more

    async def _read_link(self) -> None:
        async for frame in self._link.frames():
            match frame:
                case frames.TurnEvents():
                    if known := self._turns.get(frame.request_id):
                        await known[1](frame.events)
                case frames.TurnEnded():
                    if (known := self._turns.get(frame.request_id)) and not known[0].done():
                        known[0].set_result(frame)
                case frames.Call():
                    self._keep(asyncio.create_task(self._answer_call(frame)))
                case frames.Logs():
                    self._on_log(frame.records)
                case frames.DataResponse() | frames.SessionClosed():
                    if (answered := self._answers.get(frame.call_id)) and not answered.done():
                        answered.set_result(frame)
                case frames.Ready():
                    self._ready.set_result(frame.spec)
                case frames.Broken():
                    self._ready.set_exception(
                        AppBroken(frame.message, code=frame.code, hint=frame.hint, traceback=frame.traceback)
                    )
        # Whoever closes the link, or sends nonsense on it, is of no more use.
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _answer_call(self, call: frames.Call) -> None:
        try:
            result = frames.Result(call.call_id, await self._answer(call.question))
        except CapsuleError as error:
            result = frames.Result(call.call_id, error=frames.CallError(error.code, error.message, error.hint))
        except Exception:
            log.exception("a question of an app could not be answered")
            failure = frames.CallError("internal_error", "the gateway failed to answer the app")
            result = frames.Result(call.call_id, error=failure)
        self._link.send(result)

    async def _read_output(self, pipe: asyncio.StreamReader | None, stream: str) -> None:
        assert pipe is not None
        async for line in _lines(pipe):
            self._last_words = [*self._last_words[1 - _LAST_WORDS :], line]
            self._on_log([frames.LogRecord(line, time.time(), "info", stream)])

    def _lost(self) -> RuntimeLost:
        return RuntimeLost(
            f"the app's process ended unexpectedly ({_ending(self._process.returncode)})",
            hint="\n".join(self._last_words) or None,
        )


async def _spawn(descriptor: int) -> asyncio.subprocess.Process:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cpsl.runtime", "--fd", str(descriptor)),
        pass_fds=(descriptor,),
        env={"PATH": _PATH, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **kept},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )


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


def _ending(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return signal.Signals(-returncode).name
    return f"exit status {returncode}"
