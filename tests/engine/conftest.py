from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cpsl.engine.local import LocalEngine
from cpsl.engine.local.process import RuntimeProcess
from cpsl.engine.protocol import AppBroken, Place
from cpsl.errors import NotFound
from cpsl.wire import frames
from cpsl.wire.events import Chunk

APP = """\
import asyncio, os, random, sys, time
import cpsl
app = cpsl.App(name="engine", memory=MEMORY)
state = {"imported": os.getpid(), "turns": 0}

@app.boot()
def boot():
    print("booted")

@app.shutdown()
def shutdown():
    print("shut down")

@app.message()
async def handle(session, msg):
    state["turns"] += 1
    result = eval(msg.text)
    await session.reply(repr(await result if asyncio.iscoroutine(result) else result))
"""
THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"


class Bench:
    """An engine with one version of an app, and the host that it asks."""

    def __init__(self, engine: LocalEngine, start: frames.Start) -> None:
        self.engine = engine
        self.start = start
        self.imports = 0
        self.logs: list[tuple[Place | None, frames.LogRecord]] = []
        self._turns = 0

    async def answer(self, place: Place, question: frames.Question) -> Any:
        raise NotFound("there is nothing here")

    def log(self, place: Place, records: list[frames.LogRecord]) -> None:
        self.logs += [(place, record) for record in records]

    async def runtime(self, user: str = "ann", version: str = "v1") -> RuntimeProcess:
        place = Place("app", 1, version, user)
        return await self.engine.runtime(place, frames.AppUser(user), self._launch)

    async def turn(self, text: str, user: str = "ann", version: str = "v1") -> frames.TurnEnded:
        """Run a turn; its events are in ``self.text``."""
        runtime = await self.runtime(user, version)
        said: list[str] = []

        async def on_events(events: list[Any]) -> None:
            said.extend(event.text for event in events if isinstance(event, Chunk))

        self._turns += 1
        state = frames.SessionState(f"ses_{user}", "api")
        ended = await runtime.turn(frames.StartTurn(f"trn_{self._turns}", state, text), on_events)
        self.text = "".join(said)
        return ended

    async def says(self, text: str, user: str = "ann", version: str = "v1") -> Any:
        """What an expression is inside the app of a user."""
        ended = await self.turn(text, user, version)
        assert ended.failure is None, ended.failure
        return eval(self.text)

    async def until(self, holds: Callable[[], bool], seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it never came to that"
            await asyncio.sleep(0.02)

    def printed(self) -> list[str]:
        return [record.message for _, record in self.logs]

    async def _launch(self) -> frames.Start:
        self.imports += 1
        return self.start


Bed = Callable[..., Any]
Steps = Callable[[Bench], Awaitable[None]]


@pytest.fixture(scope="session")
def isolation(tmp_path_factory: pytest.TempPathFactory) -> str:
    """``namespaces`` where the kernel lets us, else ``none``."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "app.py").write_text('import cpsl\napp = cpsl.App(name="probe")\n')

    async def go() -> str:
        async with bench(folder, "namespaces") as probe:
            try:
                await probe.runtime()
            except AppBroken as error:
                return "none" if error.code == "sandbox_unavailable" else "namespaces"
            return "namespaces"

    return asyncio.run(go())


@asynccontextmanager
async def bench(folder: Path, isolation: str, **choices: Any) -> AsyncIterator[Bench]:
    start = frames.Start("engine", 1, str(folder), "app.py:app", isolation=isolation, cpu=2.0)
    made = Bench(LocalEngine(folder / "images", **choices), start)
    made.engine.serve(made)
    try:
        yield made
    finally:
        await made.engine.close(5)


@pytest.fixture
def drive(tmp_path: Path, isolation: str) -> Callable[..., None]:
    """Run ``steps`` on a bench with an engine: ``drive(steps, before="…", memory=512, **choices_of_the_engine)``."""

    def run(steps: Steps, *, before: str = "", memory: int = 512, **choices: Any) -> None:
        (tmp_path / "app.py").write_text(before + APP.replace("MEMORY", str(memory)))

        async def go() -> None:
            async with bench(tmp_path, isolation, **choices) as made:
                await steps(made)

        asyncio.run(go())

    return run
