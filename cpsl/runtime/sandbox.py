"""A root of its own for a version of an app: the system's programs and Python to read, the app's code to read, its
mounts to write, and nothing else of the machine.

``plan`` says what there will be. Whoever may copy mounts out of the machine's root makes ``trees`` of it, and ``build``
hangs them into an empty tmpfs that ``change_root`` makes the root. Where the gateway is root the app is not: it runs
under an id that owns nothing on this machine, and the mounts that belong to the gateway show their owner's id as the
app's (idmapped mounts, mount_setattr(2)). Where the kernel refuses, OSError says what; nobody goes on with less.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cpsl.errors import DeployFailed
from cpsl.runtime import kernel, mounts, overlays, shown
from cpsl.runtime.shown import Bind
from cpsl.wire.builds import VENV
from cpsl.wire.frames import Mount, Start

APP_ID = 1000
"""The user and the group that an app is, as it sees it."""
CODE = "/app"
HOME = "/home/app"
LIBRARY = "/opt/capsule/lib"
ENVIRONMENT = VENV
_IMAGE = "/opt/capsule/image"
SCRATCH_BYTES = 256 * 1024 * 1024
"""How much fits into each of /tmp, the home folder and /dev/shm: they lie in memory."""
_NEW = "/tmp"  # noqa: S108 - only a place to build the root at, seen by nobody else; every Linux has it
_NOT_MAPPED = (
    "its file system cannot show another owner (ext4, xfs, btrfs and tmpfs can);"
    " keep the gateway's data on another, or run the gateway as another user than root"
)


@dataclass(frozen=True)
class Plan:
    """All that the new root will have. Sources are real paths, without links on the way. ``image``: what it brings."""

    binds: list[Bind]
    image: set[str]


def plan(start: Start) -> Plan:
    """What a version needs: the system, Python, this library, its image, its code and its mounts.

    Raises DeployFailed (``mount_missing``, ``code_missing``) when a folder behind it does not exist.
    """
    machine = (*shown.system(), *shown.configuration(), *shown.devices())
    binds = [*machine, *_python(), *_library(), _code(start.code_dir)]
    image = list(_image(start.image)) if start.image else []
    binds += [*image, *(_mounted(mount) for mount in start.mounts)]
    return Plan(list(dict.fromkeys(binds)), {bind.target for bind in image})


def _python() -> Iterator[Bind]:
    """The interpreter, where it knows itself to be, unless the system's folders have it."""
    prefix = os.path.realpath(sys.base_prefix)
    if not prefix.startswith("/usr"):
        yield Bind(prefix, prefix)


def _library() -> Iterator[Bind]:
    """This package and what it needs, and nothing else of the gateway's environment."""
    for package in (Path(__file__).resolve().parents[1], Path(msgspec.__file__).resolve().parent):
        yield Bind(str(package), f"{LIBRARY}/{package.name}")


def _image(folder: str) -> Iterator[Bind]:
    for name, target in (("venv", ENVIRONMENT), ("root", _IMAGE)):
        if os.path.isdir(f"{folder}/{name}"):
            yield Bind(os.path.realpath(f"{folder}/{name}"), target, owned=True)


def _code(folder: str) -> Bind:
    if os.path.isdir(folder):
        return Bind(os.path.realpath(folder), CODE, owned=True)
    raise DeployFailed("The app's code is missing on this machine", code="code_missing", hint="Deploy it again.")


def _mounted(mount: Mount) -> Bind:
    source = os.path.realpath(mount.source)
    if os.path.isdir(source):
        return Bind(source, mount.path, mount.read_only, owned=True)
    raise DeployFailed(f"The filesystem at {mount.path} is missing on this machine", code="mount_missing")


# --- making it so -----------------------------------------------------------------------------------------------------


def trees(binds: Iterable[Bind], userns: int | None = None) -> list[int]:
    """A detached copy of each source, in that order, with its flags. ``userns`` maps the ids of what is ``owned``."""
    return [_tree(bind, userns) for bind in binds]


def _tree(bind: Bind, userns: int | None) -> int:
    tree = kernel.open_tree(bind.source)
    try:
        kernel.set_mount(tree, bind.attributes, userns if bind.owned else None)
    except OSError as error:
        if not bind.owned or userns is None:
            raise
        raise OSError(error.errno, _NOT_MAPPED, bind.source) from error
    return tree


def build(plan: Plan, trees: Iterable[int]) -> None:
    """Make the new root, all but ``/proc``. The process needs a mount namespace in which it may do so."""
    shown.put_together(_NEW, plan.binds, trees)
    if ENVIRONMENT not in plan.image:
        _empty_environment()
    if _IMAGE in plan.image:
        overlays.lay_over(_NEW + _IMAGE, _NEW)
    for path in ("/tmp", HOME, "/dev/shm", "/proc"):  # noqa: S108 - the app's own
        _make_folder(path)
    _accounts()
    scratch(_NEW)


def scratch(root: str = "") -> None:
    """Put fresh, empty folders over the ones that the app may write to without asking."""
    for path, mode in (("/tmp", "1777"), (HOME, "0755"), ("/dev/shm", "1777")):  # noqa: S108
        mounts.tmpfs(root + path, mode, SCRATCH_BYTES)


def processes(root: str = "") -> None:
    """Mount a ``/proc`` that shows the processes of the caller's namespace."""
    kernel.mount("proc", f"{root}/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)


def change_root() -> None:
    """Move the process into the root that was built, with no way back."""
    processes(_NEW)
    mounts.become_root(_NEW)
    os.chdir(CODE)


def _empty_environment() -> None:
    """A virtual environment without packages: what the interpreter itself has installed is not the app's."""
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    _make_folder(f"{ENVIRONMENT}/bin")
    version = ".".join(map(str, sys.version_info[:3]))
    home = os.path.dirname(base)
    _write(f"{ENVIRONMENT}/pyvenv.cfg", f"home = {home}\ninclude-system-site-packages = false\nversion = {version}\n")
    _make_folder(f"{ENVIRONMENT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages")
    for name in ("python", "python3"):
        os.symlink(base, f"{_NEW}{ENVIRONMENT}/bin/{name}")


def _accounts() -> None:
    """Names for the ids in use; the machine's own accounts are nobody's business."""
    _write("/etc/passwd", f"app:x:{APP_ID}:{APP_ID}::{HOME}:/bin/sh\n")
    _write("/etc/group", f"app:x:{APP_ID}:\n")


def _make_folder(path: str) -> None:
    os.makedirs(_NEW + path, exist_ok=True)


def _write(path: str, text: str) -> None:
    with open(_NEW + path, "w", encoding="utf-8") as file:
        file.write(text)
