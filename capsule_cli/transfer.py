"""Files going up and coming down: in pieces, with progress, never half a file under its name."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO

from capsule_cli import progress
from capsule_cli.errors import UsageError
from cpsl.errors import Conflict

PIECE_BYTES = 1024 * 1024


class Source:
    """A file that is open for reading, or stdin. ``size`` in bytes, None if it is not known."""

    def __init__(self, file: BinaryIO, name: str, size: int | None) -> None:
        self.file = file
        self.name = name
        self.size = size

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.file is not sys.stdin.buffer:
            self.file.close()

    def read(self) -> Iterator[bytes]:
        """The content in pieces; progress shows from the first to the last of them."""
        with progress.bar(f"Uploading {self.name}", self.size) as advance:
            yield from progress.counted(iter(lambda: self.file.read(PIECE_BYTES), b""), advance)


def open_source(local: str) -> Source:
    """Open ``local`` (``-`` is stdin). Raises UsageError for a folder, OSError for what cannot be read."""
    if local == "-":
        return Source(sys.stdin.buffer, "stdin", None)
    path = Path(local).expanduser()
    if path.is_dir():
        raise UsageError(f"{local} is a folder", hint="Upload its files one by one, or as one archive.")
    file = path.open("rb")
    return Source(file, path.name, os.fstat(file.fileno()).st_size)


def target_path(local: str | None, remote: str, *, force: bool) -> Path:
    """Where a download goes. Raises Conflict if something is there and ``force`` is not given."""
    name = PurePosixPath(remote).name
    path = Path(local).expanduser() if local else Path(name)
    if path.is_dir():
        path /= name
    if path.is_dir() or not name:
        raise UsageError(f"{remote} does not name a file")
    _refuse_existing(path, force=force)
    return path


def to_stdout(pieces: Iterable[bytes]) -> None:
    """Write ``pieces`` to stdout, as they are."""
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def to_file(pieces: Iterable[bytes], target: Path, *, force: bool) -> int:
    """Write ``pieces`` beside ``target`` and move them there when all have come; return the number of bytes."""
    source = iter(pieces)
    first = next(source, b"")  # where a refusal comes: before a file or a progress bar is begun
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with (
            open(handle, "wb") as file,
            progress.bar(f"Downloading {target.name}", None) as advance,
        ):
            for piece in progress.counted(chain((first,), source), advance):
                file.write(piece)
            count = file.tell()
        _take_usual_mode(name)
        _move(name, target, force=force)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    return count


def _move(name: str, target: Path, *, force: bool) -> None:
    if force:
        os.replace(name, target)
        return
    try:
        os.link(name, target)  # unlike a rename, it never replaces what came there meanwhile
    except FileExistsError:
        _refuse_existing(target, force=False)
    except OSError:  # a file system without links
        _refuse_existing(target, force=False)
        os.rename(name, target)
        return
    os.unlink(name)


def _refuse_existing(path: Path, *, force: bool) -> None:
    if not force and os.path.lexists(path):
        raise Conflict(f"{path} exists already", code="file_exists", hint="Add --force to overwrite it.")


def _take_usual_mode(name: str) -> None:
    """mkstemp makes files that only their owner may read; a download is an ordinary file."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(name, 0o666 & ~mask)
