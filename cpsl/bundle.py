"""A project folder as an archive, and back: deploy packs with this, engines unpack with it.

The archive is a gzipped tar of regular files only, in the same bytes for the same files. Unpacking trusts nothing. Of
``tarfile`` only the parser of single header blocks is used: on Python 3.11 to 3.13 a chain of symbolic links leads even
``filter="data"`` out of the target (the class of CVE-2025-4517), it accepts duplicate and absolute names, and it reads
an extended header of any length into memory.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from cpsl.errors import InvalidRequest, TooLarge
from cpsl.wire.apps import MAX_BUNDLE_BYTES

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILES = (".gitignore", ".capsuleignore")
"""Files with patterns of what to leave out, in every folder; the later one has the last word."""

_MACHINERY = (
    ".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "node_modules", "*.pyc", "*.pyo", ".ds_store", ".capsule",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".idea", ".vscode",
)  # fmt: skip
_PRIVATE = (
    ".env", ".env.*", ".envrc", ".netrc", ".pypirc", ".ssh", ".aws", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
)  # fmt: skip
ALWAYS_IGNORED = _MACHINERY + _PRIVATE
"""Never packed, whatever the ignore files say, in small or capital letters: machinery, and what holds secrets."""

_PIECE_BYTES = 64 * 1024
_MAX_EXTENDED_HEADER_BYTES = 64 * 1024
_MTIME = 315532800  # 1980-01-01: archives of the same files are the same bytes, and zip tools can show the date


@dataclass(frozen=True)
class BundleFile:
    """A file to be packed: where it is, its ``name`` in the archive (posix, NFC, relative), its size in bytes."""

    path: Path
    name: str
    size: int


class Bundle(list[BundleFile]):
    """The files of a project, by name.

    ``skipped`` names what one might miss: symbolic links, special files, and what holds secrets, like ``.env``.
    """

    def __init__(self, files: Iterable[BundleFile], skipped: Iterable[str] = ()) -> None:
        super().__init__(files)
        self.skipped = list(skipped)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self)


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: files and folders, bytes unpacked, folders in folders, bytes of one whole name."""

    files: int = 20_000
    total_bytes: int = MAX_BUNDLE_BYTES
    depth: int = 32
    name_bytes: int = 1024


# --- collecting ---------------------------------------------------------------------------------------------------


def collect(root: Path) -> Bundle:
    """The files of a project that belong into its archive.

    Left out: what ALWAYS_IGNORED or an ignore file in any of the folders names, symbolic links, special files. Raises
    InvalidRequest (code ``invalid_bundle``) for a name that no archive may hold, or two that differ only in case.
    """
    skipped: list[str] = []
    files = sorted(_walk(root, PurePosixPath(), (), skipped), key=lambda file: file.name)
    _check_names(file.name for file in files)
    return Bundle(files, sorted(skipped))


Rules = tuple[tuple[PurePosixPath, "GitIgnoreSpec"], ...]


def _walk(folder: Path, name: PurePosixPath, rules: Rules, skipped: list[str]) -> Iterator[BundleFile]:
    rules = (*rules, *_rules_in(folder, name))
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        inner = name / entry.name
        if _matches(entry.name, _PRIVATE):
            skipped.append(str(inner))
        elif _is_ignored(inner, entry.is_dir(follow_symlinks=False), rules):
            continue
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), inner, rules, skipped)
        elif entry.is_file(follow_symlinks=False):
            yield BundleFile(Path(entry.path), _nfc(str(inner)), entry.stat(follow_symlinks=False).st_size)
        else:
            skipped.append(str(inner))


def _rules_in(folder: Path, name: PurePosixPath) -> Iterator[tuple[PurePosixPath, GitIgnoreSpec]]:
    from pathspec import GitIgnoreSpec

    for ignore_file in IGNORE_FILES:
        path = folder / ignore_file
        if path.is_file() and not path.is_symlink():
            yield name, GitIgnoreSpec.from_lines(path.read_text("utf-8", errors="replace").splitlines())


def _is_ignored(name: PurePosixPath, is_folder: bool, rules: Rules) -> bool:
    """As git decides: the last pattern that says anything about a name wins, those of inner folders come last."""
    if _matches(name.name, _MACHINERY):
        return True
    ignored = False
    for base, spec in rules:
        shown = f"{name.relative_to(base)}{'/' if is_folder else ''}"
        verdict = spec.check_file(shown).include
        ignored = ignored if verdict is None else verdict
    return ignored


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)


def check_size(files: Iterable[BundleFile], limit: int = MAX_BUNDLE_BYTES) -> int:
    """The bytes of all files together. Raises TooLarge (``bundle_too_large``) over ``limit``, naming the largest."""
    rows = sorted(files, key=lambda file: file.size, reverse=True)
    total = sum(file.size for file in rows)
    if total <= limit:
        return total
    largest = ", ".join(f"{file.name} ({_mib(file.size)})" for file in rows[:3])
    raise TooLarge(
        f"The project has {_mib(total)}, more than the {_mib(limit)} that may be deployed",
        code="bundle_too_large",
        hint=f"The largest files are {largest}. Name what the app does not need in .capsuleignore.",
    )


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


# --- packing ------------------------------------------------------------------------------------------------------


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


# --- unpacking ----------------------------------------------------------------------------------------------------


def unpack(source: BinaryIO | Path, target: Path, limits: Limits = Limits()) -> None:
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
            raise _refused("it is damaged, or no gzipped tar archive") from error
        raise
    return None


class _Unpacking:
    """One archive on its way to disk: what was seen so far, and how much of it."""

    def __init__(self, target: Path, limits: Limits) -> None:
        self._target, self._limits = target, limits
        self._names = _Names()
        self._entries = 0
        self._bytes = 0

    def read(self, archive: _Gunzip) -> None:
        for info in _entries(archive):
            self._entries += 1
            if self._entries > self._limits.files:
                raise _too_large(f"more than {self._limits.files} files and folders")
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
            raise _refused(f"{_shown(name)} is neither a regular file nor a folder")

    def _folder(self, name: str) -> None:
        # Only folders that we made can be in here, so nothing on the way can be a link.
        (self._target / name).mkdir(mode=0o755, parents=True, exist_ok=True)

    def _file(self, archive: _Gunzip, info: tarfile.TarInfo, name: str) -> None:
        self._bytes += info.size
        if self._bytes > self._limits.total_bytes:
            raise _too_large(f"more than {_mib(self._limits.total_bytes)} unpacked")
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
            raise _refused("an entry has an impossible size")
        if info.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            long_name = _long_name(info, archive) or long_name
            continue
        info.name, long_name = long_name or info.name, None
        yield info


def _long_name(info: tarfile.TarInfo, archive: _Gunzip) -> str | None:
    """The name that an extended header gives the next entry, if it does."""
    if info.size > _MAX_EXTENDED_HEADER_BYTES:
        raise _refused("an extended header is too long")
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
            raise _refused("an extended header is damaged")
        key, _, value = content[len(length) + 1 : end - 1].decode("utf-8", "surrogateescape").partition("=")
        if key == "size" or key.startswith("GNU.sparse"):
            raise _refused("an extended header changes a file's size")
        records[key] = value
        content = content[end:]
    return records


@dataclass
class _Names:
    """Every name once, also where file systems see one name in two: in capitals, or in another Unicode form."""

    _files: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, str] = field(default_factory=dict)

    def add_file(self, name: str) -> None:
        """A file's name; no other entry may have it."""
        self.add_folder(str(PurePosixPath(name).parent))
        key = _folded(name)
        if key in self._files or key in self._folders:
            raise _twice(name)
        self._files[key] = name

    def add_folder(self, name: str) -> None:
        """A folder's name; the same spelling may come again, no file may have it."""
        for folder in (PurePosixPath(name), *PurePosixPath(name).parents):
            key = _folded(str(folder))
            if key in self._files or self._folders.setdefault(key, str(folder)) != str(folder):
                raise _twice(name)


def _check_names(names: Iterable[str]) -> None:
    seen, limits = _Names(), Limits()
    for name in names:
        seen.add_file(check_name(name, limits))


def check_name(name: str, limits: Limits = Limits()) -> str:
    """The name of an archive's entry in its one form, if it may be one. Raises InvalidRequest (``invalid_bundle``)."""
    plain = _nfc(name).removeprefix("./").removesuffix("/")
    parts = plain.split("/")
    problem = _name_problem(plain, parts, limits)
    if problem:
        raise _refused(f"the name {_shown(name)} {problem}")
    return plain


def _name_problem(name: str, parts: list[str], limits: Limits) -> str | None:
    # Surrogates stand for bytes that are no UTF-8; control characters and newlines fool whoever reads a listing.
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        return "holds control characters or is not UTF-8"
    if name.startswith("/") or ".." in parts:
        return "leads out of the archive"
    if "\\" in name or any(len(part) > 1 and part[1] == ":" and part[0].isalpha() for part in parts):
        return "has a backslash or a drive"
    if "" in parts or "." in parts:
        return "is not in its simplest form"
    if len(name.encode()) > limits.name_bytes or any(len(part.encode()) > 255 for part in parts):
        return "is too long"
    if len(parts) > limits.depth:
        return f"is more than {limits.depth} folders deep"
    return None


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
                raise _refused("it is cut short")
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes, which are few. Refuses the archive if it ends before."""
        return b"".join(self.pieces(size))

    def _next(self, most: int) -> bytes:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._source.read(_PIECE_BYTES)
            if not packed:
                raise _refused("it is cut short")
            if piece := self._inflate.decompress(packed, most):
                self._left -= len(piece)
                if self._left < 0:
                    raise _too_large("more than it may unpack to")
                return piece
        return b""

    def check_end(self) -> None:
        """Read to the end, which checks the sum. Refuses the archive if anything but zeros comes."""
        while piece := self._next(_PIECE_BYTES):
            if piece.strip(b"\0"):
                raise _refused("something follows its end")
        if self._inflate.unused_data or self._source.read(1):
            raise _refused("something follows its end")


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _nfc(_nfc(name).casefold())


def _shown(name: str) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else f"{text[:77]}…'"


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The archive is refused: {why}", code="invalid_bundle", hint="Correct it in the project and deploy again."
    )


def _twice(name: str) -> InvalidRequest:
    return _refused(
        f"the name {_shown(name)} is there twice, or differs from another only in capitals or accents' form"
    )


def _too_large(why: str) -> TooLarge:
    return TooLarge(
        f"The archive is refused: {why}",
        code="bundle_too_large",
        hint="Name what the app does not need in .capsuleignore.",
    )
