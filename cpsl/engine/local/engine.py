"""Finds the runtime of a place, or starts it; ends those that nobody uses."""

from __future__ import annotations

import asyncio
import time

from cpsl.engine.local.process import RuntimeProcess
from cpsl.engine.protocol import Answer, Host, Launch, OnLog, Place
from cpsl.wire import frames
from cpsl.wire.apps import AppSpec

_STOP_SECONDS = 10.0
_REAP_SECONDS = 1.0


class LocalEngine:
    """Runtimes as processes of this machine (the ``Engine`` of the protocol). ``serve`` says for whom.

    ``start_timeout``: seconds that an app may take to come up. ``idle_timeout``: seconds that a runtime stays after
    its last turn, unless its app asks for more.
    """

    def __init__(self, *, start_timeout: float = 30.0, idle_timeout: float = 60.0) -> None:
        self._host: Host
        self._start_timeout = start_timeout
        self._idle_timeout = idle_timeout
        self._runtimes: dict[Place, RuntimeProcess] = {}
        self._keep_warm: dict[Place, float] = {}
        self._starting: dict[Place, asyncio.Task[RuntimeProcess]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.Task[None] | None = None

    def serve(self, host: Host) -> None:
        """Ask ``host`` what the runtimes ask. Called once, before the first runtime."""
        self._host = host

    async def inspect(self, start: frames.Start, answer: Answer, on_log: OnLog) -> AppSpec:
        """Import the app once, in a process of its own, and say what it declares. Raises AppBroken."""
        runtime = await RuntimeProcess.start(start, answer, on_log, self._start_timeout)
        await runtime.stop(_STOP_SECONDS)
        return runtime.spec

    async def runtime(self, place: Place, launch: Launch, *, keep_warm_seconds: int = 0) -> RuntimeProcess:
        """The runtime of this place: the warm one, or one started now. Raises AppBroken.

        Two who ask at once get the same one; one of them giving up does not stop it for the other.
        """
        warm = self._runtimes.get(place)
        if warm is not None and not warm.ended.is_set():
            warm.last_used = time.monotonic()
            return warm
        starting = self._starting.get(place)
        if starting is None:
            self._keep_warm[place] = max(keep_warm_seconds, self._idle_timeout)
            starting = self._starting[place] = asyncio.create_task(self._start(place, launch))
            starting.add_done_callback(lambda _: self._starting.pop(place, None))
        return await asyncio.shield(starting)

    async def drain(self, app_id: str, version: int | None = None) -> None:
        """Let the runtimes of a version (of all versions) finish their turns, then end them. Does not wait for it."""
        for place in list(self._runtimes):
            if place.app_id == app_id and version in (None, place.version):
                self._retire(place)

    async def close(self, timeout: float) -> None:
        """Stop everything; what still runs after ``timeout`` seconds is killed."""
        if self._reaper is not None:
            self._reaper.cancel()
        for starting in list(self._starting.values()):
            starting.cancel()
        running = list(self._runtimes.values())
        await asyncio.gather(*(runtime.stop(timeout) for runtime in running), *self._ending)

    async def _start(self, place: Place, launch: Launch) -> RuntimeProcess:
        async def answer(question: frames.Question) -> object:
            return await self._host.answer(place, question)

        def on_log(records: list[frames.LogRecord]) -> None:
            self._host.log(place, records)

        runtime = await RuntimeProcess.start(await launch(), answer, on_log, self._start_timeout)
        self._runtimes[place] = runtime
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap())
        return runtime

    def _retire(self, place: Place) -> None:
        runtime = self._runtimes.pop(place)
        self._keep_warm.pop(place, None)

        async def end() -> None:
            await runtime.idle()
            await runtime.stop(_STOP_SECONDS)

        task = asyncio.create_task(end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            now = time.monotonic()
            for place, runtime in list(self._runtimes.items()):
                idle = not runtime.is_busy and now - runtime.last_used > self._keep_warm.get(place, 0)
                if idle or runtime.ended.is_set():
                    self._retire(place)
