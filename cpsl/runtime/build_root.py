"""The root in which an image is built: the machine's programs to read, the image to write, nothing else.

The layers that take what the steps write lie in the folder of the build: ``root/usr`` for what is written to ``/usr``,
and so on. What has to lie in them only for something to be mounted on it is taken out again by ``leave``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from cpsl.runtime import kernel, mounts, overlays
from cpsl.wire.builds import VENV, BuildPlan

HOME = "/home/build"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_CONFIGURATION = (
    "alternatives", "ca-certificates", "fonts", "gai.conf", "host.conf", "hosts", "ld.so.conf", "ld.so.conf.d",
    "localtime", "mime.types", "nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem",
    "protocols", "resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
_LOADER_CACHE = "/etc/ld.so.cache"
_OWN = ("/etc", "/opt", "/srv", "/var")
_ACCOUNTS = {"passwd": f"root:x:0:0::{HOME}:/bin/sh\n", "group": "root:x:0:\n"}
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_STAGE = "/tmp"  # noqa: S108 - only a place to stand on while the roots change; every Linux has it
_OLD = "/old"
_NEW = "/new"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a fresh one of the build's own
_SHARED_MEMORY_BYTES = 256 * 1024 * 1024


class BuildRoot:
    """The root of one build. ``prepare`` and ``leave`` are for the process outside, ``enter`` for the one inside."""

    def __init__(self, plan: BuildPlan) -> None:
        self._plan = plan
        self._folder = plan.folder
        self._layers = f"{plan.folder}/root"
        self._made: list[str] = []
        folders = [f"/etc/{name}" for name in _CONFIGURATION if os.path.isdir(f"/etc/{name}")]
        self._laid_over = ["/usr", *folders] if plan.changes_system else []

    def prepare(self) -> None:
        """Make the folders that the steps write to. Raises OSError."""
        for name in ("venv", "scratch/tmp", "scratch/home", "work"):
            os.makedirs(f"{self._folder}/{name}", exist_ok=True)
        for name, text in _ACCOUNTS.items():
            _write(f"{self._folder}/scratch/{name}", text)
        for top in ("/usr", *_OWN) if self._plan.changes_system else ():
            os.makedirs(self._layers + top, exist_ok=True)
        for lower in self._laid_over:
            os.makedirs(f"{self._folder}/work{lower}")
            self._own_folders(lower)
        if self._plan.changes_system:
            self._copy_loader_cache()
            self._make_targets()

    def enter(self) -> None:
        """Move the process, which must be alone in its mount namespace, into the root. Raises OSError."""
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
        binds = list(self._binds())
        mounts.tmpfs(_STAGE, "0755")
        for name in (_OLD, _NEW):
            os.mkdir(_STAGE + name)
        kernel.pivot_root(_STAGE, _STAGE + _OLD)
        os.chdir("/")
        mounts.tmpfs(_NEW, "0755")
        self._fill(binds)
        kernel.unmount(_OLD, kernel.MNT_DETACH)
        kernel.mount("none", _NEW, None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY)
        os.chdir(_NEW)
        kernel.pivot_root(".", ".")
        kernel.unmount(".", kernel.MNT_DETACH)  # the old root, now stacked on the new one: pivot_root(2), NOTES
        os.chdir(HOME)

    def leave(self) -> None:
        """Take out of the image what was there only to build it."""
        if _same(self._layers + _LOADER_CACHE, _LOADER_CACHE):
            os.unlink(self._layers + _LOADER_CACHE)
        for path in reversed(self._made):
            with suppress(OSError):  # something was put there, or it was removed: as the steps wanted it
                entry = os.lstat(path)
                if stat.S_ISDIR(entry.st_mode):
                    os.rmdir(path)
                elif stat.S_ISREG(entry.st_mode) and entry.st_size == 0:
                    os.unlink(path)
        for path in [*(self._layers + top for top in ("/usr", *_OWN)), self._layers, f"{self._folder}/venv"]:
            with suppress(OSError):
                os.rmdir(path)

    # --- before ---

    def _own_folders(self, lower: str) -> None:
        """Make what is someone else's writable: a folder of the machine is, where one of ours lies on it."""
        self._make(self._layers + lower)
        is_needed = self._plan.has_commands and os.stat(lower).st_uid != os.geteuid()
        for folder, names, _ in os.walk(lower) if is_needed else ():
            for name in names:
                if not os.path.islink(f"{folder}/{name}"):
                    self._make(f"{self._layers}{folder}/{name}")

    def _copy_loader_cache(self) -> None:
        with suppress(FileNotFoundError), open(_LOADER_CACHE, "rb") as source:
            if not os.path.lexists(self._layers + _LOADER_CACHE):
                with open(self._layers + _LOADER_CACHE, "xb") as target:
                    target.write(source.read())

    def _make_targets(self) -> None:
        """In the image's own folders, what things are mounted on must be there before."""
        for source, target in [("/", VENV), *self._binds()]:
            if target.startswith(tuple(f"{top}/" for top in _OWN)):
                path = self._layers + target
                is_made = self._make(path if os.path.isdir(source) else os.path.dirname(path))
                if is_made and not os.path.lexists(path):
                    _write(path, "")
                    self._made.append(path)

    def _make(self, folder: str) -> bool:
        """Whether it is a folder now. Where a package brought a link or a file, nothing is made."""
        if os.path.lexists(folder):
            return os.path.isdir(folder) and not os.path.islink(folder)
        if not self._make(os.path.dirname(folder)):
            return False
        os.mkdir(folder, 0o755)
        self._made.append(folder)
        return True

    def _binds(self) -> Iterator[tuple[str, str]]:
        for name in _CONFIGURATION:
            if os.path.exists(f"/etc/{name}"):
                yield os.path.realpath(f"/etc/{name}"), f"/etc/{name}"
        if not self._plan.changes_system and os.path.exists(_LOADER_CACHE):
            yield _LOADER_CACHE, _LOADER_CACHE
        yield from ((f"{self._folder}/scratch/{name}", f"/etc/{name}") for name in _ACCOUNTS)
        yield from ((bind.source, bind.target) for bind in self._plan.binds)

    # --- inside ---

    def _fill(self, binds: list[tuple[str, str]]) -> None:
        for path in _SYSTEM:
            if os.path.islink(_OLD + path):
                os.symlink(os.readlink(_OLD + path), _NEW + path)
            elif os.path.isdir(_OLD + path):
                _show(path, path)
        if self._plan.changes_system:
            for top in _OWN:
                _show(self._layers + top, top, mounts.SAFE)
        for source, target in (("scratch/tmp", "/tmp"), ("scratch/home", HOME), ("venv", VENV)):  # noqa: S108
            _show(f"{self._folder}/{source}", target, mounts.SAFE)
        for source, target in binds:
            _show(source, target)
        self._make_writable()
        _devices()
        _processes()

    def _make_writable(self) -> None:
        if self._plan.changes_system:
            os.chdir(_OLD + self._folder)  # relative paths need no escapes, whatever the folder is called
            for path in self._laid_over:
                overlays.writable(_NEW + path, _NEW + path, f"root{path}", f"work{path}", _OLD)


def _show(source: str, target: str, flags: int = mounts.READ_ONLY) -> None:
    mounts.bind(_OLD + source, _NEW + target, flags, _OLD)


def _processes() -> None:
    """The build's own processes, only to read: uid 0 could turn the machine's switches without any capability."""
    os.mkdir(f"{_NEW}/proc")
    kernel.mount("proc", f"{_NEW}/proc", "proc", mounts.SAFE | kernel.MS_NOEXEC)
    _write(f"{_NEW}/proc/sys/user/max_user_namespaces", "0")  # of this namespace: no step can have further ones
    mounts.restrict(f"{_NEW}/proc", mounts.READ_ONLY)


def _devices() -> None:
    os.mkdir(f"{_NEW}/dev")
    mounts.tmpfs(f"{_NEW}/dev", "0755")
    for name in _DEVICES:
        if os.path.exists(f"{_OLD}/dev/{name}"):
            mounts.bind(f"{_OLD}/dev/{name}", f"{_NEW}/dev/{name}", 0, _OLD)
    for name, target in _LINKS.items():
        os.symlink(target, f"{_NEW}/dev/{name}")
    os.mkdir(_NEW + _SHARED_MEMORY)
    mounts.tmpfs(_NEW + _SHARED_MEMORY, "1777", _SHARED_MEMORY_BYTES)
    mounts.restrict(f"{_NEW}/dev", kernel.MS_RDONLY)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _same(one: str, other: str) -> bool:
    try:
        with open(one, "rb") as first, open(other, "rb") as second:
            return first.read() == second.read()
    except FileNotFoundError:
        return False
