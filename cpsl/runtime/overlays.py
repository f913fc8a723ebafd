"""What an image adds to the system, laid over a root that is being put together.

Overlays in a user namespace keep their marks in ``user.`` attributes (option ``userxattr``) and need Linux 5.11.
(https://docs.kernel.org/filesystems/overlayfs.html)
"""

from __future__ import annotations

import os
import stat

from cpsl.runtime import kernel, mounts


def lay_over(layers: str, root: str) -> None:
    """Show what an image adds to the system in the root at ``root``, to be read only. Raises OSError.

    For a process that may mount in its mount namespace. ``layers`` is the image's folder ``root`` by an absolute path
    that it may enter, ``root`` a tmpfs, still writable, in which all else is mounted already: what an app mounts wins
    over what its image has there. The machine's ``/proc`` is at ``/proc``. Changes the working folder.
    """
    for top in sorted(os.listdir(layers)):
        _add(layers, top, root)


def writable(target: str, upper: str, work: str) -> None:
    """Let the folder at ``target`` be written to, with what is changed there kept in ``upper``. Raises OSError.

    ``work`` is an empty folder beside ``upper``. None of the paths may have a comma, a colon or a backslash in it.
    """
    _overlay(target, f"lowerdir={target},upperdir={upper},workdir={work}")


def _add(layers: str, name: str, root: str) -> None:
    """One file or folder of the image: laid over the same folder of the machine, or alone where there is none."""
    source, target = f"{layers}/{name}", f"{root}/{name}"
    kind = os.lstat(source).st_mode
    if stat.S_ISLNK(kind):
        if not os.path.lexists(target):
            os.symlink(os.readlink(source), target)
    elif stat.S_ISREG(kind) and not os.path.isdir(target):
        mounts.bind(source, target)
    elif stat.S_ISDIR(kind):
        _add_folder(layers, name, root)


def _add_folder(layers: str, name: str, root: str) -> None:
    source, target = f"{layers}/{name}", f"{root}/{name}"
    is_top = "/" not in name
    if not os.path.lexists(target) and not is_top:
        mounts.bind(source, target)
        return
    os.makedirs(target, exist_ok=True)
    if os.stat(target).st_dev == os.stat(root).st_dev:  # of the new root itself, with mounts in it
        for entry in sorted(os.listdir(source)):
            _add(layers, f"{name}/{entry}", root)
    elif is_top or name.startswith("etc/"):
        os.chdir(layers)  # a relative path needs no escapes, whatever the folder is called
        _overlay(target, f"lowerdir={name}:{target}")
        kernel.restrict_mount(target, kernel.ATTR_RDONLY)


def _overlay(target: str, options: str) -> None:
    """Mount it, and again the mounts that were in the folder: an overlay shows one filesystem of each layer."""
    below = {point: kernel.open_tree(point) for point in mounts.points_below(target)}
    kernel.mount("overlay", target, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, f"{options},userxattr")
    for point, tree in below.items():
        mounts.attach(tree, point)
