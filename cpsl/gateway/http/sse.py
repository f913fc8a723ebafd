"""Server-Sent Events out of the gateway (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

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
