"""A root of its own for the process: the system's programs and Python to read, the app's code to read, its mounts to
write, and nothing else of the machine.

``plan`` says what there will be; ``enter`` makes it so for the calling process, which must have one thread. The way is
that of bubblewrap (https://github.com/containers/bubblewrap): a user and a mount namespace, a tmpfs to stand on with
the old root below it, a second tmpfs that becomes the new root, and the old one unmounted.

Where the kernel refuses, ``enter`` raises: it never goes on with less. (Process, IPC and network namespaces, limits
and system-call filters are not part of it.)
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cpsl.errors import DeployFailed
from cpsl.runtime import kernel
from cpsl.wire.frames import Mount

CODE = "/app"
HOME = "/home/app"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_CONFIGURATION = (
    "alternatives", "ca-certificates", "fonts", "gai.conf", "host.conf", "hosts", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release", "pki", "protocols", "resolv.conf",
    "services", "ssl", "timezone",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_STAGE = "/tmp"  # noqa: S108 - only a place to stand on while the roots change; every Linux has it
_OLD = "/old"
_NEW = "/new"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a fresh one of the app's own
_PRIVATE_FOLDER_BYTES = 256 * 1024 * 1024
_LOCKED = {
    os.ST_NOSUID: kernel.MS_NOSUID,
    os.ST_NODEV: kernel.MS_NODEV,
    getattr(os, "ST_NOEXEC", 8): 8,
    getattr(os, "ST_NOATIME", 1024): 1024,
    getattr(os, "ST_NODIRATIME", 2048): 2048,
    getattr(os, "ST_RELATIME", 4096): 1 << 21,
}


@dataclass(frozen=True)
class Bind:
    """What lies at ``source`` outside will be at ``target`` inside."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Plan:
    """All that the new root will have. Sources are real paths, without links on the way."""

    binds: list[Bind]
    links: dict[str, str] = field(default_factory=dict)
    uid: int = 0
    gid: int = 0


def plan(code_dir: str, mounts: Iterable[Mount]) -> Plan:
    """What a runtime needs: the system, this Python, the code at ``/app``, and ``mounts``.

    Raises DeployFailed (code ``mount_missing``) when the folder behind a mount does not exist.
    """
    links, system = _system()
    given = [_mounted(mount) for mount in mounts]
    binds = [*system, *_configuration(), *_python(), Bind(os.path.realpath(code_dir), CODE), *given]
    return Plan(list(dict.fromkeys(binds)), links, os.getuid(), os.getgid())


def enter(plan: Plan) -> None:
    """Move the process into the root of ``plan``, with ``/app`` as its folder and no way back.

    Raises DeployFailed (code ``sandbox_unavailable``) that says what the kernel refused and what to do.
    """
    if not sys.platform.startswith("linux"):
        raise _unavailable("it needs Linux")
    try:
        _namespaces(plan)
        _stand_on_a_tmpfs()
        _build(plan)
        _change_root()
        kernel.no_new_privileges()
        kernel.drop_capabilities()
    except OSError as error:
        what = error.filename or "a system call"
        raise _unavailable(f"{what}: {error.strerror or error}") from error


# --- what there will be -----------------------------------------------------------------------------------------------


def _system() -> tuple[dict[str, str], list[Bind]]:
    links = {path: os.readlink(path) for path in _SYSTEM if os.path.islink(path)}
    folders = [path for path in _SYSTEM if os.path.isdir(path) and path not in links]
    return links, [Bind(path, path) for path in folders]


def _configuration() -> Iterator[Bind]:
    for name in _CONFIGURATION:
        source = os.path.realpath(f"/etc/{name}")
        if os.path.exists(source):
            yield Bind(source, f"/etc/{name}")


def _python() -> Iterator[Bind]:
    """The interpreter and all that it imports from, at the paths that it knows, and at their real ones."""
    here = str(Path(__file__).resolve().parents[2])
    wanted = [sys.base_prefix, sys.prefix, sys.exec_prefix, *sys.path, here]
    folders: list[str] = []
    for path in (form(path) for path in wanted for form in (os.path.abspath, os.path.realpath)):
        known = any(path == folder or path.startswith(f"{folder}/") for folder in [*folders, "/usr"])
        if os.path.isdir(path) and path != "/" and not known:
            folders.append(path)
    # A folder above another one first: its bind must not cover the other.
    return (Bind(os.path.realpath(path), path) for path in sorted(folders))


def _mounted(mount: Mount) -> Bind:
    source = os.path.realpath(mount.source)
    if os.path.isdir(source):
        return Bind(source, mount.path, mount.read_only)
    raise DeployFailed(f"The filesystem at {mount.path} is missing on this machine", code="mount_missing")


# --- making it so -----------------------------------------------------------------------------------------------------


def _namespaces(plan: Plan) -> None:
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    _write("/proc/self/setgroups", "deny")  # without it an unprivileged process may not map a group
    _write("/proc/self/uid_map", f"{plan.uid} {plan.uid} 1")
    _write("/proc/self/gid_map", f"{plan.gid} {plan.gid} 1")
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)


def _stand_on_a_tmpfs() -> None:
    """Afterwards ``/`` is an empty tmpfs, the machine's root is at ``/old``, and ``/new`` waits to be filled."""
    _tmpfs(_STAGE, "0755")
    for name in (_OLD, _NEW):
        os.mkdir(_STAGE + name)
    kernel.pivot_root(_STAGE, _STAGE + _OLD)
    os.chdir("/")
    _tmpfs(_NEW, "0755")


def _build(plan: Plan) -> None:
    for link, target in plan.links.items():
        os.symlink(target, _NEW + link)
    for path in ("/tmp", HOME):  # noqa: S108 - the app's own
        os.makedirs(_NEW + path)
        _tmpfs(_NEW + path, "1777" if path != HOME else "0755", _PRIVATE_FOLDER_BYTES)
    _devices()
    _processes()
    for bind in plan.binds:
        _bind(bind)
    _accounts(plan)


def _change_root() -> None:
    kernel.unmount(_OLD, kernel.MNT_DETACH)
    kernel.mount("none", _NEW, None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY)
    os.chdir(_NEW)
    kernel.pivot_root(".", ".")
    kernel.unmount(".", kernel.MNT_DETACH)  # the old root, now stacked on the new one: pivot_root(2), NOTES
    os.chdir(CODE)


def _devices() -> None:
    os.mkdir(f"{_NEW}/dev")
    _tmpfs(f"{_NEW}/dev", "0755")
    for name in _DEVICES:
        if os.path.exists(f"{_OLD}/dev/{name}"):
            _bind(Bind(f"/dev/{name}", f"/dev/{name}"), flags=0)
    for name, target in _LINKS.items():
        os.symlink(target, f"{_NEW}/dev/{name}")
    os.mkdir(_NEW + _SHARED_MEMORY)
    _tmpfs(_NEW + _SHARED_MEMORY, "1777", _PRIVATE_FOLDER_BYTES)
    _restrict(f"{_NEW}/dev", kernel.MS_RDONLY)


def _processes() -> None:
    """/proc, whose switches a process of uid 0 could turn even without any capability: those are only to read."""
    _bind(Bind("/proc", "/proc"), flags=0)
    for name in ("bus", "fs", "irq", "sys", "sysrq-trigger"):
        if os.path.exists(f"{_OLD}/proc/{name}"):
            kernel.mount(f"{_OLD}/proc/{name}", f"{_NEW}/proc/{name}", None, kernel.MS_BIND | kernel.MS_REC)
            _restrict(f"{_NEW}/proc/{name}", kernel.MS_RDONLY)


def _accounts(plan: Plan) -> None:
    """Names for the ids in use; the machine's own accounts are nobody's business."""
    _write(f"{_NEW}/etc/passwd", f"app:x:{plan.uid}:{plan.gid}::{HOME}:/bin/sh\n")
    _write(f"{_NEW}/etc/group", f"app:x:{plan.gid}:\n")


def _bind(bind: Bind, flags: int = kernel.MS_NOSUID | kernel.MS_NODEV) -> None:
    source, target = _OLD + bind.source, _NEW + bind.target
    if stat.S_ISDIR(os.stat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _write(target, "")
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    if flags:
        for point in _mount_points(target):
            _restrict(point, flags | (kernel.MS_RDONLY if bind.read_only else 0))


def _restrict(point: str, flags: int) -> None:
    """Add ``flags``. Those that the mount has already are locked in a user namespace and must be named again."""
    has = os.statvfs(point).f_flag
    kept = sum(mount_flag for flag, mount_flag in _LOCKED.items() if has & flag)
    read_only = kernel.MS_RDONLY if has & os.ST_RDONLY else 0
    kernel.mount("none", point, None, kernel.MS_REMOUNT | kernel.MS_BIND | flags | kept | read_only)


def _mount_points(top: str) -> list[str]:
    """``top`` and the mounts below it, which came with it: proc_pid_mountinfo(5), field 5."""
    with open(f"{_OLD}/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = [_unescape(line.split()[4]) for line in table]
    return [point for point in points if point == top or point.startswith(f"{top}/")]


def _unescape(path: str) -> str:
    for code, mark in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, mark)
    return path


def _tmpfs(target: str, mode: str, size: int = 0) -> None:
    options = f"mode={mode}" + (f",size={size}" if size else "")
    kernel.mount("tmpfs", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _unavailable(reason: str) -> DeployFailed:
    return DeployFailed(
        f"This machine does not let the gateway isolate the app: {reason}",
        code="sandbox_unavailable",
        hint="Allow unprivileged user namespaces (sysctl user.max_user_namespaces=15000, on Debian also"
        " kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0), or start the"
        " gateway with --isolation none, where apps can read this machine's files and mount no filesystems.",
    )
