"""What an image adds to the system, laid over a root that is being put together.

Overlays in a user namespace keep their marks in ``user.`` attributes (option ``userxattr``) and need Linux 5.11.
(https://docs.kernel.org/filesystems/overlayfs.html)
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from cpsl.runtime import kernel, mounts
from cpsl.wire.builds import VENV


def mount_image(image: str, *, old: str = "/old", new: str = "/new") -> None:
    """Show a finished image in the root at ``new``, to be read only. Raises OSError.

    For a process in a user and a mount namespace of its own that stands on a tmpfs: the machine's root is at ``old``,
    ``image`` can be reached by its absolute path as it is now, so most likely below ``old``, and ``new`` is a tmpfs,
    still writable, in which all else is mounted already: what an app mounts wins over what its image has there.
    """
    if os.path.isdir(f"{image}/venv"):
        mounts.bind(f"{image}/venv", new + VENV, mounts.READ_ONLY, old)
    added = f"{image}/root"
    with suppress(FileNotFoundError):
        for top in sorted(os.listdir(added)):
            _add(added, top, old, new)


def writable(target: str, lower: str, upper: str, work: str, old: str) -> None:
    """Show ``lower`` at ``target``, with what is changed there kept in ``upper``. Raises OSError.

    ``work`` is an empty folder beside ``upper``. None of the paths may have a comma, a colon or a backslash in it.
    """
    _overlay(target, f"lowerdir={lower},upperdir={upper},workdir={work}", mounts.SAFE, old)


def _add(added: str, name: str, old: str, new: str) -> None:
    """One file or folder of the image: laid over the same folder of the machine, or alone where there is none."""
    source, target = f"{added}/{name}", f"{new}/{name}"
    kind = os.lstat(source).st_mode
    if stat.S_ISLNK(kind):
        if not os.path.lexists(target):
            os.symlink(os.readlink(source), target)
    elif stat.S_ISREG(kind) and not os.path.isdir(target):
        mounts.bind(source, target, mounts.READ_ONLY, old)
    elif stat.S_ISDIR(kind):
        _add_folder(added, name, old, new)


def _add_folder(added: str, name: str, old: str, new: str) -> None:
    source, target = f"{added}/{name}", f"{new}/{name}"
    is_top = "/" not in name
    if not os.path.lexists(target) and not is_top:
        mounts.bind(source, target, mounts.READ_ONLY, old)
        return
    os.makedirs(target, exist_ok=True)
    if os.stat(target).st_dev == os.stat(new).st_dev:  # of the new root itself, with mounts in it
        for entry in sorted(os.listdir(source)):
            _add(added, f"{name}/{entry}", old, new)
    elif is_top or name.startswith("etc/"):
        os.chdir(added)  # a relative path needs no escapes, whatever the folder of the images is called
        _overlay(target, f"lowerdir={name}:{target}", mounts.READ_ONLY, old)


def _overlay(target: str, options: str, flags: int, old: str) -> None:
    """Mount it, and again the mounts that were in the folder: an overlay shows one filesystem of each layer."""
    below = {point: os.open(point, os.O_PATH) for point in mounts.points_below(target, old)}
    try:
        kernel.mount("overlay", target, "overlay", flags, f"{options},userxattr")
        for point, descriptor in below.items():
            mounts.bind(f"{old}/proc/self/fd/{descriptor}", point, 0, old)
    finally:
        for descriptor in below.values():
            os.close(descriptor)
