"""Bytes between a connection and the disk, a piece at a time."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from litestar import Request
from litestar.response import Stream

from cpsl.errors import CapsuleError, InvalidRequest, StorageFull, TooLarge
from cpsl.gateway.files.ranges import read_digest

_WRITE_BYTES = 1024 * 1024
_READ_BYTES = 1024 * 1024


@dataclass
class Sink:
    """A file that is being received: ``size`` bytes are in it, and ``hasher`` has seen just these."""

    file: BinaryIO
    hasher: Any
    size: int = 0

    def write(self, piece: bytes | bytearray) -> None:
        """Append a piece, all or nothing of it."""
        left = memoryview(piece)
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError:
            self.file.seek(self.size)
            os.ftruncate(self.file.fileno(), self.size)
            raise
        self.hasher.update(piece)
        self.size += len(piece)

    def sync(self) -> None:
        """Return when the disk has it."""
        os.fsync(self.file.fileno())


@asynccontextmanager
async def received(request: Request[Any, Any, Any], folder: Path, limit: int) -> AsyncIterator[tuple[Path, str]]:
    """The request's body as a file in ``folder``, and its SHA-256 (hex). What nobody moved away is removed.

    Raises TooLarge over ``limit`` bytes, StorageFull, and InvalidRequest when the sender stops halfway or when the body
    is not what its ``Repr-Digest`` says.
    """
    check_length(request, limit)
    handle, name = tempfile.mkstemp(prefix="incoming-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            sink = Sink(file, hashlib.sha256())
            await receive(request, sink, limit)
            check_digest(request, sink.hasher.digest())
            await asyncio.to_thread(sink.sync)
        os.chmod(path, 0o644)
        yield path, sink.hasher.hexdigest()
    finally:
        path.unlink(missing_ok=True)


def check_length(request: Request[Any, Any, Any], limit: int) -> None:
    """Raise TooLarge when the body is going to be longer than ``limit`` bytes."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large(limit)


def check_digest(request: Request[Any, Any, Any], digest: bytes) -> None:
    """Raise InvalidRequest (``digest_mismatch``) when the sender told another digest."""
    told = read_digest(request.headers.get("repr-digest"))
    if told is not None and told != digest:
        raise InvalidRequest(
            "what came is not what was sent: the SHA-256 differs; nothing was kept",
            code="digest_mismatch",
            hint="Send it again. If the file is written to meanwhile, wait until it is complete.",
        )


async def receive(request: Request[Any, Any, Any], sink: Sink, limit: int, silence: float | None = None) -> None:
    """Write the request's body to ``sink``: what has come, even if the rest does not.

    ``limit`` in bytes; after ``silence`` seconds without any the sender counts as gone.

    One piece is written (and hashed, which lets other threads run) while the next is received.
    """
    buffer, writing = bytearray(), asyncio.create_task(asyncio.sleep(0))
    total = sink.size
    try:
        async for piece in _in_time(request.stream(), silence):
            total += len(piece)
            if total > limit:
                raise too_large(limit)
            buffer += piece
            if len(buffer) >= _WRITE_BYTES:
                await writing
                writing, buffer = asyncio.create_task(asyncio.to_thread(sink.write, buffer)), bytearray()
    except OSError as error:
        raise _broken(error) from None
    finally:
        await _finish(writing, sink, buffer)


async def _finish(writing: asyncio.Task[None], sink: Sink, rest: bytearray) -> None:
    try:
        await writing
        await asyncio.to_thread(sink.write, rest)
    except OSError as error:
        raise _broken(error) from None


async def _in_time(pieces: AsyncIterator[bytes], silence: float | None) -> AsyncIterator[bytes]:
    """``pieces``, unless nothing comes for ``silence`` seconds: a connection that is gone without a word."""
    while True:
        try:
            async with asyncio.timeout(silence):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise InvalidRequest("nothing came for a while", code="upload_cut", status=408) from None
        if piece is None:
            return
        yield piece


def _broken(error: OSError) -> CapsuleError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("the gateway's disk is full; nothing was kept")
    return InvalidRequest(f"the upload broke off: {error}")


def too_large(limit: int) -> TooLarge:
    """The error for what is longer than ``limit`` bytes."""
    return TooLarge(f"this is larger than the {limit // 1024**2} MiB that are taken here")


def download(
    descriptor: int, size: int, name: str, *, offset: int = 0, status: int = 200, headers: dict[str, str] | None = None
) -> Stream:
    """A response with ``size`` bytes of an open file, from ``offset``. It closes the file.

    Browsers save it rather than show it, unless ``headers`` say otherwise.
    """
    every = {
        "Content-Length": str(size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
    }
    every |= headers or {}
    return Stream(
        _pieces(descriptor, size, offset),
        media_type=every.pop("Content-Type", "application/octet-stream"),
        headers=every,
        status_code=status,
    )


async def _pieces(descriptor: int, size: int, offset: int) -> AsyncIterator[bytes]:
    # Exactly ``size`` bytes were promised: a file that an app still writes to may have grown since.
    end = offset + size
    try:
        while offset < end and (piece := await _read(descriptor, min(end - offset, _READ_BYTES), offset)):
            offset += len(piece)
            yield piece
    finally:
        os.close(descriptor)


async def _read(descriptor: int, size: int, offset: int) -> bytes:
    return await asyncio.to_thread(os.pread, descriptor, size, offset)
