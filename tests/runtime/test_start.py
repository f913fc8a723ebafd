from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cpsl.wire import frames
from tests.runtime.host import ROOT, running

Code = Callable[[str], Path]
HELLO = 'import cpsl\nprint("imported")\napp = cpsl.App(name="hello", image=cpsl.Image())\nother = 1\n'


def first(folder: Path, **start: Any) -> frames.Ready | frames.Broken:
    """What the import told, and then, if it went well, the boot hook."""

    async def go() -> frames.Ready | frames.Broken:
        async with running(folder, **start) as host:
            told = host.first.result()
            ready = told if isinstance(told, frames.Broken) else host.ready
            assert ready is not None
            return ready

    return asyncio.run(go())


def describe(folder: Path, entry: str, *extra: str) -> tuple[int, Any, str]:
    argv = [sys.executable, "-m", "cpsl.runtime", "--describe", entry, *extra]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, env=environment)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_describe_prints_the_spec_and_nothing_else(code: Code) -> None:
    folder = code(HELLO)
    status, told, stderr = describe(folder, "app.py:app")
    assert (status, told["name"]) == (0, "hello")
    assert "imported" in stderr
    assert not list(folder.glob("**/__pycache__"))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [("app.py", "invalid_entry_point"), ("nope.py:app", "invalid_entry_point"), ("app.py:", "invalid_entry_point"),
     ("../app.py:app", "invalid_entry_point"), ("/etc/passwd.py:x", "invalid_entry_point"),
     ("app.py:nope", "symbol_missing"), ("app.py:other", "not_an_app")],
)  # fmt: skip
def test_wrong_entry_points(code: Code, entry: str, expected: str) -> None:
    status, told, _ = describe(code(HELLO), entry)
    assert (status, told["code"]) == (1, expected)
    assert told["hint"]


@pytest.mark.parametrize(
    ("source", "says"),
    [("import cpsl\nx = 1 / 0\n", "ZeroDivisionError"), ("def broken(:\n", "SyntaxError"),
     ("import sys\nsys.exit(2)\n", "SystemExit"), ("import json.not_there\n", "ModuleNotFoundError"),
     ("import cpsl\napp = cpsl.App(name='Bad Name')\n", "cannot name an app")],
)  # fmt: skip
def test_import_failures_show_the_apps_own_frames(code: Code, source: str, says: str) -> None:
    folder = code(source)
    status, told, _ = describe(folder, "app.py:app")
    assert (status, told["code"]) == (1, "import_failed")
    assert says in told["message"] + told["traceback"]
    assert "app.py" in told["traceback"] or says == "SystemExit"
    assert "cpsl/runtime" not in told["traceback"]
    broken = first(folder)
    assert isinstance(broken, frames.Broken)
    assert broken.code == "import_failed"


def test_a_relative_import_is_told_what_to_write_instead(code: Code) -> None:
    _, told, _ = describe(code("import cpsl\nfrom .helper import x\n"), "app.py:app")
    assert "without the dots" in told["hint"]


def test_a_package_that_is_not_here_yet_is_passed_over_by_a_look_and_missed_by_an_import(code: Code) -> None:
    use = (
        "from not_there import nn, tool\nimport not_there.deep as deep\n@tool\ndef f(): ...\nclass M(nn.Module): ...\n"
    )
    folder = code(use + "x: nn.A | None = deep.b(1)[2]\n" + HELLO)
    status, told, _ = describe(folder, "app.py:app")
    assert (status, told["name"]) == (0, "hello")
    broken = first(folder)
    assert isinstance(broken, frames.Broken)
    assert "No module named 'not_there'" in broken.message


def test_modules_beside_the_file_and_files_below_the_root_are_found(code: Code) -> None:
    folder = code("")
    (folder / "src").mkdir()
    (folder / "src" / "helper.py").write_text("NAME = 'from-helper'\n")
    (folder / "note.txt").write_text("x")
    source = "import cpsl, helper\nopen('note.txt').close()\napp = cpsl.App(name=helper.NAME)\n"
    (folder / "src" / "main.py").write_text(source)
    ready = first(folder, entry="src/main.py:app")
    assert isinstance(ready, frames.Ready)
    assert ready.spec.name == "from-helper"


def test_a_file_named_like_a_loaded_module_is_still_the_app(code: Code) -> None:
    folder = code("")
    (folder / "asyncio.py").write_text(HELLO)
    ready = first(folder, entry="asyncio.py:app")
    assert isinstance(ready, frames.Ready)


def test_a_secret_can_be_read_while_importing(code: Code) -> None:
    source = 'import cpsl\napp = cpsl.App(name=cpsl.Secret.from_name("NAME").value)\n'
    ready = first(code(source), answers=lambda question: "named-by-secret")
    assert isinstance(ready, frames.Ready)
    assert (ready.spec.name, ready.spec.references) == ("named-by-secret", ["NAME"])


def test_a_failing_boot_hook_breaks_the_version(code: Code) -> None:
    broken = first(code(HELLO + '@app.boot()\ndef boot():\n    raise OSError("no disk")\n'))
    assert isinstance(broken, frames.Broken)
    assert (broken.code, broken.message) == ("boot_failed", "The boot hook failed (OSError).")
    assert "no disk" in broken.traceback


def test_an_app_without_a_message_handler_says_so(code: Code) -> None:
    async def go() -> frames.TurnFailure | None:
        async with running(code(HELLO)) as host:
            return (await host.turn("hi")).failure

    failure = asyncio.run(go())
    assert failure is not None
    assert failure.code == "no_message_handler"


def test_mounts_need_the_sandbox(code: Code, tmp_path: Path) -> None:
    broken = first(code(HELLO), mounts=[frames.Mount(str(tmp_path), "/data")])
    assert isinstance(broken, frames.Broken)
    assert broken.code == "sandbox_unavailable"
    assert broken.hint


def test_a_socket_that_says_nothing_ends_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cpsl.runtime", "--launch", "--fd", "0", "--lifeline", "0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode != 0


def test_the_runtime_loads_no_heavy_package(code: Code) -> None:
    source = HELLO + "import sys\nheavy = {'httpx', 'rich', 'typer', 'keyring', 'litestar'} & set(sys.modules)\n"
    ready = first(code(source + "assert not heavy, heavy\n"))
    assert isinstance(ready, frames.Ready)
