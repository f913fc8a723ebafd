"""A version of an app that is imported and waits: runtimes are forked from it, one for each user."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cpsl.engine.local.cgroups import Cgroup, Cgroups
from cpsl.engine.local.life import Ends, end_group
from cpsl.engine.local.link import Link
from cpsl.engine.local.output import LogGate
from cpsl.engine.local.process import RuntimeProcess, app_broken, ending, start_timeout
from cpsl.engine.local.questions import Questions
from cpsl.engine.protocol import Answer, AppBroken, OnLog, RuntimeLost
from cpsl.wire import frames
from cpsl.wire.apps import AppSpec

_ENVIRONMENT = ("LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_IMPORT_MEMORY = 2048
_MOST_PROCESSES = 256
_AT_ONCE = 16
_numbers = itertools.count(1)


class Zygote:
    """An imported version. Made by ``start``.

    ``ended`` is set when nothing can be forked from it any more, ``unused`` while no runtime of it runs; ``last_used``
    is when one was last asked for (``time.monotonic``).
    """

    def __init__(self, process: asyncio.subprocess.Process, link: Link, lifeline: int, cgroups: Cgroups) -> None:
        self.ended = asyncio.Event()
        self.unused = asyncio.Event()
        self.unused.set()
        self.last_used = time.monotonic()
        self._users = 0
        self._was_asked = False
        self._process = process
        self._link = link
        self._lifeline = lifeline
        self._cgroups = cgroups
        self._ready: asyncio.Future[frames.Ready] = asyncio.get_running_loop().create_future()
        self._forking = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(
        cls, start: frames.Start, cgroups: Cgroups, answer: Answer, on_log: OnLog, timeout: float
    ) -> Zygote:
        """Import a version. Raises AppBroken; ``timeout`` in seconds, for the import."""
        ours, theirs = socket.socketpair()
        hung_up, lifeline = os.pipe()
        with theirs:
            process, output = await _spawn(theirs.fileno(), hung_up)
        os.close(hung_up)
        cgroup = cgroups.create(f"zygote-{next(_numbers)}", memory=_IMPORT_MEMORY, cpu=0, pids=2 * _MOST_PROCESSES)
        with suppress(OSError):
            cgroup.add(process.pid)
        zygote = cls(process, await Link.over(ours), lifeline, cgroups)
        zygote._watch(LogGate(on_log), output, answer, cgroup)
        zygote._link.send(start)
        zygote._link.send(start)  # the second is for the process that the first one starts
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(zygote._ready)
        except TimeoutError:
            await zygote.close()
            raise start_timeout(timeout) from None
        except BaseException:
            await zygote.close()
            raise
        return zygote

    @property
    def spec(self) -> AppSpec:
        """What the app declares."""
        return self._ready.result().spec

    @property
    def cannot_fork(self) -> str:
        """Why each runtime needs a process that imports the app itself; empty if it does not."""
        return self._ready.result().cannot_fork

    @property
    def is_used_up(self) -> bool:
        """Whether no further runtime can come of it."""
        return self.ended.is_set() or self._lifeline < 0 or bool(self.cannot_fork and self._was_asked)

    async def fork(self, user: frames.AppUser, answer: Answer, on_log: OnLog, timeout: float) -> RuntimeProcess:
        """A runtime for a user, booted. Raises AppBroken, RuntimeLost; ``timeout`` in seconds."""
        self._was_asked = True
        self.last_used = time.monotonic()
        try:
            ends = Ends.make()
        except OSError as error:
            raise RuntimeLost(f"this machine has no room for another runtime ({error.strerror})") from error
        name = f"runtime-{next(_numbers)}"
        cgroup = self._cgroups.create(name, memory=self.spec.memory, cpu=self.spec.cpu, pids=_MOST_PROCESSES)
        self._users += 1
        self.unused.clear()
        try:
            runtime = await RuntimeProcess.over(ends, cgroup, self.spec.memory, answer, on_log)
        except BaseException:
            self._release()
            raise
        self._keep(runtime.ended.wait(), self._release)
        async with self._forking:
            try:
                self._link.send_with(frames.Fork(user), ends.theirs)
            except OSError as error:
                raise RuntimeLost(f"the app's process cannot be reached ({error.strerror})") from error
            finally:
                ends.close_theirs()
            await runtime.start(timeout)
        return runtime

    async def close(self) -> None:
        """End it, and every runtime that came of it, now."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        self._link.close()
        if self._process.returncode is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
        await self.ended.wait()

    def _watch(self, gate: LogGate, output: tuple[int, int], answer: Answer, cgroup: Cgroup) -> None:
        for pipe, stream in zip(output, ("stdout", "stderr"), strict=True):
            self._keep(gate.read(pipe, stream))
        self._keep(self._read_link(gate, answer))
        self._keep(self._wait(cgroup))

    def _release(self) -> None:
        self._users -= 1
        if not self._users:
            self.unused.set()

    def _keep(self, work: Any, then: Callable[[], None] | None = None) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if then is not None:
            task.add_done_callback(lambda _: then())

    async def _read_link(self, gate: LogGate, answer: Answer) -> None:
        questions = Questions(self._link, answer)
        async for frame in self._link.frames():
            match frame:
                case frames.Ready() if not self._ready.done():
                    self._ready.set_result(frame)
                case frames.Broken() if not self._ready.done():
                    self._ready.set_exception(app_broken(frame))
                case frames.Call():
                    await questions.take(frame)
                case frames.Logs():
                    await gate.pass_on(frame.records)
        self._link.close()
        if not self._ready.done():
            await self._tell_why(gate)
        self.ended.set()

    async def _tell_why(self, gate: LogGate) -> None:
        """The link was closed while the app was imported."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._process.wait()
        code = self._process.returncode
        status = code if code is None or code <= 128 else 128 - code
        words = "\n".join(gate.last_words)
        failure = AppBroken(f"importing the app ended its process ({ending(status)})", code="import_failed", hint=words)
        self._ready.set_exception(failure)
        self._ready.exception()  # retrieved, for the case that nobody waits for it any more

    async def _wait(self, cgroup: Cgroup) -> None:
        await self._process.wait()
        end_group(self._process.pid)
        cgroup.remove()
        self.ended.set()


async def _spawn(link: int, lifeline: int) -> tuple[asyncio.subprocess.Process, tuple[int, int]]:
    """The launcher, and our ends of its standard output and error."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    (stdout, their_stdout), (stderr, their_stderr) = os.pipe(), os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cpsl.runtime", "--launch", "--fd", str(link), "--lifeline", str(lifeline)),
            pass_fds=(link, lifeline),
            env={"PATH": _PATH, "LANG": "C.UTF-8", **kept},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=their_stdout,
            stderr=their_stderr,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(their_stdout)
        os.close(their_stderr)
    return process, (stdout, stderr)
