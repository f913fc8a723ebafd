"""Server-Sent Events out of the gateway (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from litestar.response import Stream

HEARTBEAT = b": still here\n\n"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}


def message(kind: str, data: bytes, number: int | None = None) -> bytes:
    """One event. ``data`` is JSON, so it has no line break that could forge another field."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: ".encode() + data + b"\n\n"


def stream(parts: AsyncIterator[bytes], headers: Mapping[str, str] | None = None) -> Stream:
    """A response that sends ``parts`` as they come."""
    return Stream(parts, media_type="text/event-stream", headers={**_HEADERS, **(headers or {})})


async def wait(changed: asyncio.Event, closing: asyncio.Event, timeout: float) -> bool:
    """Wait until ``changed`` or ``closing`` is set, for at most ``timeout`` seconds; tells whether one is.

    uvicorn does not end while a stream is open, so every stream must look at the gateway's ``closing``.
    """
    if closing.is_set() or changed.is_set():
        return True
    waiters = [asyncio.ensure_future(changed.wait()), asyncio.ensure_future(closing.wait())]
    try:
        done, _ = await asyncio.wait(waiters, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
    return bool(done)
