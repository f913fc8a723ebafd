"""Bytes between a connection and the disk, a piece at a time."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.response import Stream

from cpsl.errors import InvalidRequest, StorageFull, TooLarge

_WRITE_BYTES = 1024 * 1024
_READ_BYTES = 256 * 1024


@asynccontextmanager
async def received(request: Request[Any, Any, Any], folder: Path, limit: int) -> AsyncIterator[tuple[Path, int]]:
    """The request's body as a file in ``folder``, and its size. What nobody moved away is removed.

    Raises TooLarge over ``limit`` bytes, StorageFull, and InvalidRequest when the sender stops halfway.
    """
    _check_length(request, limit)
    handle, name = tempfile.mkstemp(prefix="incoming-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            size = await _receive(request, file, limit)
        os.chmod(path, 0o644)
        yield path, size
    finally:
        path.unlink(missing_ok=True)


def _check_length(request: Request[Any, Any, Any], limit: int) -> None:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)


async def _receive(request: Request[Any, Any, Any], file: Any, limit: int) -> int:
    size, buffer = 0, bytearray()
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            buffer += piece
            if len(buffer) >= _WRITE_BYTES:
                await asyncio.to_thread(file.write, bytes(buffer))
                buffer.clear()
        await asyncio.to_thread(_finish, file, bytes(buffer))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("the gateway's disk is full; nothing was kept") from None
        raise InvalidRequest(f"the upload broke off: {error}") from None
    return size


def _finish(file: Any, rest: bytes) -> None:
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"this is larger than the {limit // 1024**2} MiB that are taken here")


def download(descriptor: int, size: int, name: str) -> Stream:
    """A response with the ``size`` bytes of an open file, which it closes. Browsers save it rather than show it."""
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
    }
    return Stream(_pieces(descriptor, size), media_type="application/octet-stream", headers=headers)


async def _pieces(descriptor: int, size: int) -> AsyncIterator[bytes]:
    # Exactly ``size`` bytes were promised: a file that an app still writes to may have grown since.
    try:
        left = size
        while left and (piece := await asyncio.to_thread(os.read, descriptor, min(left, _READ_BYTES))):
            left -= len(piece)
            yield piece
    finally:
        os.close(descriptor)
