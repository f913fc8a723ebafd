from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cpsl.wire import frames
from tests.runtime.host import Host, no_answers, running

APPS = Path(__file__).parent / "apps"
Drive = Callable[[Host], Coroutine[Any, Any, None]]


def at_boot(question: Any) -> Any:
    return "boot-value" if getattr(question, "name", "") == "AT_BOOT" else no_answers(question)


@pytest.fixture(scope="session")
def namespaces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Skips where this kernel does not let a process make namespaces."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "app.py").write_text('import cpsl\napp = cpsl.App(name="probe")\n')

    async def go() -> Any:
        async with running(folder, isolation="namespaces") as host:
            return host.first.result()

    told = asyncio.run(go())
    if isinstance(told, frames.Broken):
        pytest.skip(told.message)
    return "namespaces"


@pytest.fixture
def code(tmp_path: Path) -> Callable[[str], Path]:
    """A project folder with one of the test apps as its ``app.py``; or with the given source."""

    def make(app: str) -> Path:
        folder = tmp_path / "code"
        folder.mkdir()
        known = {path.stem: path for path in APPS.iterdir()}
        if app in known:
            shutil.copy(known[app], folder / "app.py")
        else:
            (folder / "app.py").write_text(app)
        return folder

    return make


@pytest.fixture
def demo(code: Callable[[str], Path]) -> Callable[..., None]:
    """Drive the demo app: ``demo(async_function_of_host, **start)``."""
    folder = code("demo")

    def drive(steps: Drive, *, answers: Callable[[Any], Any] = at_boot, **start: Any) -> None:
        async def go() -> None:
            async with running(folder, answers=lambda q: _first(at_boot(q), answers, q), **start) as host:
                await steps(host)

        asyncio.run(go())

    return drive


def _first(boot: Any, answers: Callable[[Any], Any], question: Any) -> Any:
    return boot if boot == "boot-value" else answers(question)
