"""Renaming without replacing: Linux has it (``renameat2``), Python's standard library has not."""

from __future__ import annotations

import ctypes
import errno
import os

_NOREPLACE = 1
_libc = ctypes.CDLL(None, use_errno=True)


def renamed(old: str, old_folder: int, new: str, new_folder: int) -> None:
    """Rename ``old`` below one descriptor to ``new`` below another. Raises FileExistsError if that name is taken."""
    if _rename(old_folder, os.fsencode(old), new_folder, os.fsencode(new)) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(number, os.strerror(number))
    _rename_looking_first(old, old_folder, new, new_folder)


def _rename(old_folder: int, old: bytes, new_folder: int, new: bytes) -> int:
    if not hasattr(_libc, "renameat2"):
        ctypes.set_errno(errno.ENOSYS)
        return -1
    return int(_libc.renameat2(old_folder, old, new_folder, new, _NOREPLACE))


def _rename_looking_first(old: str, old_folder: int, new: str, new_folder: int) -> None:
    """For disks without it: what comes between the look and the rename is replaced."""
    try:
        os.stat(new, dir_fd=new_folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
