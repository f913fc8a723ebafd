"""Server-sent events of an open response, read by httpx-sse with bounds around it.

httpx-sse buffers a line until it ends and replaces bytes that are no UTF-8. A hostile or broken server must cost
neither unbounded memory nor silent damage, so the bytes pass a ``Gauge`` first.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Iterator
from typing import cast

import httpx
from httpx_sse import EventSource

from cpsl.client.operations import Received

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""A longer event is an attack or a bug."""


class Gauge:
    """Checks bytes as they pass: UTF-8 throughout, and no event longer than MAX_EVENT_BYTES."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._since_event = 0

    def check(self, piece: bytes) -> bytes:
        """Returns ``piece``. Raises UnicodeDecodeError, or httpx.DecodingError for an event without an end."""
        self._decoder.decode(piece)
        self._since_event += len(piece)
        if self._since_event > MAX_EVENT_BYTES:
            raise httpx.DecodingError("an event is longer than any may be")
        return piece

    def event_ended(self) -> None:
        """An event was complete."""
        self._since_event = 0


class _SyncGauged(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, gauge: Gauge) -> None:
        self._inner, self._gauge = inner, gauge

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._inner:
            yield self._gauge.check(piece)

    def close(self) -> None:
        self._inner.close()


class _AsyncGauged(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, gauge: Gauge) -> None:
        self._inner, self._gauge = inner, gauge

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            yield self._gauge.check(piece)

    async def aclose(self) -> None:
        await self._inner.aclose()


def events(response: httpx.Response) -> Iterator[Received]:
    """The events of a blocking response. A heartbeat may come as one without data: httpx-sse gives both."""
    gauge = _prepare(response)
    response.stream = _SyncGauged(cast(httpx.SyncByteStream, response.stream), gauge)
    for event in EventSource(response).iter_sse():
        gauge.event_ended()
        yield Received(event.event, event.id, event.data)


async def async_events(response: httpx.Response) -> AsyncIterator[Received]:
    """The events of an async response."""
    gauge = _prepare(response)
    response.stream = _AsyncGauged(cast(httpx.AsyncByteStream, response.stream), gauge)
    async for event in EventSource(response).aiter_sse():
        gauge.event_ended()
        yield Received(event.event, event.id, event.data)


def _prepare(response: httpx.Response) -> Gauge:
    if response.headers.get("content-encoding", "identity") != "identity":
        # We asked for none; unpacking would pass the gauge by.
        raise httpx.DecodingError("an event stream must not be compressed")
    response.encoding = "utf-8"  # by the specification, whatever the header says
    return Gauge()
