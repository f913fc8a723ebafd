"""The root in which an image is built: the machine's programs to read, the image to write, nothing else.

The layers that take what the steps write lie in the folder of the build: ``root/usr`` for what is written to ``/usr``,
and so on. What has to lie in them only for something to be mounted on it is taken out again by ``leave``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress

from cpsl.runtime import kernel, mounts, overlays, sandbox, shown
from cpsl.runtime.shown import Bind
from cpsl.runtime.unpack import unpack
from cpsl.wire.builds import VENV, BuildPlan

HOME = "/home/build"
_LOADER_CACHE = "/etc/ld.so.cache"
_OWN = ("/etc", "/opt", "/srv", "/var")
_ACCOUNTS = {"passwd": f"root:x:0:0::{HOME}:/bin/sh\n", "group": "root:x:0:\n"}
_WHOLE = "/run/build/image"
_NEW = "/tmp"  # noqa: S108 - only a place to build the root at, seen by nobody else; every Linux has it
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a fresh one of the build's own
_SHARED_MEMORY_BYTES = 256 * 1024 * 1024


class BuildRoot:
    """The root of one build.

    ``userns``: the namespace in which what is this user's is shown as the steps' own, where they run under another id;
    None where they run under this one. ``prepare`` and ``leave`` are for the process outside, ``build``, ``unpack``
    and ``enter`` for those inside.
    """

    def __init__(self, plan: BuildPlan, userns: int | None) -> None:
        self._plan = plan
        self._userns = userns
        self._folder = plan.folder
        self._layers = f"{plan.folder}/root"
        self._made: list[str] = []
        folders = [bind.target for bind in shown.configuration() if os.path.isdir(bind.source)]
        self._laid_over = ["/usr", *folders] if plan.changes_system else []
        self._ours = {path for path in self._laid_over if self._can_be_ours(os.path.realpath(path))}
        self._binds: list[Bind] = []

    # --- outside ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folders that the steps write to. Raises OSError."""
        for name in ("venv", "scratch/tmp", "scratch/home", "work"):
            os.makedirs(f"{self._folder}/{name}", exist_ok=True)
        for name, text in _ACCOUNTS.items():
            _write(f"{self._folder}/scratch/{name}", text)
        for top in ("/usr", *_OWN) if self._plan.changes_system else ():
            os.makedirs(self._layers + top)
        self._binds = list(self._all_binds())
        if self._plan.changes_system:
            self._copy_loader_cache()
            self._make_targets()
        for lower in self._laid_over:
            os.makedirs(f"{self._folder}/work{lower}")
            self._make(self._layers + lower)
            if self._plan.has_commands and lower not in self._ours:
                self._make_folders(lower)

    def trees(self) -> list[int]:
        """Copies of the mounts that there will be, for ``build``. Raises OSError."""
        return sandbox.trees(self._binds, self._userns)

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

    def _can_be_ours(self, folder: str) -> bool:
        """Whether the steps can be shown this folder of the machine as their own, and so write to an overlay of it."""
        if os.stat(folder).st_uid != os.geteuid():
            return False
        try:
            for tree in sandbox.trees([Bind(folder, folder, owned=True)], self._userns):
                os.close(tree)
        except OSError:  # not every filesystem can show other owners
            return False
        return True

    def _make_folders(self, lower: str) -> None:
        """One can write to a folder of someone else's where one of ours lies on it."""
        for folder, names, _ in os.walk(lower):
            for name in names:
                if not os.path.islink(f"{folder}/{name}"):
                    self._make(f"{self._layers}{folder}/{name}")

    def _copy_loader_cache(self) -> None:
        with suppress(FileNotFoundError), open(_LOADER_CACHE, "rb") as source:
            with open(self._layers + _LOADER_CACHE, "xb") as target:
                target.write(source.read())

    def _make_targets(self) -> None:
        """In the image's own folders, what things are mounted on must be there before."""
        for bind in self._binds:
            if bind.target.startswith(tuple(f"{top}/" for top in _OWN)):
                path = self._layers + bind.target
                if os.path.isdir(bind.source):
                    self._make(path)
                else:
                    self._make(os.path.dirname(path))
                    _write(path, "")
                    self._made.append(path)

    def _make(self, folder: str) -> None:
        if not os.path.isdir(folder):
            self._make(os.path.dirname(folder))
            os.mkdir(folder, 0o755)
            self._made.append(folder)

    def _all_binds(self) -> Iterator[Bind]:
        """Outer ones first."""
        yield from map(self._maybe_ours, shown.system())
        if self._plan.changes_system:
            yield self._own("", _WHOLE)
            yield from (self._own(f"root{top}", top) for top in _OWN)
        yield from (self._own("scratch/tmp", "/tmp"), self._own("scratch/home", HOME), self._own("venv", VENV))  # noqa: S108
        for bind in shown.configuration():
            if bind.target != _LOADER_CACHE or not self._plan.changes_system:  # else the image has its own
                yield self._maybe_ours(bind)
        yield from (Bind(f"{self._folder}/scratch/{name}", f"/etc/{name}", owned=True) for name in _ACCOUNTS)
        yield from shown.devices()
        yield from (Bind(bind.source, bind.target, owned=True) for bind in self._plan.binds)

    def _maybe_ours(self, bind: Bind) -> Bind:
        return Bind(bind.source, bind.target, owned=bind.target in self._ours)

    def _own(self, name: str, target: str) -> Bind:
        return Bind(f"{self._folder}/{name}".rstrip("/"), target, read_only=False, owned=True)

    # --- inside -----------------------------------------------------------------------------------------------------

    def build(self, trees: Iterable[int]) -> None:
        """Put the root together, all but what needs the process to be the first of its namespace. Raises OSError."""
        shown.put_together(_NEW, self._binds, trees)
        for path in (_SHARED_MEMORY, "/proc"):
            os.mkdir(_NEW + path)
        mounts.tmpfs(_NEW + _SHARED_MEMORY, "1777", _SHARED_MEMORY_BYTES)

    def unpack(self) -> None:
        """Unpack the Debian packages into the layers. Raises OSError, DeployFailed."""
        if self._plan.packages:
            os.chdir(_NEW + _WHOLE)
            unpack(self._plan.packages, f"{_NEW}{_WHOLE}/root")

    def enter(self) -> None:
        """Move into the root, with no way back. Raises OSError."""
        if self._plan.changes_system:
            os.chdir(_NEW + _WHOLE)  # relative paths need no escapes, whatever the folder is called
            for path in self._laid_over:
                overlays.writable(_NEW + path, f"root{path}", f"work{path}")
            os.chdir("/")
            kernel.unmount(_NEW + _WHOLE, kernel.MNT_DETACH)
        sandbox.processes(_NEW)
        _write(f"{_NEW}/proc/sys/user/max_user_namespaces", "0")  # of this namespace: no step can have further ones
        kernel.restrict_mount(f"{_NEW}/proc", kernel.ATTR_RDONLY)
        mounts.become_root(_NEW)
        os.chdir(HOME)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _same(one: str, other: str) -> bool:
    try:
        with open(one, "rb") as first, open(other, "rb") as second:
            return first.read() == second.read()
    except FileNotFoundError:
        return False
