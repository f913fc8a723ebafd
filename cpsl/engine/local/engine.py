"""Finds the runtime of a place, or forks it; imports versions, and ends what nobody uses."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import msgspec

from cpsl.engine.local.cgroups import Cgroups
from cpsl.engine.local.health import Health
from cpsl.engine.local.images import Images, is_empty
from cpsl.engine.local.process import RuntimeProcess
from cpsl.engine.local.supervision import Supervisor
from cpsl.engine.local.zygote import Zygote
from cpsl.engine.protocol import Answer, Host, Launch, OnLine, OnLog, Place
from cpsl.wire import frames
from cpsl.wire.apps import AppSpec, ImageSpec

_STOP_SECONDS = 12.0
_EVICT_SECONDS = 1.0
_REAP_SECONDS = 1.0
_UNUSED_SECONDS = 3600.0
"""How long a version that nobody talks to stays imported."""


class LocalEngine:
    """Runtimes as processes of this machine (the ``Engine`` of the protocol). ``serve`` says for whom.

    ``start_timeout``: seconds that an app may take to come up. ``idle_timeout``: seconds that a runtime stays after
    its last turn, unless its app asks for more. ``folder``: where images are kept, on a disk that apps must not fill.
    ``cgroups``: where limits are set, other than where this process may set some.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start_timeout: float = 30.0,
        idle_timeout: float = 60.0,
        cgroups: Cgroups | None = None,
    ) -> None:
        self._host: Host
        self._supervisor = Supervisor(lambda: self._runtimes.values(), folder.parent)
        self._images = Images(folder)
        self._start_timeout = start_timeout
        self._idle_timeout = idle_timeout
        self._cgroups = cgroups or Cgroups.of_this_process()
        self._health = Health()
        self._zygotes: dict[str, Zygote] = {}
        self._importing: dict[str, asyncio.Task[Zygote]] = {}
        self._drains: Counter[str] = Counter()
        self._runtimes: dict[Place, RuntimeProcess] = {}
        self._starting: dict[Place, asyncio.Task[RuntimeProcess]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._watching: list[asyncio.Task[None]] = []

    def serve(self, host: Host) -> None:
        """Ask ``host`` what the runtimes ask. Called once, before the first runtime."""
        self._host = host

    async def build(self, image: ImageSpec, on_line: OnLine) -> str:
        """The folder of an image, built now if need be; empty for one that asks for nothing.

        ``on_line`` gets what the build prints. Raises DeployFailed, InvalidRequest (``invalid_image``).
        """
        return str(await self._images.build(image, on_line) or "")

    def is_built(self, image: ImageSpec) -> bool:
        """Whether ``build`` has nothing to do."""
        return is_empty(image) or self._images.path(image) is not None

    def build_log(self, image: ImageSpec) -> str:
        """What building an image printed; empty if it was never built, or its log is gone."""
        return self._images.log(image)

    async def collect(self, used: Iterable[ImageSpec]) -> None:
        """Remove the images that none of ``used`` needs."""
        await self._images.collect(used)

    async def inspect(self, start: frames.Start, answer: Answer, on_log: OnLog) -> AppSpec:
        """Import an app only to see what it declares, before there is an image for it. Raises AppBroken."""
        looking = msgspec.structs.replace(start, only_look=True)
        zygote = await Zygote.start(looking, self._cgroups, answer, on_log, self._start_timeout)
        await zygote.close()
        return zygote.spec

    async def prepare(self, version_id: str, start: frames.Start, answer: Answer, on_log: OnLog) -> AppSpec:
        """Import a version and keep it ready for runtimes; what it declares. Raises AppBroken: nothing is left then."""
        zygote = await Zygote.start(start, self._cgroups, answer, on_log, self._start_timeout)
        self._keep(version_id, zygote, on_log)
        return zygote.spec

    async def runtime(
        self, place: Place, user: frames.AppUser, launch: Launch, keep_warm_seconds: int = 0
    ) -> RuntimeProcess:
        """The runtime of this place: the warm one, or one forked now. Raises AppBroken, RuntimeLost.

        Two who ask at once get the same one; one of them giving up does not stop it for the other.
        """
        warm = self._runtimes.get(place)
        if warm is not None and warm.is_given_up:
            self._end([self._runtimes.pop(place)], None)
        elif warm is not None and not warm.ended.is_set():
            warm.last_used = time.monotonic()
            return warm
        starting = self._starting.get(place)
        if starting is None:
            keep_warm = max(keep_warm_seconds, self._idle_timeout)
            starting = self._starting[place] = asyncio.create_task(self._start(place, user, launch, keep_warm))
            starting.add_done_callback(_retrieve)
            starting.add_done_callback(lambda _: self._starting.pop(place, None))
        return await asyncio.shield(starting)

    async def drain(self, version_ids: Iterable[str]) -> None:
        """Let the runtimes of these versions finish their turns, then end them. Does not wait for it."""
        for version_id in version_ids:
            self._drains[version_id] += 1
            runtimes = [self._runtimes.pop(place) for place in list(self._runtimes) if place.version_id == version_id]
            zygote = self._zygotes.pop(version_id, None)
            self._health.forget(version_id)
            self._end(runtimes, zygote)

    def retire(self, user_id: str) -> None:
        """End the runtimes of a user when their turns have ended; who asks next gets another. Does not wait for it."""
        places = [place for place in self._runtimes if place.user_id == user_id]
        self._end([self._runtimes.pop(place) for place in places], None)

    async def evict(self, app_id: str, user_id: str) -> None:
        """End what runs for a user of an app, in all its versions, now; a turn that has not ended is lost."""

        def of_user(places: Iterable[Place]) -> list[Place]:
            return [place for place in places if (place.app_id, place.user_id) == (app_id, user_id)]

        await asyncio.gather(*(self._starting[place] for place in of_user(self._starting)), return_exceptions=True)
        runtimes = [self._runtimes.pop(place) for place in of_user(self._runtimes)]
        await asyncio.gather(*(runtime.stop(_EVICT_SECONDS) for runtime in runtimes))

    def trouble(self, version_id: str) -> str:
        """Why a version is unhealthy; empty if it is not."""
        return self._health.trouble(version_id)

    async def close(self, timeout: float) -> None:
        """Stop everything; what still runs after ``timeout`` seconds is killed."""
        for task in self._watching:
            task.cancel()
        await self._images.close()
        for starting in [*self._starting.values(), *self._importing.values()]:
            starting.cancel()
        await asyncio.gather(*(runtime.stop(timeout) for runtime in list(self._runtimes.values())))
        await asyncio.gather(*(zygote.close() for zygote in list(self._zygotes.values())), *self._ending)
        self._cgroups.close()

    # --- starting ---------------------------------------------------------------------------------------------------

    async def _start(self, place: Place, user: frames.AppUser, launch: Launch, keep_warm: float) -> RuntimeProcess:
        answer, on_log = self._host_for(place)
        while True:
            drains = self._drains[place.version_id]
            async with self._health.attempt(place):
                while (zygote := await self._zygote(place, launch)).is_used_up:
                    pass  # it was drained, or taken by another, while this one waited for it
                runtime = await zygote.fork(user, answer, on_log, self._start_timeout)
            if drains == self._drains[place.version_id]:
                break
            self._end([runtime], None)  # the version was drained meanwhile: who asks now is to get a new one
        runtime.keep_warm = keep_warm
        self._runtimes[place] = runtime
        self._watch_for_crash(place, runtime)
        return runtime

    def _host_for(self, place: Place) -> tuple[Answer, OnLog]:
        """The host, as the process of a place may use it."""

        async def answer(question: frames.Question) -> object:
            return await self._host.answer(place, question)

        def on_log(records: list[frames.LogRecord]) -> None:
            self._host.log(place, records)

        return answer, on_log

    async def _zygote(self, place: Place, launch: Launch) -> Zygote:
        """The imported version; two who ask at once wait for the same import."""
        version_id = place.version_id
        known = self._zygotes.get(version_id)
        if known is not None and not known.is_used_up:
            return known
        importing = self._importing.get(version_id)
        if importing is None:
            importing = self._importing[version_id] = asyncio.create_task(self._import(place, launch))
            importing.add_done_callback(_retrieve)
            importing.add_done_callback(lambda _: self._importing.pop(version_id, None))
        return await asyncio.shield(importing)

    async def _import(self, place: Place, launch: Launch) -> Zygote:
        itself = place._replace(user_id="")
        answer, on_log = self._host_for(itself)
        while True:
            drains = self._drains[place.version_id]
            async with self._health.attempt(itself):
                zygote = await Zygote.start(await launch(), self._cgroups, answer, on_log, self._start_timeout)
            if drains == self._drains[place.version_id]:
                break
            await zygote.close()
        self._keep(place.version_id, zygote, on_log)
        return zygote

    def _keep(self, version_id: str, zygote: Zygote, on_log: OnLog) -> None:
        before = self._zygotes.get(version_id)
        if zygote.cannot_fork and before is None:
            on_log([_started_one_by_one(zygote.cannot_fork)])
        self._zygotes[version_id] = zygote
        if before is not None:
            self._end([], before)  # its runtimes go on, until they are idle
        if not self._watching:
            self._watching = [asyncio.create_task(self._reap()), asyncio.create_task(self._supervisor.run())]

    # --- ending -----------------------------------------------------------------------------------------------------

    def _watch_for_crash(self, place: Place, runtime: RuntimeProcess) -> None:
        async def watch() -> None:
            await runtime.ended.wait()
            if self._runtimes.get(place) is runtime:  # nobody wanted it to end
                del self._runtimes[place]
                self._health.crashed(place)

        self._in_background(watch())

    def _end(self, runtimes: list[RuntimeProcess], zygote: Zygote | None) -> None:
        async def end(runtime: RuntimeProcess) -> None:
            await runtime.idle()
            await runtime.stop(_STOP_SECONDS)

        async def end_all() -> None:
            await asyncio.gather(*(end(runtime) for runtime in runtimes))
            if zygote is not None:
                await zygote.unused.wait()
                await zygote.close()

        self._in_background(end_all())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            now = time.monotonic()
            for place, runtime in list(self._runtimes.items()):
                is_unused = not runtime.is_busy and now - runtime.last_used > runtime.keep_warm
                if is_unused or runtime.is_given_up:
                    del self._runtimes[place]
                    self._end([runtime], None)
            for version_id, zygote in list(self._zygotes.items()):
                is_old = now - zygote.last_used > _UNUSED_SECONDS
                if zygote.unused.is_set() and (is_old or zygote.ended.is_set()):
                    del self._zygotes[version_id]
                    self._end([], zygote)


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Whoever waited for it may have left, with an app that was deleted: then its failure is nobody's."""
    if not task.cancelled():
        task.exception()


def _started_one_by_one(reason: str) -> frames.LogRecord:
    message = f"{reason}: runtimes are started one by one, each importing the app. Begin such things in @app.boot()."
    return frames.LogRecord(message[0].upper() + message[1:], time.time(), "warning", "system")
