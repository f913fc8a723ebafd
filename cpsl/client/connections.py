"""Requests as httpx takes them, and how long they may take: what the two drivers (``drivers.py``) share."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

import httpx

from cpsl import config, errors
from cpsl._version import __version__
from cpsl.client.operations import Answer, Readable, Request
from cpsl.client.timeouts import Timeout

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Longest answer that is read into memory; files and streams have no such limit."""

_PIECE_BYTES = 1024 * 1024
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0


class Wire:
    """What both drivers know: where requests go, with which token, and how long they wait."""

    def __init__(self, gateway_url: str, token: str | None, timeout: Timeout) -> None:
        self.gateway_url = gateway_url
        self._token = token
        self._timeout = timeout

    def request(self, http: httpx.Client | httpx.AsyncClient, wanted: Request, content: Any) -> httpx.Request:
        """The httpx request; the token goes into a header of this request only, so it stays with this host."""
        return http.build_request(
            wanted.method,
            f"{self.gateway_url}/api/v1{wanted.path}",
            params=wanted.query or None,
            headers=self._headers(wanted),
            content=content,
            timeout=self._timeouts(wanted),
        )

    def _headers(self, wanted: Request) -> dict[str, str]:
        headers = {"User-Agent": f"capsule/{__version__}", "Accept": "application/json", **wanted.headers}
        if "event-stream" in headers["Accept"]:
            headers["Accept-Encoding"] = "identity"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _timeouts(self, wanted: Request) -> httpx.Timeout:
        silence = wanted.silence or self._timeout.read or _READ_SECONDS
        connect = wanted.connect or self._timeout.connect or min(_CONNECT_SECONDS, silence)
        if wanted.until is not None:
            rest = left(wanted.until)
            silence, connect = min(silence, rest), min(connect, rest)
        return httpx.Timeout(silence, connect=connect)

    def options(self) -> dict[str, Any]:
        """How our own httpx client is made."""
        local = config.is_loopback(self.gateway_url)
        return {
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=20),
            "trust_env": not local,  # a proxy for the outside must not get this machine's own token
            "verify": _tls(self.gateway_url),
        }


def _tls(url: str) -> ssl.SSLContext:
    if url.startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; loading certificates costs 20 ms
    import certifi

    context = ssl.create_default_context()  # the system's authorities, so that a company's own is known
    context.load_verify_locations(certifi.where())
    return context


def head(response: httpx.Response, body: bytes = b"") -> Answer:
    """What a response says, with its ``body`` if that was read."""
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def check_length(size: int) -> None:
    """Raises httpx.DecodingError for more bytes than are read into memory."""
    if size > MAX_ANSWER_BYTES:
        raise httpx.DecodingError("the answer is too long")


def left(until: float | None) -> float:
    """Seconds until then. Raises httpx.ReadTimeout when it is over."""
    rest = 1.0 if until is None else until - time.monotonic()
    if rest <= 0:
        raise httpx.ReadTimeout("the time for the whole call is over")
    return rest


def check_open(closed: bool) -> None:
    """Raises InvalidRequest (``client_closed``)."""
    if closed:
        raise errors.InvalidRequest(
            "This client is closed", code="client_closed", hint="Make a new one, or stay inside its 'with' block."
        )


def pieces(wanted: Request) -> bytes | Iterable[bytes] | AsyncIterable[bytes] | None:
    """The body as httpx takes it; a file is read in pieces, not in lines. What is not whole ends in time."""
    content = wanted.content
    if content is None or isinstance(content, bytes):
        return content
    if isinstance(content, AsyncIterable):
        return _async_in_time(content, wanted.until)
    if isinstance(content, Readable):
        return _in_time(iter(lambda: content.read(_PIECE_BYTES), b""), wanted.until)
    return _in_time(content, wanted.until)


def _in_time(content: Iterable[bytes], until: float | None) -> Iterator[bytes]:
    for piece in content:
        left(until)
        yield piece


async def _async_in_time(content: AsyncIterable[bytes], until: float | None) -> AsyncIterator[bytes]:
    async for piece in content:
        left(until)
        yield piece
