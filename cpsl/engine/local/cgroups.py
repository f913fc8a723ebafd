"""Limits to memory, CPU and processes by control groups, version 2 or 1, where this process may make some.

See https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html. Where there are none, what ``create``
gives limits nothing, and ``supervision`` watches instead.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("cpsl.engine")
CONTROLLERS = ("memory", "cpu", "pids")
_PERIOD_US = 100_000
_MIB = 1024 * 1024
_CROWDED = 0.9
Settings = dict[str, dict[str, str]]
"""Controller to file to what is written into it."""


class Cgroup:
    """One group: a folder in each hierarchy, and its limits."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    def add(self, pid: int) -> None:
        """Put a process into it; what it starts from now on is in it too. Raises OSError."""
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(pid))

    @property
    def limits_memory(self) -> bool:
        """Whether the kernel itself ends what takes too much memory."""
        return "memory" in self._folders

    @property
    def was_out_of_memory(self) -> bool:
        """Whether the kernel has ended something in it for its memory."""
        folder = self._folders.get("memory")
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                if folder is not None:
                    return _number((folder / name).read_text(), "oom_kill") > 0
        return False

    @property
    def is_crowded(self) -> bool:
        """Whether hardly another process could be started in it."""
        folder = self._folders.get("pids")
        with suppress(OSError, ValueError):
            if folder is not None:
                now, most = (int((folder / name).read_text()) for name in ("pids.current", "pids.max"))
                return now > most * _CROWDED
        return False

    def remove(self) -> None:
        """End what is still in it, and remove it. What does not end at once is left for the next start to sweep."""
        for folder in set(self._folders.values()):
            _remove(folder)


class Cgroups:
    """Where this process may make groups: ``version`` 2, 1, or 0 for nowhere."""

    def __init__(self, version: int, bases: Mapping[str, Path]) -> None:
        self.version = version
        self.controllers = tuple(bases)
        self._bases = bases

    @classmethod
    def of_this_process(cls, root: Path = Path("/sys/fs/cgroup")) -> Cgroups:
        """Look at the machine; makes a folder to hold the groups in each hierarchy that lets it."""
        if unified := _unified(root):
            return cls(2, unified)
        separate = _separate(root)
        return cls(1 if separate else 0, separate)

    def create(self, name: str, *, memory: int, cpu: float, pids: int) -> Cgroup:
        """A new group. ``memory`` in MiB, ``cpu`` in cores (0: no limit), ``pids`` the most processes at once."""
        settings = (_settings_v2 if self.version == 2 else _settings_v1)(memory, cpu, pids)
        made: dict[str, Path] = {}
        for controller, base in self._bases.items():
            try:
                folder = base / name
                folder.mkdir(exist_ok=True)
                for file, value in settings[controller].items():
                    _set(folder / file, value)
                made[controller] = folder
            except OSError as error:
                log.warning("no limit to the %s of %s: %s", controller, name, error)
        return Cgroup(made)

    def close(self) -> None:
        """Remove the folders that held the groups."""
        for base in set(self._bases.values()):
            for group in [*base.glob("*/"), base]:
                _remove(group)


def _settings_v2(memory: int, cpu: float, pids: int) -> Settings:
    quota = int(cpu * _PERIOD_US)
    return {
        "memory": {"memory.max": str(memory * _MIB), "memory.swap.max": "0", "memory.oom.group": "1"},
        "cpu": {"cpu.max": f"{quota} {_PERIOD_US}", "cpu.max.burst": str(quota)} if cpu else {},
        "pids": {"pids.max": str(pids)},
    }


def _settings_v1(memory: int, cpu: float, pids: int) -> Settings:
    quota = int(cpu * _PERIOD_US)
    return {
        "memory": {"memory.limit_in_bytes": str(memory * _MIB), "memory.memsw.limit_in_bytes": str(memory * _MIB)},
        "cpu": {
            "cpu.cfs_period_us": str(_PERIOD_US),
            "cpu.cfs_quota_us": str(quota),
            "cpu.cfs_burst_us": str(quota),
        }
        if cpu
        else {},
        "pids": {"pids.max": str(pids)},
    }


def _set(file: Path, value: str) -> None:
    if file.exists():  # swap, bursts and killing a group as one are not everywhere
        file.write_text(value)


def _separate(root: Path) -> dict[str, Path]:
    """Version 1: a folder of our own below where this process is, in each hierarchy that it may write to."""
    bases = {}
    for controller, path in _own_groups().items():
        top = root / controller / path.lstrip("/")
        if controller in CONTROLLERS and _made(top / _name()):
            bases[controller] = top / _name()
            _sweep(top)
    return bases


def _unified(root: Path) -> dict[str, Path]:
    """Version 2: below where this process is, if that is its own; else at the top, for root."""
    own = _own_groups().get("")
    for top in dict.fromkeys((root / (own or "").lstrip("/"), root)):
        try:
            offered = [name for name in CONTROLLERS if name in (top / "cgroup.controllers").read_text().split()]
            if offered and (top == root or _stepped_aside(top)):
                _hand_on(top, top / _name(), offered)
                _sweep(top)
                return dict.fromkeys(offered, top / _name())
        except OSError:
            continue
    return {}


def _stepped_aside(top: Path) -> bool:
    """Only groups without processes may hand controllers on: this process moves into one below, if it is alone."""
    if (top / "cgroup.procs").read_text().split() != [str(os.getpid())]:
        return False
    (top / "capsule-gateway").mkdir(exist_ok=True)
    (top / "capsule-gateway" / "cgroup.procs").write_text(str(os.getpid()))
    return True


def _hand_on(top: Path, base: Path, controllers: list[str]) -> None:
    base.mkdir(exist_ok=True)
    for folder in (top, base):
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def _sweep(top: Path) -> None:
    """Remove the groups of gateways that were killed. Others may be at it too."""
    for base in list(top.glob("capsule-[0-9]*")):
        if not Path("/proc", base.name.partition("-")[2]).exists():
            for group in [*base.glob("*/"), base]:
                _remove(group)


def _remove(group: Path) -> None:
    with suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    with suppress(OSError):
        group.rmdir()


def _own_groups() -> dict[str, str]:
    """Controller (empty for version 2) to the group of this process: cgroups(7), /proc/pid/cgroup."""
    groups: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            groups |= dict.fromkeys(controllers.split(","), path)
    return groups


def _made(base: Path) -> bool:
    try:
        base.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(base, os.W_OK)


def _name() -> str:
    return f"capsule-{os.getpid()}"


def _number(text: str, name: str) -> int:
    words = text.split()
    return int(words[words.index(name) + 1]) if name in words else 0
