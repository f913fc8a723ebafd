"""System calls that no app needs and that have been ways out of sandboxes: refused with EPERM. See seccomp(2).

A deny-list, as container engines have it, in classic BPF (the kernel's documentation, userspace-api/seccomp_filter).
Two strengths: a zygote still has to make namespaces for the runtimes that it forks; a runtime has not.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator

from cpsl.runtime import kernel

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000  # | errno
_KILL = 0x80000000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24  # offsets in struct seccomp_data
_X32 = 0x40000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_NAMESPACES = 0x7E020080  # all CLONE_NEW* flags

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALWAYS = {
    "x86_64": {
        "ptrace": 101, "syslog": 103, "uselib": 134, "ustat": 136, "sysfs": 139, "vhangup": 153, "modify_ldt": 154,
        "_sysctl": 156, "adjtimex": 159, "acct": 163, "settimeofday": 164, "swapon": 167, "swapoff": 168,
        "reboot": 169, "iopl": 172, "ioperm": 173, "create_module": 174, "init_module": 175, "delete_module": 176,
        "get_kernel_syms": 177, "query_module": 178, "quotactl": 179, "nfsservctl": 180, "clock_settime": 227,
        "mbind": 237, "set_mempolicy": 238, "migrate_pages": 256, "kexec_load": 246, "add_key": 248,
        "request_key": 249, "keyctl": 250, "move_pages": 279, "perf_event_open": 298, "name_to_handle_at": 303,
        "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320, "bpf": 321,
        "userfaultfd": 323,
    },
    "aarch64": {
        "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268, "kcmp": 272,
        "finit_module": 273, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294, "quotactl": 60, "acct": 89,
        "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116,
        "ptrace": 117, "reboot": 142, "settimeofday": 170, "adjtimex": 171, "add_key": 217, "request_key": 218,
        "keyctl": 219, "swapon": 224, "swapoff": 225, "mbind": 235, "set_mempolicy": 237, "migrate_pages": 238,
        "move_pages": 239, "perf_event_open": 241, "process_vm_readv": 270, "process_vm_writev": 271, "vhangup": 58,
    },
}  # fmt: skip
_SINCE_2019 = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "pidfd_getfd": 438,
               "process_madvise": 440, "quotactl_fd": 443}  # fmt: skip
_MAKING_NAMESPACES = {
    "x86_64": {"pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166, "unshare": 272},
    "aarch64": {"umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "unshare": 97},
}
_NEW_MOUNTS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
               "mount_setattr": 442, "open_tree_attr": 467}  # fmt: skip
_CALLS = {"x86_64": {"clone": 56, "ioctl": 16}, "aarch64": {"clone": 220, "ioctl": 29}}
_CLONE3 = 435


def is_known(machine: str) -> bool:
    """Whether there is a filter for this architecture."""
    return machine in _AUDIT


def restrict(*, may_make_namespaces: bool) -> None:
    """Filter the system calls of this process and all that it starts. Needs no_new_privileges. Raises OSError."""
    machine = os.uname().machine
    if not is_known(machine):
        raise OSError(_ENOSYS, "no system call filter is known for this architecture", machine)
    program = b"".join(_program(machine, may_make_namespaces))
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = _Program(len(program) // 8, ctypes.addressof(code))
    if kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "seccomp")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _program(machine: str, may_make_namespaces: bool) -> Iterator[bytes]:
    yield _step(_LOAD, _ARCHITECTURE)
    yield from _unless(_EQUAL, _AUDIT[machine], _KILL)
    yield _step(_LOAD, _NUMBER)
    if machine == "x86_64":
        yield from _when(_AT_LEAST, _X32, _REFUSE | _EPERM)
    refused = [*_ALWAYS[machine].values(), *_SINCE_2019.values()]
    if not may_make_namespaces:
        refused += [*_MAKING_NAMESPACES[machine].values(), *_NEW_MOUNTS.values()]
    for number in refused:
        yield from _when(_EQUAL, number, _REFUSE | _EPERM)
    calls = _CALLS[machine]
    yield from _with_argument(calls["ioctl"], _ARGUMENT_1, ((_EQUAL, _TIOCSTI), (_EQUAL, _TIOCLINUX)))
    if not may_make_namespaces:
        # Its flags lie in memory, where no filter can see them; without it the C library uses clone.
        yield from _when(_EQUAL, _CLONE3, _REFUSE | _ENOSYS)
        yield from _with_argument(calls["clone"], _ARGUMENT_0, ((_ANY_BIT, _NAMESPACES),))
    yield _step(_RETURN, _ALLOW)


def _with_argument(number: int, argument: int, tests: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Refuse a system call whose argument fits one of the tests."""
    steps = [_step(_LOAD, argument)]
    for test in tests:
        steps += _when(*test, _REFUSE | _EPERM)
    yield _step(_EQUAL, number, 0, len(steps) + 1)
    yield from steps
    yield _step(_LOAD, _NUMBER)


def _when(test: int, value: int, verdict: int) -> list[bytes]:
    return [_step(test, value, 0, 1), _step(_RETURN, verdict)]


def _unless(test: int, value: int, verdict: int) -> list[bytes]:
    return [_step(test, value, 1, 0), _step(_RETURN, verdict)]


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    """One ``struct sock_filter``: jumps count the steps that are passed over."""
    return struct.pack("HBBI", code, if_so, if_not, value)
