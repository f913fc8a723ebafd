"""``python -m cpsl.runtime --build``: one image, from a plan on stdin.

Two processes: this one unpacks Debian packages, waits, and puts the result in order; its child, the first process of a
namespace of its own, enters the build's root and runs the steps there. When one of them ends, so does the other, and
with the child all that a step started; after SIGTERM this one ends when they have. Neither has any capability outside
of its user namespace.
"""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from typing import NoReturn

import msgspec

from cpsl.errors import DeployFailed
from cpsl.runtime import kernel
from cpsl.runtime.build_root import BuildRoot
from cpsl.runtime.unpack import unpack
from cpsl.wire.builds import BuildEnded, BuildPlan, BuildStep

_FILE_BYTES = 16 * 1024**3
_NICENESS = 10
_NAMESPACES = kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS


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
    try:
        _own_namespace(plan.parent)
    except OSError as error:
        return BuildEnded(problem=_why(error), is_refused=True)
    root = BuildRoot(plan)
    try:
        unpack(plan.packages, f"{plan.folder}/root")
        root.prepare()
        ended = _inside(plan, root)
        if ended.is_done:
            root.leave()
            _put_in_order(plan.folder)
    except (OSError, DeployFailed) as error:
        return BuildEnded(problem=_why(error) if isinstance(error, OSError) else error.message)
    return ended


def _own_namespace(parent: int) -> None:
    """A user namespace in which this user is root."""
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")  # without it an unprivileged process may not map a group
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")
    kernel.die_with_parent()
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


def _inside(plan: BuildPlan, root: BuildRoot) -> BuildEnded:
    kernel.unshare(kernel.CLONE_NEWPID)
    answer, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(answer)
        _be_the_first_process(plan, root, told)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    os.close(told)
    with os.fdopen(answer, "rb") as reading:
        text = reading.read()
    os.waitpid(child, 0)
    return msgspec.json.decode(text, type=BuildEnded) if text else BuildEnded(problem="it was killed")


def _be_the_first_process(plan: BuildPlan, root: BuildRoot, told: int) -> NoReturn:
    ended = BuildEnded(problem="it failed")
    try:
        kernel.die_with_parent()
        ended = _enter(root) or _run(plan)
    finally:
        os.write(told, msgspec.json.encode(ended))
        os._exit(0)


def _enter(root: BuildRoot) -> BuildEnded | None:
    try:
        kernel.unshare(_NAMESPACES)
        root.enter()
        kernel.no_new_privileges()
        kernel.drop_capabilities()
    except OSError as error:
        return BuildEnded(problem=_why(error), is_refused=True)
    return None


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
    """Nothing of the build left, all of the image readable by everyone who sees it, and on the disk."""
    shutil.rmtree(f"{folder}/work")
    shutil.rmtree(f"{folder}/scratch")
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


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
