"""What is uploaded, as it is sent: read in large pieces, hashed on the way; a file from any offset, again and again."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

from cpsl.client.operations import Readable
from cpsl.errors import Conflict

PIECE_BYTES = 1024 * 1024
Progress = Callable[[int], None]
"""Called with the number of bytes that have been sent, of the whole."""


class Body:
    """``content`` on its way. ``length`` in bytes, None if it is not known; ``repeatable`` if it can be read again."""

    def __init__(self, content: Any, progress: Progress | None) -> None:
        self._content = BytesIO(content) if isinstance(content, bytes) else content
        self._progress = progress or (lambda count: None)
        self.repeatable = _is_seekable(self._content)
        self._start = self._content.tell() if self.repeatable else 0
        self.length = self._measured() if self.repeatable else None
        self.key = self._key()
        self.hasher = hashlib.sha256()
        self.sent = 0

    def read_all(self) -> bytes:
        """The whole content of a body that is repeatable."""
        self._content.seek(self._start)
        found: bytes = self._content.read(self.length)
        return found

    def after(self, offset: int, digest: str) -> Iterable[bytes] | AsyncIterable[bytes]:
        """The content from ``offset``. Raises Conflict (``upload_differs``) when what is before it has another digest.

        While it is read, ``hasher`` and ``sent`` keep what was read of the whole.
        """
        self.hasher, self.sent = hashlib.sha256(), 0
        if self.repeatable:
            return self._rest(offset, digest)
        if isinstance(self._content, AsyncIterable):
            return self._async_pieces(self._content)
        if isinstance(self._content, Readable):
            return self._pieces(_read(self._content))
        return self._pieces(self._content)

    def _rest(self, offset: int, digest: str) -> Iterator[bytes]:
        self._content.seek(self._start)
        while self.sent < offset:
            self._count(self._next(offset))
        if offset and self.hasher.hexdigest() != digest:
            raise Conflict("What was sent of this file before is not its beginning", code="upload_differs")
        self._progress(offset)
        assert self.length is not None
        while self.sent < self.length:
            piece = self._next(self.length)
            self._count(piece)
            yield piece
            self._progress(self.sent)
        if self._measured() != self.length:
            raise _changed()

    def _next(self, end: int) -> bytes:
        piece: bytes = self._content.read(min(PIECE_BYTES, end - self.sent))
        if not piece:
            raise _changed()
        return piece

    def _pieces(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._count(piece)
            yield piece
            self._progress(self.sent)

    async def _async_pieces(self, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self._count(piece)
            yield piece
            self._progress(self.sent)

    def _count(self, piece: bytes) -> None:
        self.hasher.update(piece)
        self.sent += len(piece)

    def _measured(self) -> int:
        position = self._content.tell()
        end: int = self._content.seek(0, os.SEEK_END)
        self._content.seek(position)
        return max(end - self._start, 0)

    def _key(self) -> str:
        """The same for a file that was not changed, so that another process takes its upload up; else a new one."""
        try:
            info = os.fstat(self._content.fileno())
        except (AttributeError, OSError, ValueError):
            return uuid.uuid4().hex
        if not self.repeatable:
            return uuid.uuid4().hex
        return f"{info.st_size:x}-{info.st_mtime_ns:x}-{info.st_ino:x}-{self._start:x}"


def _is_seekable(content: Any) -> bool:
    return isinstance(content, Readable) and bool(getattr(content, "seekable", lambda: False)())


def _read(content: Readable) -> Iterator[bytes]:
    return iter(lambda: content.read(PIECE_BYTES), b"")


def _changed() -> Conflict:
    return Conflict(
        "The file was changed while it was sent; nothing was stored",
        code="file_changed",
        hint="Send it again when nothing writes to it.",
    )
