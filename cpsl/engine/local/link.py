"""The gateway's end of a link: frames in, frames out, over one end of a socket pair."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence

import msgspec

from cpsl.wire.frames import FrameBuffer, ToGateway, ToRuntime, decode_to_gateway, encode

_READ_BYTES = 256 * 1024


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
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=_READ_BYTES)
        return cls(end, reader, writer)

    def send(self, frame: ToRuntime) -> None:
        """Send a frame. To a runtime that is gone, nothing happens: whoever waits for it hears so elsewhere."""
        if not self._writer.is_closing():
            self._writer.write(encode(frame))

    def send_with(self, frame: ToRuntime, descriptors: Sequence[int]) -> None:
        """Send a small frame together with descriptors, when nothing else waits to be sent. Raises OSError."""
        if self._writer.is_closing():
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        socket.send_fds(self._end, [encode(frame)], descriptors)

    async def frames(self) -> AsyncIterator[ToGateway]:
        """Frames as they come, until the runtime is gone or sends what is no frame. Nothing is read ahead of need."""
        buffer = FrameBuffer()
        while data := await self._read():
            try:
                bodies = buffer.feed(data)
            except ValueError:
                return
            for body in bodies:
                try:
                    yield decode_to_gateway(body)
                except msgspec.MsgspecError:
                    return

    def close(self) -> None:
        self._writer.close()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_READ_BYTES)
        except (ConnectionError, OSError):
            return b""
