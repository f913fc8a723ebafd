"""An archive onto the disk, trusting nothing of it."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cpsl.bundle.names import USUAL, Limits, Names, check_name, mib, refused, shown, too_large

_PIECE_BYTES = 64 * 1024
_MAX_EXTENDED_HEADER_BYTES = 64 * 1024


def unpack(source: BinaryIO | Path, target: Path, limits: Limits = USUAL) -> None:
    """Unpack an archive into ``target``, a folder that must not exist yet. On refusal nothing is left of it.

    Regular files and folders only. Raises InvalidRequest (code ``invalid_bundle``) for anything else, for a name that
    leads out of the target or means two things, and for a damaged archive; TooLarge (``bundle_too_large``) over a
    limit.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return unpack(file, target, limits)
    target.mkdir(mode=0o700)
    try:
        _Unpacking(target, limits).read(_Gunzip(source, limits))
    except BaseException as error:
        shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, tarfile.TarError | zlib.error):
            raise refused("it is damaged, or no gzipped tar archive") from error
        raise
    return None


class _Unpacking:
    """One archive on its way to disk: what was seen so far, and how much of it."""

    def __init__(self, target: Path, limits: Limits) -> None:
        self._target, self._limits = target, limits
        self._names = Names()
        self._entries = 0
        self._bytes = 0

    def read(self, archive: _Gunzip) -> None:
        for info in _entries(archive):
            self._entries += 1
            if self._entries > self._limits.files:
                raise too_large(f"more than {self._limits.files} files and folders")
            self._take(archive, info)
        archive.check_end()

    def _take(self, archive: _Gunzip, info: tarfile.TarInfo) -> None:
        name = check_name(info.name, self._limits)
        if info.isdir() and info.size == 0:
            self._names.add_folder(name)
            self._folder(name)
        elif info.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            self._names.add_file(name)
            self._file(archive, info, name)
        else:
            raise refused(f"{shown(name)} is neither a regular file nor a folder")

    def _folder(self, name: str) -> None:
        # Only folders that we made can be in here, so nothing on the way can be a link.
        (self._target / name).mkdir(mode=0o755, parents=True, exist_ok=True)

    def _file(self, archive: _Gunzip, info: tarfile.TarInfo, name: str) -> None:
        self._bytes += info.size
        if self._bytes > self._limits.total_bytes:
            raise too_large(f"more than {mib(self._limits.total_bytes)} unpacked")
        self._folder(str(PurePosixPath(name).parent))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        mode = 0o755 if info.mode & stat.S_IXUSR else 0o644  # of the rest, setuid above all, nothing is kept
        with os.fdopen(os.open(self._target / name, flags, mode), "wb") as file:
            for piece in archive.pieces(info.size):
                file.write(piece)
        archive.exactly(-info.size % tarfile.BLOCKSIZE)


def _entries(archive: _Gunzip) -> Iterator[tarfile.TarInfo]:
    """The entries of a tar archive (POSIX ustar and pax, GNU long names); whoever takes one reads its bytes."""
    long_name: str | None = None
    while (block := archive.exactly(tarfile.BLOCKSIZE)).strip(b"\0"):
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if info.size < 0:
            raise refused("an entry has an impossible size")
        if info.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            long_name = _long_name(info, archive) or long_name
            continue
        info.name, long_name = long_name or info.name, None
        yield info


def _long_name(info: tarfile.TarInfo, archive: _Gunzip) -> str | None:
    """The name that an extended header gives the next entry, if it does."""
    if info.size > _MAX_EXTENDED_HEADER_BYTES:
        raise refused("an extended header is too long")
    content = archive.exactly(info.size)
    archive.exactly(-info.size % tarfile.BLOCKSIZE)
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return content.rstrip(b"\0").decode("utf-8", "surrogateescape")
    return _pax_records(content).get("path")


def _pax_records(content: bytes) -> dict[str, str]:
    """``length keyword=value`` lines. What would change an entry's size or kind is refused (sparse files, ``size``)."""
    records: dict[str, str] = {}
    while content:
        length = content.partition(b" ")[0]
        end = int(length) if length.isdigit() and len(length) < 8 else 0
        if not len(length) + 3 <= end <= len(content) or content[end - 1 : end] != b"\n":
            raise refused("an extended header is damaged")
        key, _, value = content[len(length) + 1 : end - 1].decode("utf-8", "surrogateescape").partition("=")
        if key == "size" or key.startswith("GNU.sparse"):
            raise refused("an extended header changes a file's size")
        records[key] = value
        content = content[end:]
    return records


class _Gunzip:
    """Reads what a gzip stream unpacks to, and never more than the limits allow for: a bomb ends at its lid."""

    _OVERHEAD_BYTES = 4096  # headers and padding of one entry, generously

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(31)
        self._left = limits.total_bytes + (limits.files + 1) * self._OVERHEAD_BYTES
        self._plain = b""

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes, in pieces. Refuses the archive if it ends before."""
        while size:
            piece = self._next(min(size, _PIECE_BYTES))
            if not piece:
                raise refused("it is cut short")
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes, which are few. Refuses the archive if it ends before."""
        return b"".join(self.pieces(size))

    def _next(self, most: int) -> bytes:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._source.read(_PIECE_BYTES)
            if not packed:
                raise refused("it is cut short")
            if piece := self._inflate.decompress(packed, most):
                self._left -= len(piece)
                if self._left < 0:
                    raise too_large("more than it may unpack to")
                return piece
        return b""

    def check_end(self) -> None:
        """Read to the end, which checks the sum. Refuses the archive if anything but zeros comes."""
        while piece := self._next(_PIECE_BYTES):
            if piece.strip(b"\0"):
                raise refused("something follows its end")
        if self._inflate.unused_data or self._source.read(1):
            raise refused("something follows its end")
