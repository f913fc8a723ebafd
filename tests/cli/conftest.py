"""Black-box tests of ``capsule``: a process with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which nobody ever logged in and no gateway runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAPSULE_")}
    places = {f"CAPSULE_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "STATE")}
    # Port 9 (discard) answers nothing: a test must never meet a gateway that somebody runs on this machine.
    return kept | places | {"CAPSULE_KEYRING": "off", "CAPSULE_GATEWAY_PORT": "9", "NO_COLOR": "1"}


@pytest.fixture
def capsule(home: dict[str, str], tmp_path: Path) -> Run:
    """Runs ``capsule`` with arguments in an empty folder and returns what came of it. It never has a terminal."""
    folder = tmp_path / "work"
    folder.mkdir()

    def run(
        *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(
            [sys.executable, "-m", "capsule_cli", *arguments],
            **given,
            capture_output=True,
            text=True,
            env=home | (env or {}),
            cwd=folder,
            timeout=120,
            check=False,
        )
        assert "Traceback (most recent call last)" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def terminal(home: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Runs ``capsule`` with arguments in a terminal of its own."""
    opened: list[Terminal] = []

    def run(*arguments: str, env: dict[str, str] | None = None) -> Terminal:
        opened.append(Terminal(["-m", "capsule_cli", *arguments], env=home | (env or {}), cwd=tmp_path))
        return opened[-1]

    yield run
    for each in opened:
        each.close()
