"""Watches what no limit of the kernel stops: memory where there are no control groups, and a disk that fills up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cpsl.engine.local.process import RuntimeProcess

_PAUSE_SECONDS = 0.25
_KIB = 1024
_RESERVE_BYTES = 1024**3
_RESERVE_SHARE = 0.02


class Supervisor:
    """Looks at ``runtimes`` four times a second. ``disk`` is the folder whose file system must not run full."""

    def __init__(self, runtimes: Callable[[], Iterable[RuntimeProcess]], disk: Path) -> None:
        self._runtimes = runtimes
        self._disk = disk
        self._written: dict[int, int] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            runtimes = [runtime for runtime in self._runtimes() if runtime.life.pid]
            for runtime in runtimes:
                if not runtime.cgroup.limits_memory and _takes_over(runtime.life.pid, runtime.memory * 1024 * _KIB):
                    runtime.is_over_memory = True
                    runtime.life.kill()
            if _is_short_of_space(self._disk):
                self._stop_the_busiest_writer(runtimes)

    def _stop_the_busiest_writer(self, runtimes: list[RuntimeProcess]) -> None:
        """End the one that wrote most since the last look: it is the one that fills the disk."""
        before, self._written = self._written, {each.life.pid: bytes_written(each.life.pid) for each in runtimes}
        grown = {pid: written - before.get(pid, written) for pid, written in self._written.items()}
        busiest = max(runtimes, key=lambda runtime: grown[runtime.life.pid], default=None)
        if busiest is not None and grown[busiest.life.pid] > 0:
            busiest.has_filled_disk = True
            busiest.life.kill()


def processes_of(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from processes_of(int(child))


def private_bytes(pid: int) -> int:
    """Memory that a process shares with no other."""
    rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    return sum(rollup.get(name, 0) for name in ("Private_Clean", "Private_Dirty", "Swap")) * _KIB


def bytes_written(pid: int) -> int:
    """What a process and all that it has started have sent to disks so far."""
    return sum(_fields(Path(f"/proc/{each}/io")).get("write_bytes", 0) for each in processes_of(pid))


def _takes_over(pid: int, limit: int) -> bool:
    """Whether a process and its children take more than ``limit`` bytes. Looks closely only where it may be so."""
    found = list(processes_of(pid))
    if sum(map(_resident_bytes, found)) <= limit:
        return False
    return sum(map(private_bytes, found)) > limit


def _resident_bytes(pid: int) -> int:
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return 0


def _is_short_of_space(folder: Path) -> bool:
    disk = os.statvfs(folder)
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    return free < min(_RESERVE_BYTES, total * _RESERVE_SHARE)


def _fields(file: Path) -> dict[str, int]:
    """``Name: number …`` lines, of a process that may be gone."""
    found = {}
    with suppress(OSError):
        for line in file.read_text().splitlines():
            name, _, rest = line.partition(":")
            if rest.split() and rest.split()[0].isdigit():
                found[name] = int(rest.split()[0])
    return found
