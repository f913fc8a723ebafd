"""The few system calls of Linux that the sandbox needs and Python has no function for. See the man page of each."""

from __future__ import annotations

import ctypes
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAPBSET_DROP = 24
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "armv7l": 218, "ppc64le": 203, "s390x": 217}
_CAPABILITY_VERSION = 0x20080522

_libc: ctypes.CDLL | None = None


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    _check(_c().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2). Raises OSError that names the target."""
    result = _c().mount(
        source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount {target}")


def unmount(target: str, flags: int) -> None:
    """umount2(2). Raises OSError."""
    _check(_c().umount2(target.encode(), ctypes.c_int(flags)), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2). Raises OSError."""
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"pivot_root is not known for {os.uname().machine}")
    _check(_c().syscall(ctypes.c_long(number), new.encode(), old.encode()), "pivot_root")


def no_new_privileges() -> None:
    """Set-uid programs give nothing any more: prctl(2), PR_SET_NO_NEW_PRIVS."""
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl")


def die_with_parent() -> None:
    """Be killed when the parent ends: prctl(2), PR_SET_PDEATHSIG. What changes capabilities undoes it."""
    _check(_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")


def sync_filesystem(path: str) -> None:
    """Return when all that was written to the filesystem of ``path`` is on the disk: syncfs(2)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _check(_c().syncfs(ctypes.c_int(descriptor)), "syncfs")
    finally:
        os.close(descriptor)


def drop_capabilities() -> None:
    """Give up all capabilities for good, also those that a program started as uid 0 would get: capabilities(7)."""
    for capability in range(64):
        if _prctl(_PR_CAPBSET_DROP, capability) != 0:
            break  # EINVAL: beyond the last one of this kernel
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_c().capset(header, nothing), "capset")


def _prctl(option: int, value: int) -> int:
    zero = ctypes.c_ulong(0)
    return int(_c().prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero))


def _c() -> ctypes.CDLL:
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    return _libc


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
