"""Files that the user gave, when asked or with a message: where they go, and under which name.

The name comes from a stranger: it is reduced to a harmless last part (OWASP ASVS 5.0, 5.3.2), and never replaces a
file that is there.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cpsl.app import host
from cpsl.app.bridge import Bridge
from cpsl.errors import InvalidRequest
from cpsl.wire.frames import ReadFile, StoredFile
from cpsl.wire.names import file_name, numbered_name
from cpsl.wire.turns import Attachment as WireAttachment

SLICE_BYTES = 1024 * 1024
"""How much of a file is asked for at a time."""


class UserFile:
    """A file that the gateway keeps for the app's user. ``name`` is safe to use as one; ``size`` in bytes.

    ``path`` is where it lies in the app, None until it does.
    """

    def __init__(self, name: str, content_type: str, size: int, file_id: str, bridge: Bridge | None) -> None:
        self.name = file_name(name)
        self.content_type = content_type
        self.size = size
        self.path: str | None = None
        self._file_id = file_id
        self._bridge = bridge

    async def read(self) -> bytes:
        """The whole content. Raises NotFound when the gateway has it no more; for large files, ``download``."""
        return b"".join([piece async for piece in self._pieces()])

    async def download(self, path: str | os.PathLike[str] | None = None) -> str:
        """Store the file, and return (and remember in ``path``) where.

        An existing folder, or a ``path`` that ends in ``/``, gets a new file under the upload's own name; any other
        ``path`` is the file to write, and replaced as a whole if it exists; without one it goes to a folder for
        temporary files. Folders on the way are made. Raises OSError where the disk says no.
        """
        target, is_folder = await asyncio.to_thread(_target, path)
        if is_folder:
            return await self.download_into(target)
        await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
        return await self._write(target)

    async def download_into(self, folder: str | os.PathLike[str]) -> str:
        """Store the file in ``folder`` under a name that is free, and return where."""
        target = await asyncio.to_thread(_reserve, Path(folder), self.name)
        try:
            return await self._write(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    async def _write(self, target: Path) -> str:
        with _beside(target) as (descriptor, temporary):
            async for piece in self._pieces():
                await asyncio.to_thread(_write_all, descriptor, piece)
            await asyncio.to_thread(os.replace, temporary, target)
        self.path = str(target)
        return self.path

    async def _pieces(self) -> AsyncIterator[bytes]:
        bridge = self._bridge or host.current(f"Reading {self.name}")
        offset = 0
        while piece := await bridge.ask(ReadFile(self._file_id, offset, SLICE_BYTES)):
            yield piece
            offset += len(piece)


class FileUpload(UserFile):
    """A file that the user uploaded when asked. ``size`` in bytes; ``path`` is where it lies in the app, or None."""

    def __init__(self, stored: StoredFile, bridge: Bridge) -> None:
        super().__init__(stored.name, stored.content_type, stored.size, stored.file_id, bridge)
        self.path = stored.path or None

    async def read(self) -> bytes:
        """The whole content, from where it lies or from the gateway; for large files, ``download`` or ``path``."""
        if self.path is not None and not self._file_id:
            return await asyncio.to_thread(Path(self.path).read_bytes)
        return await super().read()

    def __repr__(self) -> str:
        return (
            f"FileUpload(name={self.name!r}, content_type={self.content_type!r}, size={self.size}, path={self.path!r})"
        )


class Attachment(UserFile):
    """A file that came with a message: ``msg.attachments``. ``size`` in bytes.

    ``url`` is where the user finds it, with the user's own token; the app reads it by ``read`` and ``download``.
    """

    def __init__(self, name: str, content_type: str, url: str, size: int = 0) -> None:
        super().__init__(name, content_type, size, "", None)
        self.url = url

    @classmethod
    def of(cls, wire: WireAttachment, bridge: Bridge | None = None) -> Attachment:
        """The attachment as the link tells of it."""
        made = cls(wire.name, wire.content_type, wire.url, wire.size)
        made._file_id, made._bridge = wire.id, bridge
        return made

    def to_dict(self) -> dict[str, str | int]:
        """The attachment as plain values."""
        return {"name": self.name, "content_type": self.content_type, "url": self.url, "size": self.size}

    def __repr__(self) -> str:
        return f"Attachment(name={self.name!r}, content_type={self.content_type!r}, size={self.size})"


def _target(path: str | os.PathLike[str] | None) -> tuple[Path, bool]:
    """Where to store what goes to ``path``, and whether that is a folder."""
    if path is None:
        return Path(tempfile.mkdtemp(prefix="upload-")), True
    absolute = os.path.abspath(path)
    return Path(absolute), os.fspath(path).endswith("/") or os.path.isdir(absolute)


def _reserve(folder: Path, name: str) -> Path:
    """An empty new file in ``folder``, which is made, called ``name``, or ``name (1)`` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(10_000):
        target = folder / numbered_name(name, attempt)
        with suppress(FileExistsError):
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
            return target
    raise InvalidRequest(f"{folder} holds too many files called {name}", code="file_exists")


@contextmanager
def _beside(target: Path) -> Iterator[tuple[int, str]]:
    """A temporary file beside ``target``, gone at the end unless it was moved: nobody sees half a file."""
    descriptor, temporary = tempfile.mkstemp(prefix=".upload-", dir=target.parent)
    try:
        os.fchmod(descriptor, 0o644)
        yield descriptor, temporary
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
