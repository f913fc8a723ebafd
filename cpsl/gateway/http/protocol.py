"""HTTP/1.1 as uvicorn reads it, with a limit to what a request's head may take: bytes and time.

Without one, a client that never ends its headers holds memory and a connection for as long as it likes.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CarefulProtocol(HttpToolsProtocol):
    """Answers 400 and closes when a head is longer than ``head_bytes``; closes when one takes ``head_seconds``."""

    head_bytes: ClassVar[int] = 64 * 1024
    head_seconds: ClassVar[float] = 30.0
    _received = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is None or self.transport.is_closing():
            return
        self._received += len(data)
        if self._received > self.head_bytes:
            self.send_400_response("The request's headers are too long.")

    def _begin_head(self) -> None:
        if self._deadline is None:
            self._received = 0
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _end_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
