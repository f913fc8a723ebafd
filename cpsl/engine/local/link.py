"""The gateway's end of a link: frames in, frames out, over one end of a socket pair."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from cpsl.engine.local.received import received
from cpsl.engine.local.share import Share
from cpsl.wire.frames import FrameBuffer, ToGateway, ToRuntime, encode

_READ_BYTES = 64 * 1024
_BUFFER_BYTES = 256 * 1024
_FRAMES_AT_ONCE = 100


class Link:
    """Frames to and from one runtime."""

    def __init__(self, end: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._end = end
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Link:
        """A link over this end of a connected socket."""
        end.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=_BUFFER_BYTES)
        return cls(end, reader, writer)

    def send(self, frame: ToRuntime) -> None:
        """Send a frame. To a runtime that is gone, nothing happens: whoever waits for it hears so elsewhere.

        Raises ValueError for a frame over its limit.
        """
        if not self._writer.is_closing():
            self._writer.write(encode(frame))

    def send_with(self, frame: ToRuntime, descriptors: Sequence[int]) -> None:
        """Send a small frame together with descriptors, when nothing else waits to be sent. Raises OSError."""
        if self._writer.is_closing():
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        socket.send_fds(self._end, [encode(frame)], descriptors)

    async def drained(self) -> None:
        """Return when most of what was sent has left, or the runtime is gone."""
        with suppress(OSError):
            await self._writer.drain()

    async def frames(self) -> AsyncIterator[ToGateway]:
        """Frames as they come, until the runtime is gone or sends what is no frame. Nothing is read ahead of need."""
        buffer, share = FrameBuffer(), Share()
        while data := await self._read():
            try:
                began = time.perf_counter()
                bodies = buffer.feed(data)
                for start in range(0, len(bodies), _FRAMES_AT_ONCE):
                    found = [received(body) for body in bodies[start : start + _FRAMES_AT_ONCE]]
                    await share.spent(time.perf_counter() - began)
                    for frame in found:
                        yield frame
                    began = time.perf_counter()
            except ValueError:
                return

    def close(self) -> None:
        self._writer.close()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_READ_BYTES)
        except (ConnectionError, OSError):
            return b""
