"""Mounts of a new root that is being put together, below ``new``, while the machine's own root is at ``old``."""

from __future__ import annotations

import os
import stat

from cpsl.runtime import kernel

SAFE = kernel.MS_NOSUID | kernel.MS_NODEV
READ_ONLY = SAFE | kernel.MS_RDONLY
_LOCKED = {
    os.ST_NOSUID: kernel.MS_NOSUID,
    os.ST_NODEV: kernel.MS_NODEV,
    getattr(os, "ST_NOEXEC", 8): kernel.MS_NOEXEC,
    getattr(os, "ST_NOATIME", 1024): 1024,
    getattr(os, "ST_NODIRATIME", 2048): 2048,
    getattr(os, "ST_RELATIME", 4096): 1 << 21,
}


def bind(source: str, target: str, flags: int, old: str) -> None:
    """Show a file or folder, with the mounts in it, at ``target``, which is made where it is missing. Raises OSError.

    ``flags`` are added to those that it has; 0 leaves them alone.
    """
    make_target(target, is_folder=stat.S_ISDIR(os.stat(source).st_mode))
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    if flags:
        for point in [target, *points_below(target, old)]:
            restrict(point, flags)


def make_target(target: str, *, is_folder: bool) -> None:
    """Something for a mount to cover. Raises OSError."""
    if is_folder:
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def restrict(point: str, flags: int) -> None:
    """Add ``flags``. Those that the mount has already are locked in a user namespace and must be named again."""
    has = os.statvfs(point).f_flag
    kept = sum(mount_flag for flag, mount_flag in _LOCKED.items() if has & flag)
    read_only = kernel.MS_RDONLY if has & os.ST_RDONLY else 0
    kernel.mount("none", point, None, kernel.MS_REMOUNT | kernel.MS_BIND | flags | kept | read_only)


def points_below(folder: str, old: str) -> list[str]:
    """The mount points in ``folder``, itself left out, each once, outer ones first: proc_pid_mountinfo(5), field 5."""
    with open(f"{old}/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = [_unescape(line.split()[4]) for line in table]
    return sorted({point for point in points if point.startswith(f"{folder}/")})


def tmpfs(target: str, mode: str, size: int = 0) -> None:
    """An empty folder in memory, of at most ``size`` bytes (0: half of the machine's). Raises OSError."""
    options = f"mode={mode}" + (f",size={size}" if size else "")
    kernel.mount("tmpfs", target, "tmpfs", SAFE, options)


def _unescape(path: str) -> str:
    for code, mark in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, mark)
    return path
