"""Black-box tests of ``capsule``: a process with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli import inside
from tests.cli.terminal import Terminal

Run = Callable[..., "subprocess.CompletedProcess[str]"]


APPS = Path(__file__).parent.parent / "apps"
APP = """import cpsl

app = cpsl.App(name="{name}", image=cpsl.Image(){more})


@app.message()
async def handle(session, msg):
    await session.reply("{answer}")
"""


def write_app(folder: Path, name: str, answer: str = "hi", more: str = "") -> str:
    """Write an app that always says the same; its entry point."""
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(APP.format(name=name, answer=answer, more=more))
    return f"{folder / 'app.py'}:app"


# Of whoever runs the tests: ``CI``, a terminal's name or an editor's would change what the command says or does.
KEPT = ("HOME", "LANG", "LC_", "PATH", "PYTHON", "TMPDIR")


def environment(folder: Path) -> dict[str, str]:
    """An environment in which nobody ever logged in and no gateway runs."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    places = {f"CAPSULE_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "STATE")}
    # Port 9 (discard) answers nothing: a test must never meet a gateway that somebody runs on this machine.
    return kept | places | {"CAPSULE_KEYRING": "off", "CAPSULE_GATEWAY_PORT": "9", "NO_COLOR": "1", "TERM": "xterm"}


def run_capsule(
    arguments: Sequence[str], env: dict[str, str], folder: Path, stdin: str | None = None, *, alone: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run ``capsule`` without a terminal and return what came of it. No traceback of ours, ever.

    To start a process takes longer than most commands, so it runs inside that of the test; ``alone`` in one of its
    own, for what starts a gateway or is about the streams that a process is born with.
    """
    run = _run_alone if alone else inside.run
    done = run(arguments, env, str(folder), stdin)
    assert "capsule_cli/" not in done.err, done.err
    return subprocess.CompletedProcess(["capsule", *arguments], done.code, done.out, done.err)


def _run_alone(arguments: Sequence[str], env: dict[str, str], folder: str, stdin: str | None) -> inside.Done:
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    argv = [sys.executable, "-m", "capsule_cli", *arguments]
    done = subprocess.run(argv, **given, capture_output=True, text=True, env=env, cwd=folder, timeout=120, check=False)
    return inside.Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which nobody ever logged in and no gateway runs."""
    return environment(tmp_path)


@pytest.fixture
def capsule(home: dict[str, str], tmp_path: Path) -> Run:
    """Runs ``capsule`` with arguments in an empty folder and returns what came of it. It never has a terminal."""
    folder = tmp_path / "work"
    folder.mkdir()

    def run(
        *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None, alone: bool = False
    ) -> subprocess.CompletedProcess[str]:
        return run_capsule(arguments, home | (env or {}), folder, stdin, alone=alone)

    return run


@contextmanager
def _terminals(home: dict[str, str], folder: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def run(*arguments: str, env: dict[str, str] | None = None, columns: int = 80) -> Terminal:
        command = ["-m", "capsule_cli", *arguments]
        opened.append(Terminal(command, env=home | (env or {}), cwd=folder, columns=columns))
        return opened[-1]

    try:
        yield run
    finally:
        for each in opened:
            each.close()


@pytest.fixture
def terminal(home: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Runs ``capsule`` with arguments in a terminal of its own."""
    with _terminals(home, tmp_path) as run:
        yield run


@dataclass(frozen=True)
class Live:
    """A gateway that runs, and a home that is logged in to it."""

    env: dict[str, str]
    folder: Path

    def run(self, *arguments: str, stdin: str | None = None, alone: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``capsule``; it never has a terminal."""
        return run_capsule(arguments, self.env, self.folder, stdin, alone=alone)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A real gateway, started, logged in to and stopped by the commands under test, with the app ``talker`` live."""
    folder = tmp_path_factory.mktemp("live")
    live = Live(environment(folder) | {"CAPSULE_GATEWAY_PORT": "0"}, folder)
    assert (done := live.run("login", alone=True)).returncode == 0, done.stderr
    try:
        live.run("secret", "create", "GITHUB_CLIENT_ID=a", "GITHUB_CLIENT_SECRET=b")
        deployed = live.run("deploy", f"{APPS / 'talker.py'}:app")
        assert deployed.returncode == 0, deployed.stderr
        yield live
    finally:
        assert live.run("gateway", "stop").returncode == 0


@pytest.fixture
def terminal_of(live: Live) -> Iterator[Callable[..., Terminal]]:
    """As ``terminal``, logged in to the ``live`` gateway."""
    with _terminals(live.env, live.folder) as run:
        yield run
