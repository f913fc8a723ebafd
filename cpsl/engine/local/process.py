"""One runtime: a process, its link, and the turns that run in it."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cpsl.engine.local.cgroups import Cgroup
from cpsl.engine.local.life import Ends, Life
from cpsl.engine.local.link import Link
from cpsl.engine.local.output import LogGate
from cpsl.engine.local.questions import Questions
from cpsl.engine.protocol import Answer, AppBroken, DiskFull, OnEvents, OnLog, OutOfMemory, RuntimeLost
from cpsl.wire import frames

_PING_SECONDS = 1.0
_ENDING_SECONDS = 0.5


class RuntimeProcess:
    """A runtime on this machine (the ``Runtime`` of the engine's protocol). Made by ``Zygote.fork``.

    ``memory``: MiB that it may take, for the message when it took more. ``keep_warm``: seconds that it stays unused.
    """

    def __init__(self, link: Link, life: Life, cgroup: Cgroup, memory: int, answer: Answer, on_log: OnLog) -> None:
        self.life = life
        self.cgroup = cgroup
        self.memory = memory
        self.ended = asyncio.Event()
        self.last_used = time.monotonic()
        self.keep_warm = 0.0
        self.is_over_memory = False
        self.has_filled_disk = False
        self.is_given_up = False
        self._link = link
        self._questions = Questions(link, answer)
        self._gate = LogGate(on_log)
        self._booted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns: dict[str, tuple[asyncio.Future[frames.TurnEnded], OnEvents]] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._call_ids = itertools.count(1)
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    async def over(cls, ends: Ends, cgroup: Cgroup, memory: int, answer: Answer, on_log: OnLog) -> RuntimeProcess:
        """A runtime at the other end of ``ends``."""
        runtime = cls(await Link.over(ends.link), Life(ends.life), cgroup, memory, answer, on_log)
        reading = [runtime._begin(runtime._read_link())]
        for descriptor, stream in ((ends.stdout, "stdout"), (ends.stderr, "stderr")):
            reading.append(runtime._begin(runtime._gate.read(descriptor, stream)))
        runtime._begin(runtime._wait(reading))
        return runtime

    async def start(self, timeout: float) -> None:
        """Put it under its limits and wait until its app has booted. Raises AppBroken; ``timeout`` in seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self.life.announced.wait()
                self._limit()
                self.life.go_on()
                await asyncio.shield(self._booted)
        except TimeoutError:
            await self.kill()
            raise start_timeout(timeout) from None
        except BaseException:
            await self.kill()
            raise

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
            result = await ended
            if result.failure is not None and self.cgroup.is_crowded:
                self.is_given_up = True  # what the turn left behind would make the next one fail too
            return result
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

    async def give_up(self) -> None:
        """A handler did not stop when it was asked to: no new turns. At once the end, if the event loop is stuck."""
        self.is_given_up = True
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._call(frames.Ping)
        except TimeoutError:
            await self.kill()
        except RuntimeLost:
            return

    async def idle(self) -> None:
        """Return when nothing runs in it any more."""
        while running := [ended for ended, _ in self._turns.values()] + [*self._answers.values()]:
            await asyncio.wait(running)

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
        self.life.kill()
        self._link.close()
        await self.ended.wait()

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

    def _limit(self) -> None:
        try:
            if self.life.pid:
                self.cgroup.add(self.life.pid)
        except ProcessLookupError:
            return  # it has ended already, which is told elsewhere
        except OSError as error:
            raise RuntimeLost(f"the app's process could not be put under its limits ({error.strerror})") from error

    def _check_alive(self) -> None:
        if self.ended.is_set():
            raise self._lost()

    def _begin(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _wait(self, reading: list[asyncio.Task[Any]]) -> None:
        await self.life.ended.wait()
        # A process that the app left behind may hold the pipes open: what it prints is nobody's.
        await asyncio.wait(reading, timeout=1.0)
        for task in reading:
            task.cancel()
        self._link.close()
        self.is_over_memory = self.is_over_memory or self.cgroup.was_out_of_memory
        self.cgroup.remove()
        self.ended.set()
        turns = [ended for ended, _ in self._turns.values()]
        waiting: list[asyncio.Future[Any]] = [self._booted, *turns, *self._answers.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(self._lost())
        self._booted.exception()  # retrieved, for the case that nobody waits for it any more

    async def _read_link(self) -> None:
        async for frame in self._link.frames():
            await self._take(frame)
        # Whoever closes the link, or sends nonsense on it, is of no more use. It may just be ending, and say how.
        self._link.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_SECONDS):
                await self.life.ended.wait()
        self.life.kill()

    async def _take(self, frame: frames.ToGateway) -> None:
        match frame:
            case frames.TurnEvents():
                if known := self._turns.get(frame.request_id):
                    await known[1](frame.events)
            case frames.TurnEnded():
                if (known := self._turns.get(frame.request_id)) and not known[0].done():
                    known[0].set_result(frame)
            case frames.Call():
                await self._questions.take(frame)
            case frames.Logs():
                await self._gate.pass_on(frame.records)
            case frames.DataResponse() | frames.SessionClosed() | frames.Pong():
                if (answered := self._answers.get(frame.call_id)) and not answered.done():
                    answered.set_result(frame)
            case frames.Booted() if not self._booted.done():
                self._booted.set_result(None)
            case frames.Broken() if not self._booted.done():
                self._booted.set_exception(app_broken(frame))

    def _lost(self) -> RuntimeLost:
        if self.is_over_memory:
            return OutOfMemory(
                f"the app used more than its memory of {self.memory} MiB and was stopped",
                hint=f"Let it use less, or give it more: App(memory={self.memory * 2}).",
            )
        if self.has_filled_disk:
            return DiskFull("the app wrote so much that the disk ran full, and was stopped")
        return RuntimeLost(
            f"the app's process ended unexpectedly ({ending(self.life.status)})",
            hint="\n".join(self._gate.last_words) or None,
        )


def app_broken(told: frames.Broken) -> AppBroken:
    """The failure that a runtime told, as an error."""
    return AppBroken(told.message, code=told.code, hint=told.hint, traceback=told.traceback)


def start_timeout(seconds: float) -> AppBroken:
    """The app took too long to come up."""
    return AppBroken(
        f"the app did not come up within {seconds:g} seconds",
        code="start_timeout",
        hint="Move slow work out of the import and the boot hook.",
    )


def ending(status: int | None) -> str:
    """How a process ended: an exit status, or a signal's name for a negative one."""
    if status is None:
        return "killed"
    names = {each.value: each.name for each in signal.Signals}
    return names.get(-status, f"signal {-status}") if status < 0 else f"exit status {status}"
