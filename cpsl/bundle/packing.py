"""Files into an archive, in the same bytes for the same files."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from cpsl.bundle.collecting import BundleFile
from cpsl.errors import InvalidRequest

_PIECE_BYTES = 64 * 1024
_MTIME = 315532800  # 1980-01-01: archives of the same files are the same bytes, and zip tools can show the date


def pack(files: Iterable[BundleFile], progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """The archive, in pieces and with constant memory. ``progress`` is called with the bytes of files read so far.

    Raises InvalidRequest (code ``file_changed``) when a file shrinks, vanishes or becomes a link while it is read.
    """
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: with gzip's header, in which zlib writes no time
    read = 0
    for piece in _tar(files):
        if progress is not None and isinstance(piece, _FileBytes):
            read += len(piece)
            progress(read)
        if squeezed := squeeze.compress(piece):
            yield squeezed
    yield squeeze.flush()


class _FileBytes(bytes):
    """Bytes of a file, told apart from those of the archive's own."""


def _tar(files: Iterable[BundleFile]) -> Iterator[bytes]:
    for file in files:
        with _open(file.path) as source:
            facts = os.fstat(source.fileno())
            yield _header(file.name, facts)
            yield from _content(file, source, facts.st_size)
        yield bytes(-facts.st_size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _open(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}", code="file_unreadable") from None


def _header(name: str, facts: os.stat_result) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = facts.st_size, _MTIME
    info.mode = 0o755 if facts.st_mode & 0o100 else 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _content(file: BundleFile, source: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = source.read(min(_PIECE_BYTES, left))
        if not piece:
            raise InvalidRequest(
                f"{file.path} changed while it was read", code="file_changed", hint="Deploy again when it is at rest."
            )
        left -= len(piece)
        yield _FileBytes(piece)
