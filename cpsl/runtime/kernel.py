"""The few system calls of Linux that the sandbox needs and Python has no function for. See the man page of each."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
ATTR_RDONLY = 1
ATTR_NOSUID = 2
ATTR_NODEV = 4
_ATTR_IDMAP = 0x00100000
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522
# System calls younger than 2019 have one number on every architecture that Linux had then.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_SCOPES = 3  # abstract Unix sockets, signals
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "armv7l": 218, "ppc64le": 203, "s390x": 217}

_libc: ctypes.CDLL | None = None


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    _check(libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2). Raises OSError that names the target."""
    result = libc().mount(
        source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount {target}")


def unmount(target: str, flags: int) -> None:
    """umount2(2). Raises OSError."""
    _check(libc().umount2(target.encode(), ctypes.c_int(flags)), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2). Raises OSError."""
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"pivot_root is not known for {os.uname().machine}")
    syscall("pivot_root", number, new.encode(), old.encode())


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


def open_tree(path: str) -> int:
    """A copy of the mounts at and below ``path``, attached nowhere, as a descriptor: open_tree(2). Raises OSError."""
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    return syscall(f"open_tree {path}", _OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags)


def set_mount(tree: int, attributes: int, userns: int | None = None) -> None:
    """Add ``attributes`` to all mounts of a tree; with ``userns`` also map ids: mount_setattr(2). Raises OSError."""
    wanted = _MountAttributes(attributes | (_ATTR_IDMAP if userns is not None else 0), 0, 0, userns or 0)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    syscall("mount_setattr", _MOUNT_SETATTR, tree, b"", flags, ctypes.byref(wanted), ctypes.sizeof(wanted))


def restrict_mount(path: str, attributes: int) -> None:
    """Add ``attributes`` to the mount at ``path``, not to those below it: mount_setattr(2). Raises OSError."""
    wanted = _MountAttributes(attributes, 0, 0, 0)
    arguments = (_AT_FDCWD, os.fsencode(path), 0, ctypes.byref(wanted), ctypes.sizeof(wanted))
    syscall(f"mount_setattr {path}", _MOUNT_SETATTR, *arguments)


def move_mount(tree: int, target: str) -> None:
    """Attach a tree at ``target``: move_mount(2). Raises OSError that names the target."""
    number = _MOVE_MOUNT_F_EMPTY_PATH
    syscall(f"move_mount {target}", _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), number)


def sync_filesystem(path: str) -> None:
    """Return when all that was written to the filesystem of ``path`` is on the disk: syncfs(2). Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _check(libc().syncfs(ctypes.c_int(descriptor)), "syncfs")
    finally:
        os.close(descriptor)


def landlock_version() -> int:
    """Which version of Landlock the kernel has; 0 for none."""
    version = libc().syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET), None, ctypes.c_size_t(0), _LANDLOCK_CREATE_RULESET_VERSION
    )
    return max(int(version), 0)


def landlock_scope() -> None:
    """No signal and no abstract Unix socket leaves this process and its children: landlock(7), where the kernel can."""
    if landlock_version() < 6:
        return
    attributes = (ctypes.c_uint64 * 3)(0, 0, _LANDLOCK_SCOPES)
    ruleset = syscall("landlock", _LANDLOCK_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    syscall("landlock", _LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def fork() -> int:
    """fork(2) and nothing else, for a process with one thread that hardly does more than fork again or wait.

    ``os.fork`` makes Python anew in the child, which writes to memory that is shared until then.
    """
    return _check(ctypes.PyDLL(None, use_errno=True).fork(), "fork")


def no_new_privileges() -> None:
    """Set-uid programs give nothing any more: prctl(2), PR_SET_NO_NEW_PRIVS."""
    _check(prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl")


def drop_capabilities() -> None:
    """Give up all capabilities for good, also those that a program started as uid 0 would get: capabilities(7)."""
    for capability in range(64):
        if prctl(_PR_CAPBSET_DROP, capability) != 0:
            break  # EINVAL: beyond the last one of this kernel
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(libc().capset(header, nothing), "capset")


def hide_memory() -> None:
    """No other process of the same user may read this one's memory: prctl(2), PR_SET_DUMPABLE."""
    _check(prctl(_PR_SET_DUMPABLE, 0), "prctl")


def adopt_orphans() -> None:
    """Grandchildren whose parent ends become children of this process: prctl(2), PR_SET_CHILD_SUBREAPER."""
    _check(prctl(_PR_SET_CHILD_SUBREAPER, 1), "prctl")


def die_with_parent(signal: int) -> None:
    """Get ``signal`` when the parent ends: prctl(2), PR_SET_PDEATHSIG."""
    _check(prctl(_PR_SET_PDEATHSIG, signal), "prctl")


def prctl(option: int, first: int, second: object = None) -> int:
    """prctl(2), as it returns."""
    zero = ctypes.c_ulong(0)
    return int(libc().prctl(ctypes.c_int(option), ctypes.c_ulong(first), second or zero, zero, zero))


def syscall(what: str, number: int, *arguments: object) -> int:
    """syscall(2) with integers, bytes and pointers. Raises OSError that names ``what``."""
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _check(libc().syscall(ctypes.c_long(number), *passed), what)


def libc() -> ctypes.CDLL:
    """The C library of this process."""
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    return _libc


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result
