"""The client side also runs where there is no POSIX: its modules import, and its help shows, without those of POSIX."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.inside import run
from tests.cli.test_tree import LEAVES

ROOT = Path(__file__).parent.parent.parent
CLIENT_SIDE = ("capsule_cli", "cpsl/app", "cpsl/auth", "cpsl/bundle", "cpsl/client", "cpsl/testing", "cpsl/wire")
# Python's own modules choose by the system they are on, so they come first; ours must do without.
PREPARED = """
import asyncio, concurrent.futures, getpass, json, multiprocessing, shutil, subprocess, sys, tarfile, tempfile
import anyio, httpx, keyring, prompt_toolkit, prompt_toolkit.output.vt100, rich.console, typer
for name in ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None
"""


def modules() -> Iterator[str]:
    """Every module of the client side. ``__main__`` runs what it is for."""
    for part in CLIENT_SIDE:
        path = ROOT / part
        for each in path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
            if each.exists() and each.name != "__main__.py" and "templates" not in each.parts:
                yield ".".join(each.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREPARED + code], capture_output=True, text=True, timeout=60, check=False
    )


def test_no_module_of_the_client_side_needs_posix_to_be_imported() -> None:
    names = [*modules(), "cpsl", "cpsl.config", "cpsl.errors", "cpsl.private_files"]
    assert len(names) > 100
    done = python(f"import importlib\nfor name in {names}: importlib.import_module(name)")
    assert done.returncode == 0, done.stderr


def test_every_help_shows_without_posix() -> None:
    code = f"""
from capsule_cli.boundary import run
for words in {sorted(LEAVES)}:
    assert run([*words.split(), "--help"]) == 0, words
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: ") == len(LEAVES)


@pytest.mark.parametrize("system", ["darwin", "win32"])
@pytest.mark.parametrize("words", ["gateway start", "gateway start --foreground", "quickstart"])
def test_hosting_needs_linux_and_says_so(
    home: dict[str, str], monkeypatch: pytest.MonkeyPatch, system: str, words: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    done = run(words.split(), home)
    assert done.code == 1
    assert done.err.splitlines() == [
        "Error: A gateway needs Linux",
        "  Log in to one that runs there: capsule login --gateway URL",
    ]
