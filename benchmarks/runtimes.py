"""What a new user's runtime costs: time to the first event, and memory while it is idle.

Three ways to a runtime that has imported asyncio and msgspec: a process that is started and imports (``spawn``),
one that is forked (``fork``), and one that is forked into its sandbox, which is the rule (``fork + sandbox``). The
reference is ``python -c pass`` of the same rounds.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from cpsl.engine.local import LocalEngine
from cpsl.engine.local.process import RuntimeProcess
from cpsl.engine.local.supervision import private_bytes, processes_of
from cpsl.engine.local.zygote import Zygote
from cpsl.engine.protocol import Place
from cpsl.errors import NotFound
from cpsl.wire import frames

ROUNDS, IDLE, CROWD = 25, 50, 200
APP = """\
import asyncio
import msgspec
import cpsl

app = cpsl.App(name="bench", cpu=1.0)


@app.message()
async def handle(session, msg):
    await session.reply(f"You said: {msg.text}")
"""


class Nobody:
    """A host that knows nothing."""

    async def answer(self, place: Place, question: frames.Question) -> Any:
        """Nothing."""
        raise NotFound("there is nothing here")

    def log(self, place: Place, records: list[frames.LogRecord]) -> None:
        """Nowhere."""


class Subject:
    """An engine with one version."""

    def __init__(self, folder: Path, isolation: str) -> None:
        self.start = frames.Start("bench", 1, str(folder), "app.py:app", isolation=isolation)
        self.engine = LocalEngine(folder / "images", idle_timeout=3600)
        self.engine.serve(Nobody())
        self.users = 0

    async def launch(self) -> frames.Start:
        """What a zygote is started from."""
        return self.start

    async def first_event(self, runtime: RuntimeProcess | None = None) -> RuntimeProcess:
        """A runtime for a new user, after the first event of its first turn."""
        self.users += 1
        user = frames.AppUser(f"usr_{self.users}")
        runtime = runtime or await self.engine.runtime(Place("bench", 1, "v1", user.id), user, self.launch)
        seen = asyncio.Event()

        async def on_events(events: list[Any]) -> None:
            seen.set()

        turn = frames.StartTurn(f"trn_{self.users}", frames.SessionState("ses_1", "api"), "hi")
        await asyncio.gather(runtime.turn(turn, on_events), seen.wait())
        return runtime

    async def spawned(self) -> None:
        """The same by a process of its own."""
        zygote = await Zygote.start(self.start, self.engine._cgroups, self._nothing, lambda _: None, 30)
        await self.first_event(await zygote.fork(frames.AppUser("usr_0"), self._nothing, lambda _: None, 30))
        await zygote.close()

    async def _nothing(self, question: frames.Question) -> Any:
        raise NotFound("there is nothing here")


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def empty_python() -> None:
    """The reference."""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", "pass"], check=True)


async def measure_starts(plain: Subject, boxed: Subject) -> None:
    """The three ways and the reference, in turns."""
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "python -c pass": empty_python,
        "spawn": plain.spawned,
        "fork": plain.first_event,
        "fork + sandbox": boxed.first_event,
    }
    await plain.first_event()
    await boxed.first_event()
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            samples[name].append(await timed(way) * 1e3)
    bare = statistics.median(samples["python -c pass"])
    print(f"{'first event of a new user':<28}{'p50 ms':>8}{'min':>8}{'max':>8}{'x python':>10}{'budget ms':>11}")
    for name, taken in samples.items():
        middle = statistics.median(taken)
        budget = "15" if name == "fork + sandbox" else ""
        print(f"{name:<28}{middle:>8.1f}{min(taken):>8.1f}{max(taken):>8.1f}{middle / bare:>10.2f}{budget:>11}")


async def measure_memory(boxed: Subject) -> None:
    """What an idle runtime adds after twenty messages: of the app's process, and with its init."""
    runtimes = [await boxed.first_event() for _ in range(IDLE)]
    for runtime in runtimes:
        for _ in range(19):
            await boxed.first_event(runtime)
    both = [[private_bytes(pid) for pid in processes_of(each.life.pid)] for each in runtimes]
    total = statistics.median(sum(each) for each in both) / 2**20
    print(f"\n{'memory of an idle runtime':<28}{'MiB':>8}{'budget':>8}   (USS, median of {IDLE})")
    print(f"{'all of it':<28}{total:>8.2f}{5:>8}")
    print(f"{'of that, its init':<28}{statistics.median(each[0] for each in both) / 2**20:>8.2f}")


async def measure_crowd(boxed: Subject) -> None:
    """Two hundred new users at once."""
    before = time.process_time(), time.perf_counter()
    runtimes = await asyncio.gather(*(boxed.first_event() for _ in range(CROWD)))
    wall, cpu = time.perf_counter() - before[1], time.process_time() - before[0]
    alive = {each.life.pid for each in runtimes}
    private = sum(private_bytes(pid) for each in runtimes for pid in processes_of(each.life.pid)) / 2**20
    each_ms = wall / CROWD * 1e3
    print(f"\n{CROWD} new users at once: {len(alive)} processes answered in {wall:.2f} s ({each_ms:.1f} ms each),")
    print(f"{private:.0f} MiB private memory together, {cpu:.2f} s CPU of the engine itself")


async def run() -> None:
    """Everything."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        (Path(home) / "app.py").write_text(APP)
        plain, boxed = Subject(Path(home), "none"), Subject(Path(home), "namespaces")
        try:
            await measure_starts(plain, boxed)
            await measure_memory(boxed)
            await measure_crowd(boxed)
        finally:
            await asyncio.gather(plain.engine.close(5), boxed.engine.close(5))


def main() -> None:
    """Measure and print the tables."""
    uvloop.run(run())


if __name__ == "__main__":
    main()
