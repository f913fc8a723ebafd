"""A folder that apps write into, handled from outside without trusting what they left there.

Every step opens one name below the descriptor of the step before, and never follows a link: an app that puts
``/data/x -> /etc/shadow`` there, or swaps a folder while we look, gets a refusal (CWE-59, CWE-367).
"""

from __future__ import annotations

import errno
import heapq
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cpsl.errors import Conflict, InvalidRequest, NotFound, StorageFull
from cpsl.gateway.files.rename import renamed
from cpsl.wire.resources import Entry

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_DEPTH = 64


def parts_of(path: str) -> list[str]:
    """The names along an absolute path inside a filesystem. Raises InvalidRequest (code ``invalid_path``)."""
    parts = [part for part in path.split("/") if part]
    bad = (
        not path.startswith("/")
        or len(parts) > _MAX_DEPTH
        or any(part in (".", "..") or "\0" in part or not _fits(part) for part in parts)
    )
    if bad:
        raise InvalidRequest(
            f"{path[:200]!r} is not a path inside a filesystem",
            code="invalid_path",
            hint="Begin at the top of the filesystem, like /reports/summary.txt, without '.' or '..'.",
        )
    return parts


def _fits(name: str) -> bool:
    try:
        return len(name.encode()) <= 255
    except UnicodeEncodeError:
        return False


@contextmanager
def opened(root: Path, parts: list[str], *, create: bool = False) -> Iterator[int]:
    """The descriptor of a folder below ``root``; with ``create``, missing folders are made on the way."""
    current = os.open(root, _FOLDER)
    try:
        for part in parts:
            if create:
                _make_folder(part, current)
            following = os.open(part, _FOLDER, dir_fd=current)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def _make_folder(name: str, parent: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Say in our words what the system says about ``path``."""
    try:
        yield
    except FileExistsError:
        raise Conflict(
            f"{path} exists already; nothing was changed",
            code="file_exists",
            hint="Choose another path, or overwrite it with --force.",
        ) from None
    except OSError as error:
        raise _explain(path, error) from None


def _explain(path: str, error: OSError) -> Exception:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFound(f"there is no {path} in this filesystem", code="file_not_found")
    if error.errno == errno.ELOOP:
        return InvalidRequest(f"{path} leads through a link, which is not followed", code="link_refused")
    if error.errno == errno.ENOTEMPTY:
        return Conflict(f"the folder {path} is not empty", code="folder_not_empty", hint="Delete what is in it first.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("the gateway's disk is full; nothing was kept")
    return InvalidRequest(f"{path}: {error.strerror}", code="invalid_path")


def entries(root: Path, path: str, limit: int | None = None, after: str = "") -> list[Entry]:
    """Files and folders at ``path``, by name: the first ``limit`` of those that come behind the name ``after``.

    Left out is what nobody can fetch: links, special files, names that are no UTF-8. Only ``limit`` names are held.
    """
    with explained(path), opened(root, parts_of(path)) as folder, os.scandir(folder) as found:
        names = (item.name for item in found if item.name > after and _fits(item.name) and _is_plain(item))
        first = sorted(names) if limit is None else heapq.nsmallest(limit, names)
        return [entry for name in first if (entry := _entry(name, folder)) is not None]


def _is_plain(item: os.DirEntry[str]) -> bool:
    return item.is_file(follow_symlinks=False) or item.is_dir(follow_symlinks=False)


def _entry(name: str, folder: int) -> Entry | None:
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None  # an app removed it meanwhile
    is_folder = stat.S_ISDIR(info.st_mode)
    return Entry(name, is_folder, 0 if is_folder else info.st_size, info.st_mtime)


def info(root: Path, path: str) -> os.stat_result:
    """What the system knows of the file or folder at ``path``. Raises NotFound; InvalidRequest for all else."""
    parts = parts_of(path)
    with explained(path):
        if not parts:
            return os.stat(root)
        with opened(root, parts[:-1]) as folder:
            found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
            raise IsADirectoryError(errno.EISDIR, "is not a file")
        return found


def open_file(root: Path, path: str) -> tuple[int, os.stat_result]:
    """A descriptor for reading the regular file at ``path``, and what it is. The caller closes it."""
    parts = parts_of(path)
    with explained(path):
        if not parts:
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        with opened(root, parts[:-1]) as folder:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            os.close(descriptor)
            raise IsADirectoryError(errno.EISDIR, "is not a file")
        return descriptor, info


def check_place(root: Path, path: str, *, overwrite: bool) -> None:
    """Raise what ``place`` would raise as things stand."""
    parts = parts_of(path)
    with explained(path), suppress(FileNotFoundError):
        if not parts:
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        with opened(root, parts[:-1]) as folder:
            info = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        if not overwrite:
            raise FileExistsError


def place(root: Path, path: str, source: Path, *, overwrite: bool) -> None:
    """Give the file ``source`` (on the same disk) the name ``path``, at once and whole. ``source`` is gone after it."""
    parts = parts_of(path)
    with explained(path):
        if not parts:
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        with opened(root, parts[:-1], create=True) as folder:
            if overwrite:
                os.replace(source, parts[-1], dst_dir_fd=folder)
            else:
                os.link(source, parts[-1], dst_dir_fd=folder)
                os.unlink(source)


def make_folder(root: Path, path: str) -> None:
    """Make the folder at ``path`` and those above it; it may be there already. Raises Conflict for a file."""
    parts = parts_of(path)
    with explained(path):
        try:
            with opened(root, parts, create=True):
                pass
        except NotADirectoryError:
            raise Conflict(f"something that is no folder is at {path}, or on the way", code="file_exists") from None


def move(root: Path, source: str, target: str, *, overwrite: bool) -> None:
    """Give what is at ``source`` the path ``target``. Raises Conflict for one that is taken, unless ``overwrite``.

    A folder never takes the place of anything but an empty folder.
    """
    old, new = parts_of(source), parts_of(target)
    if not old or new[: len(old)] == old:
        raise InvalidRequest(f"{source} cannot be moved to {target}", code="invalid_path")
    with explained(source), opened(root, old[:-1]) as before:
        os.stat(old[-1], dir_fd=before, follow_symlinks=False)
        with explained(target), opened(root, new[:-1], create=True) as after:
            if overwrite:
                os.replace(old[-1], new[-1], src_dir_fd=before, dst_dir_fd=after)
            else:
                renamed(old[-1], before, new[-1], after)


def remove(root: Path, path: str, *, recursive: bool = False) -> None:
    """Remove the file, or the empty folder, at ``path``; with ``recursive`` a folder with all that is in it.

    Links in it are removed, never followed.
    """
    parts = parts_of(path)
    with explained(path):
        if not parts:
            raise IsADirectoryError(errno.EISDIR, "is the filesystem itself")
        with opened(root, parts[:-1]) as folder:
            info = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(info.st_mode):
                os.unlink(parts[-1], dir_fd=folder)
            elif recursive:
                shutil.rmtree(parts[-1], dir_fd=folder)
            else:
                os.rmdir(parts[-1], dir_fd=folder)
