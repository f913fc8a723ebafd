"""Files going up and coming down: in pieces, with progress, never half a file under its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from capsule_cli import progress
from capsule_cli.addresses import Address
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


def target_path(local: str | None, remote: Address, *, folder: bool = False) -> Path:
    """Where a download goes: into ``local`` if that is a folder, else there.

    A ``folder`` that comes down becomes ``local``, so that the same command again goes on with it; it goes into
    ``local`` only where that is written as a place to put things in.
    """
    path = Path(local).expanduser() if local else Path(remote.last)
    if local and remote.last and (_is_place(local) if folder else path.is_dir()):
        path /= remote.last
    if path == Path(""):
        raise UsageError(
            f"{remote} has no name of its own", hint=f"Say where it goes: capsule fs download {remote} DIR"
        )
    return path


def _is_place(local: str) -> bool:
    return local.endswith(("/", os.sep)) or Path(local).name in ("", "..", "~")


def to_stdout(pieces: Iterable[bytes]) -> None:
    """Write ``pieces`` to stdout, as they are."""
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def move(name: str, target: Path, *, force: bool) -> None:
    """Give a file that is complete its name. Raises Conflict if that is taken, unless ``force``."""
    if force:
        os.replace(name, target)
        return
    try:
        os.link(name, target)  # unlike a rename, it never replaces what came there meanwhile
    except FileExistsError:
        refuse_existing(target, force=False)
    except OSError:  # a file system without links
        refuse_existing(target, force=False)
        os.rename(name, target)
        return
    os.unlink(name)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise Conflict if something is there, unless ``force``."""
    if not force and os.path.lexists(path):
        raise Conflict(f"{path} exists already", code="file_exists", hint="Add --force to overwrite it.")


def byte_range(range: str | None) -> tuple[int, int | None]:
    """Offset and length (None: to the end) of ``FIRST-LAST``, which counts from 0. Raises UsageError."""
    first, dash, last = (range or "0-").partition("-")
    good = dash and _is_number(first) and (not last or (_is_number(last) and int(last) >= int(first)))
    if not good:
        raise UsageError(f"{range!r} is no range of bytes", hint="Like --range 0-999, or --range 1000- to the end.")
    return int(first), int(last) - int(first) + 1 if last else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16
