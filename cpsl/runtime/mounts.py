"""Mounts of a root that is being put together, by a process that may do so in its mount namespace."""

from __future__ import annotations

import os
import stat

from cpsl.runtime import kernel

_MOST_FILES = 100_000
READ_ONLY = kernel.ATTR_NOSUID | kernel.ATTR_NODEV | kernel.ATTR_RDONLY


def bind(source: str, target: str, attributes: int = READ_ONLY) -> None:
    """Show a file or folder, with the mounts in it, at ``target``, which is made if need be. Raises OSError."""
    tree = kernel.open_tree(source)
    kernel.set_mount(tree, attributes)
    attach(tree, target)


def attach(tree: int, target: str) -> None:
    """Hang a detached tree in at ``target``, which is made where it is missing, and close it. Raises OSError."""
    if stat.S_ISDIR(os.stat(tree).st_mode):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    kernel.move_mount(tree, target)
    os.close(tree)


def tmpfs(target: str, mode: str, size: int = 0) -> None:
    """An empty folder in memory, of at most ``size`` bytes (0: half of the machine's). Raises OSError."""
    options = f"mode={mode}" + (f",size={size},nr_inodes={_MOST_FILES}" if size else "")
    kernel.mount("tmpfs", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def become_root(folder: str) -> None:
    """Make ``folder``, a mount, the root, to be read only, with no way back to the old one. Raises OSError."""
    kernel.restrict_mount(folder, kernel.ATTR_RDONLY)
    os.chdir(folder)
    kernel.pivot_root(".", ".")
    kernel.unmount(".", kernel.MNT_DETACH)  # the old root, now stacked on the new one: pivot_root(2), NOTES


def points_below(folder: str) -> list[str]:
    """The mount points in ``folder``, itself left out, each once, outer ones first: proc_pid_mountinfo(5), field 5."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = {_unescape(line.split()[4]) for line in table}
    below = sorted(point for point in points if point.startswith(f"{folder}/"))
    return [point for point in below if not any(point.startswith(f"{outer}/") for outer in below)]


def _unescape(path: str) -> str:
    for code, mark in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, mark)
    return path
