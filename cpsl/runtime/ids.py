"""Users and groups in a user namespace: user_namespaces(7)."""

from __future__ import annotations

import os
import signal

from cpsl.runtime import kernel

UNUSED_IDS = 1_900_000_000
"""Ids from here on own nothing on any machine: beyond those of people, services and containers."""


def owner_as(shown: int) -> int:
    """A user namespace, as a descriptor, in which what belongs to this process's user belongs to the id ``shown``."""
    ready, wake = os.pipe()
    child = os.fork()
    if child == 0:
        kernel.unshare(kernel.CLONE_NEWUSER)
        os.write(wake, b"!")
        signal.pause()
    os.read(ready, 1)
    try:
        map_ids(child, os.getuid(), shown, shown)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def map_ids(process: int | str, inside: int, uid: int, gid: int) -> None:
    """Show one user and one group of the machine as the id ``inside`` in the namespace of a process, or of ``self``."""
    _write(f"/proc/{process}/uid_map", f"{inside} {uid} 1")
    _write(f"/proc/{process}/gid_map", f"{inside} {gid} 1")


def deny_groups(process: int | str) -> None:
    """Give up choosing groups: without it an unprivileged process may not map one."""
    _write(f"/proc/{process}/setgroups", "deny")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
