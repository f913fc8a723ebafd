"""The project of an app on this machine: where its entry is, and what the app in it declares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from cpsl.client.operations import Flow, Ran, Run
from cpsl.errors import CapsuleError, DeployFailed, EntryPointError, GatewayTimeout, NotFound
from cpsl.wire.apps import AppSpec
from cpsl.wire.frames import Broken


class Entry(NamedTuple):
    """``folder/app.py:app`` taken apart: ``root`` is the project, ``name`` the entry as seen from there."""

    root: Path
    name: str


def split(entry: str, hint: str = "Like: app.py:app") -> Entry:
    """Take ``FILE.py:SYMBOL`` apart. Raises EntryPointError, or NotFound if there is no such file.

    The project is the folder that FILE is in, as the published command had it.
    """
    file, colon, symbol = entry.rpartition(":")
    if not colon or not file or not symbol:
        raise EntryPointError(f"{entry!r} is not FILE.py:SYMBOL", hint=hint)
    if not symbol.isidentifier():
        raise EntryPointError(f"{symbol!r} in {entry!r} is not the name of a variable", hint=hint)
    path = Path(file if file.endswith(".py") else f"{file}.py").expanduser()
    if not path.is_file():
        raise NotFound(_not_there(file, path), code="file_not_found", hint=_nearest(file, symbol) or hint)
    return Entry(path.parent.resolve(), f"{path.name}:{symbol}")


def _not_there(file: str, path: Path) -> str:
    given = Path(file).expanduser()
    if given.is_dir():
        return f"{file} is a folder"
    return f"{file} is no Python file" if given.is_file() else f"There is no file {path}"


def _nearest(file: str, symbol: str) -> str | None:
    """What may be meant: the file in a folder, or of a module as ``uvicorn`` takes it."""
    given = Path(file)
    for near in (given / "app.py", given / "main.py", Path(f"{file.replace('.', '/')}.py")):
        if near.is_file():
            return f"Did you mean {near}:{symbol} ?"
    return None


def described(entry: Entry, seconds: float | None = None) -> Flow[AppSpec]:
    """What the app declares, learned by importing it in a process of its own, so that its code never runs in ours.

    What it prints goes to stderr. Raises DeployFailed with the app's own traceback when the import fails,
    EntryPointError or NotFound when the symbol is not an app, GatewayTimeout after so many ``seconds``.
    """
    argv = (sys.executable, "-m", "cpsl.runtime", "--describe", entry.name)
    done: Ran | None = yield Run(argv, entry.root, seconds)
    if done is None:
        raise GatewayTimeout(f"Importing {entry.name} took longer than the whole deploy may", code="timeout")
    last = done.output.strip().rpartition(b"\n")[2]
    try:
        if done.status == 0:
            return msgspec.json.decode(last, type=AppSpec)
        raise _error(msgspec.json.decode(last, type=Broken))
    except msgspec.DecodeError:
        raise DeployFailed(
            f"Importing {entry.name} ended the process with exit code {done.status}", code="import_failed"
        ) from None


def _error(broken: Broken) -> CapsuleError:
    if broken.code == "symbol_missing":
        return NotFound(broken.message, code=broken.code, hint=broken.hint)
    if broken.code in ("invalid_entry_point", "not_an_app"):
        return EntryPointError(broken.message, code=broken.code, hint=broken.hint)
    return DeployFailed(broken.message, code=broken.code, hint=broken.hint, traceback=broken.traceback)
