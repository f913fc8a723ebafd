"""The processes that a gateway has started, seen from outside."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path


def descendants(pid: int) -> set[int]:
    """All that a process has started, and what those have started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for child, parent in (map(int, line.split()) for line in listed.splitlines()):
        children.setdefault(parent, []).append(child)
    found, waiting = set[int](), [pid]
    while waiting:
        new = children.get(waiting.pop(), [])
        found.update(new)
        waiting += new
    return found


def running_apps(gateway: int) -> set[int]:
    """Those that run the code of an app: zygotes, and what was forked from them."""
    return {pid for pid in descendants(gateway) if b"--zygote" in command(pid)}


def zygotes(gateway: int) -> set[int]:
    """The processes that runtimes are forked from: the only ones that have never been forked from their like."""
    apps = running_apps(gateway)
    eldest: dict[int, int] = {}
    for pid in sorted(apps):
        eldest.setdefault(_parent(pid), pid)
    return {pid for parent, pid in eldest.items() if parent not in apps}


def command(pid: int) -> bytes:
    """The command line of a process; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def are_gone(pids: Iterable[int]) -> bool:
    """Whether none of these processes lives, after a moment to end in. One that nobody has reaped yet is gone."""
    left = set(pids)
    return eventually(lambda: not any(_state(pid) not in ("", "Z") for pid in left))


def eventually(holds: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether it comes to hold."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
