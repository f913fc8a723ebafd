"""A forked runtime's own surroundings: its processes, its temporary files, its memory, apart from every other user's.

The zygote forks, the child goes into new namespaces and forks the *init* of the runtime, process 1 in there, whose
child runs the app. When the init ends, the kernel ends all that the app has started. The init tells the host how it
stands over the runtime's life line: first a descriptor of itself, by which the host may watch and end it; then, after
the host had the time to put it under its limits, how the app's process ended.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from contextlib import suppress
from typing import NoReturn

from cpsl.errors import DeployFailed
from cpsl.runtime import ids, kernel, sandbox
from cpsl.runtime.describe import broken
from cpsl.runtime.privileges import confine
from cpsl.wire import frames

_NEW = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
)  # fmt: skip
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NPROC: 256,
    resource.RLIMIT_NOFILE: 4096,
    resource.RLIMIT_FSIZE: 5 * 1024**3,
}
"""Most processes, open files, and bytes in one file of a runtime; no core dumps."""


def fork_into_sandbox(link: socket.socket, life: socket.socket) -> bool:
    """Fork a runtime into namespaces of its own; True in the process that is to run the app."""
    uid, gid = os.getuid(), os.getgid()
    child = kernel.fork()
    if child:
        with suppress(ChildProcessError):  # an app that ignores SIGCHLD has its children reaped by the kernel
            os.waitpid(child, 0)
        return False
    try:
        kernel.unshare(_NEW)
        ids.deny_groups("self")
        ids.map_ids("self", uid, uid, gid)
        sandbox.scratch()
        if kernel.fork():
            os._exit(0)
        sandbox.processes()
        confine(may_make_namespaces=False)
        _announce(life)
        worker = os.fork()
    except OSError as error:
        _refuse(link, error)
    if worker:
        _be_init(worker, life)
    life.close()
    limit()
    return True


def fork_plainly(life: socket.socket) -> bool:
    """Fork a runtime without a sandbox; True in the process that is to run the app."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # those that ended since the last fork
    if os.fork():
        return False
    os.setsid()
    _announce(life)
    return True


def stay(life: socket.socket, *, is_confined: bool) -> None:
    """Make the calling process itself the runtime: it has a sandbox to itself already, or none at all."""
    if is_confined:
        confine(may_make_namespaces=False)
        limit()
    _announce(life)


def limit() -> None:
    """Set the limits that the kernel counts by process and user."""
    for kind, most in _LIMITS.items():
        hard = resource.getrlimit(kind)[1]
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (wanted, wanted))


def _announce(life: socket.socket) -> None:
    itself = os.pidfd_open(os.getpid())
    socket.send_fds(life, [b"pid"], [itself])
    os.close(itself)
    life.recv(1)  # the host has put the process under its limits: what is forked from now on is under them too


def _be_init(worker: int, life: socket.socket) -> NoReturn:
    """Reap, until the app's process ends; then end, and all others with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whatever the app has made of it
    kernel.hide_memory()
    os.closerange(0, life.fileno())
    os.closerange(life.fileno() + 1, 1024)
    while True:
        child, status = os.wait()
        if child == worker:
            life.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)


def _refuse(link: socket.socket, error: OSError) -> NoReturn:
    what = f"{error.filename}: " if error.filename else ""
    failure = DeployFailed(f"A runtime could not be isolated: {what}{error.strerror}", code="sandbox_unavailable")
    link.sendall(frames.encode(broken(failure)))
    os._exit(1)
