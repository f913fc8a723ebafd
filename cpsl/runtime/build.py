"""``python -m cpsl.runtime --build``: one image, from a plan on stdin.

Three processes come of it, as for a runtime. This one stays outside: it prepares the folder, writes the id maps, waits,
and puts the result in order. The next one makes namespaces and the root in them. Its child, process 1 in there, unpacks
Debian packages and runs the steps. When one of them ends, so do those after it, and with process 1 all that a step
started; after SIGTERM the one outside ends when they have. Where the gateway is root, those inside are not.
"""

from __future__ import annotations

import os
import resource
import shlex
import signal
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from typing import NoReturn

import msgspec

from cpsl.errors import DeployFailed
from cpsl.runtime import kernel
from cpsl.runtime.build_root import BuildRoot
from cpsl.runtime.ids import UNUSED_IDS, deny_groups, map_ids, owner_as
from cpsl.runtime.privileges import confine
from cpsl.wire.builds import BuildEnded, BuildPlan, BuildStep

_FILE_BYTES = 16 * 1024**3
_NICENESS = 10
_NAMESPACES = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
)  # fmt: skip
_MOST_TREES = 250


def build(out: int) -> int:
    """Read a ``BuildPlan`` from stdin, build, write a ``BuildEnded`` to the file descriptor ``out``.

    What the steps print goes to stdout and stderr. Returns the exit status.
    """
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=BuildPlan)
    os.umask(0o022)
    ended = _build(plan)
    os.write(out, msgspec.json.encode(ended))
    return 0 if ended.is_done else 1


def _build(plan: BuildPlan) -> BuildEnded:
    kernel.adopt_orphans()
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != plan.parent:  # it ended before that
        os._exit(1)
    unused = UNUSED_IDS + os.getpid() % 100_000_000
    try:
        root = BuildRoot(plan, owner_as(unused) if os.geteuid() == 0 else None)
        root.prepare()
        ended = _Inside(plan, root, unused).wait()
        if ended.is_done:
            root.leave()
            _put_in_order(plan.folder)
    except OSError as error:
        return BuildEnded(problem=_why(error))
    return ended


class _Inside:
    """The processes in the namespaces, seen from outside."""

    def __init__(self, plan: BuildPlan, root: BuildRoot, unused: int) -> None:
        self._plan, self._root, self._unused = plan, root, unused
        self._is_root = os.geteuid() == 0
        self._outside, inside = socket.socketpair()
        answer, self._told = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            self._outside.close()
            self._make_root(inside)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(self._child, signal.SIGKILL))
        inside.close()
        os.close(self._told)
        self._answer = answer

    def wait(self) -> BuildEnded:
        """How it went, when they all have ended. Raises OSError."""
        if self._outside.recv(1):  # else it failed, and says so
            self._map_ids()
        with os.fdopen(self._answer, "rb") as reading:
            text = reading.read()
        with suppress(ChildProcessError):
            while True:
                os.wait()
        return msgspec.json.decode(text, type=BuildEnded) if text else BuildEnded(problem="it was killed")

    def _map_ids(self) -> None:
        """Give the child its one id, and the copies of mounts that only root may make."""
        trees: list[int] = []
        if self._is_root:
            map_ids(self._child, 0, self._unused, self._unused)
            trees = self._root.trees()
        else:
            deny_groups(self._child)
            map_ids(self._child, 0, os.geteuid(), os.getegid())
        socket.send_fds(self._outside, [b"!"], trees)
        self._outside.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _make_root(self, inside: socket.socket) -> NoReturn:
        try:
            self._enter_namespaces(inside)
        except OSError as error:
            self._leave(BuildEnded(problem=_why(error), is_refused=True))
        first = os.fork()
        if first == 0:
            kernel.die_with_parent(signal.SIGKILL)
            self._leave(self._be_the_first_process())
        os.close(self._told)
        os.waitpid(first, 0)
        os._exit(0)

    def _enter_namespaces(self, inside: socket.socket) -> None:
        kernel.unshare(_NAMESPACES)
        inside.send(b"?")
        answer, trees, _, _ = socket.recv_fds(inside, 1, _MOST_TREES)
        if not answer:
            raise OSError("the ids could not be mapped")
        if self._is_root:
            os.setgroups([])
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
        kernel.die_with_parent(signal.SIGKILL)
        self._root.build(trees or self._root.trees())

    def _be_the_first_process(self) -> BuildEnded:
        try:
            self._root.unpack()
        except OSError as error:
            return BuildEnded(problem=_why(error))
        except DeployFailed as error:
            return BuildEnded(problem=error.message)
        try:
            self._root.enter()
            confine(may_make_namespaces=False)
        except OSError as error:
            return BuildEnded(problem=_why(error), is_refused=True)
        return _run(self._plan)

    def _leave(self, ended: BuildEnded) -> NoReturn:
        os.write(self._told, msgspec.json.encode(ended))
        os._exit(0)


def _run(plan: BuildPlan) -> BuildEnded:
    os.nice(_NICENESS)
    _limit(resource.RLIMIT_DATA, plan.memory_bytes)
    _limit(resource.RLIMIT_NPROC, plan.processes)
    _limit(resource.RLIMIT_FSIZE, _FILE_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    for number, step in enumerate(plan.steps):
        _say(f"--- {step.title}")
        status = _status(step, plan.environment)
        if status != 0:
            return BuildEnded(step=number, status=status)
    return BuildEnded(is_done=True)


def _status(step: BuildStep, environment: dict[str, str]) -> int:
    try:
        return subprocess.run(
            step.argv, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False
        ).returncode
    except OSError as error:
        _say(f"{shlex.join(step.argv)}: {error.strerror}")
        return 127


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (limit, limit))


def _put_in_order(folder: str) -> None:
    """All of the image readable by everyone who sees it, and on the disk."""
    for name in ("root", "venv"):
        for path, folders, files in os.walk(f"{folder}/{name}"):
            for entry in (path, *(f"{path}/{each}" for each in (*folders, *files))):
                _make_readable(entry)
    kernel.sync_filesystem(folder)


def _make_readable(path: str) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        wanted = (mode & 0o755) | (0o555 if mode & 0o100 or stat.S_ISDIR(mode) else 0o444)
        if wanted != stat.S_IMODE(mode):
            os.chmod(path, wanted)


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _why(error: OSError) -> str:
    return f"{error.filename or 'a system call'}: {error.strerror or error}"
