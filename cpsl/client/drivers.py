"""The two drivers: they do what a flow asks for over httpx, one blocking, one async, and hold nothing of the protocol.

Line by line the same but for ``await``; both put every operation behind the wall.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from typing import Any, cast

import httpx

from cpsl import config, errors
from cpsl._version import __version__
from cpsl.client import sse, wall
from cpsl.client.operations import (
    Answer,
    Emit,
    Flow,
    NextBytes,
    NextEvent,
    Open,
    Operation,
    Readable,
    Received,
    Request,
    Send,
    Sleep,
    T,
)
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
            left = _left(wanted.until)
            silence, connect = min(silence, left), min(connect, left)
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


def _head(response: httpx.Response, body: bytes = b"") -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def _check_length(size: int) -> None:
    if size > MAX_ANSWER_BYTES:
        raise httpx.DecodingError("the answer is too long")


def _left(until: float | None) -> float:
    """Seconds until then. Raises httpx.ReadTimeout when it is over."""
    left = 1.0 if until is None else until - time.monotonic()
    if left <= 0:
        raise httpx.ReadTimeout("the time for the whole call is over")
    return left


def _check_open(closed: bool) -> None:
    if closed:
        raise errors.InvalidRequest(
            "This client is closed", code="client_closed", hint="Make a new one, or stay inside its 'with' block."
        )


# --- blocking -----------------------------------------------------------------------------------------------------


class SyncDriver:
    """Runs flows over ``httpx.Client``; any number of threads may."""

    def __init__(self, wire: Wire, http: httpx.Client | None = None) -> None:
        self.wire = wire
        self._owned = http is None
        self._http = httpx.Client(**wire.options()) if http is None else http

    def close(self) -> None:
        """Close the connections, unless they are the caller's own client's."""
        if self._owned:
            self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """Do a flow to its end; return what it returns."""
        steps = self._steps(flow)
        try:
            while True:
                next(steps)
        except StopIteration as end:
            return cast(T, end.value)

    def iterate(self, flow: Flow[Any]) -> Generator[Any, None, None]:
        """Do a flow step by step; yield what it emits. Closing the iterator closes the connection."""
        yield from self._steps(flow)

    def _steps(self, flow: Flow[T]) -> Generator[Any, None, T]:
        link = _SyncLink(self.wire, self._http)
        try:
            operation = next(flow)
            while True:
                if isinstance(operation, Emit):
                    yield operation.value
                    operation = flow.send(None)
                    continue
                try:
                    result = link.do(operation)
                except errors.CapsuleError as error:
                    operation = flow.throw(error)
                else:
                    operation = flow.send(result)
        except StopIteration as end:
            return cast(T, end.value)
        finally:
            flow.close()
            link.close()


class _SyncLink:
    """The one response that a flow may have open."""

    def __init__(self, wire: Wire, http: httpx.Client) -> None:
        self._wire, self._http = wire, http
        self._response: httpx.Response | None = None
        self._events: Iterator[Received] = iter(())
        self._bytes: Iterator[bytes] = iter(())

    def do(self, operation: Operation) -> Any:
        with wall.wall(self._wire.gateway_url):
            match operation:
                case NextEvent():
                    return next(self._events, None)
                case NextBytes():
                    return next(self._bytes, None)
                case Send(request) | Open(request):
                    return self._send(request, keep=isinstance(operation, Open))
                case Sleep(seconds):
                    self.close()
                    return time.sleep(seconds)

    def _send(self, wanted: Request, keep: bool) -> Answer:
        self.close()
        _check_open(self._http.is_closed)
        request = self._wire.request(self._http, wanted, _pieces(wanted.content))
        self._response = response = self._http.send(request, stream=True, follow_redirects=False)
        if keep and response.is_success:
            self._events, self._bytes = sse.events(response), response.iter_bytes()
            return _head(response)
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            _check_length(len(body))
            _left(wanted.until)
        self.close()
        return _head(response, bytes(body))

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _pieces(content: Any) -> bytes | Iterable[bytes] | None:
    """A body as httpx takes it; a file is read in pieces, not in lines."""
    return iter(lambda: content.read(_PIECE_BYTES), b"") if isinstance(content, Readable) else content


# --- async --------------------------------------------------------------------------------------------------------


class AsyncDriver:
    """Runs flows over ``httpx.AsyncClient``."""

    def __init__(self, wire: Wire, http: httpx.AsyncClient | None = None) -> None:
        self.wire = wire
        self._owned = http is None
        self._http = httpx.AsyncClient(**wire.options()) if http is None else http

    async def close(self) -> None:
        """Close the connections, unless they are the caller's own client's."""
        if self._owned:
            await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Do a flow to its end; return what it returns."""
        result: list[T] = []
        async for _ in self._steps(flow, result):
            pass
        return result[0]

    async def iterate(self, flow: Flow[Any]) -> AsyncGenerator[Any, None]:
        """Do a flow step by step; yield what it emits. Closing the iterator closes the connection."""
        steps = self._steps(flow, [])
        try:
            async for value in steps:
                yield value
        finally:
            await steps.aclose()

    async def _steps(self, flow: Flow[T], result: list[T]) -> Any:
        link = _AsyncLink(self.wire, self._http)
        try:
            operation = next(flow)
            while True:
                if isinstance(operation, Emit):
                    yield operation.value
                    operation = flow.send(None)
                    continue
                try:
                    outcome = await link.do(operation)
                except errors.CapsuleError as error:
                    operation = flow.throw(error)
                else:
                    operation = flow.send(outcome)
        except StopIteration as end:
            result.append(end.value)
        finally:
            flow.close()
            await link.close()


class _AsyncLink:
    """The one response that a flow may have open."""

    def __init__(self, wire: Wire, http: httpx.AsyncClient) -> None:
        self._wire, self._http = wire, http
        self._response: httpx.Response | None = None
        self._events: AsyncIterator[Received] = _nothing()
        self._bytes: AsyncIterator[bytes] = _nothing()

    async def do(self, operation: Operation) -> Any:
        with wall.wall(self._wire.gateway_url):
            match operation:
                case NextEvent():
                    return await anext(self._events, None)
                case NextBytes():
                    return await anext(self._bytes, None)
                case Send(request) | Open(request):
                    return await self._send(request, keep=isinstance(operation, Open))
                case Sleep(seconds):
                    import asyncio  # here: it takes 10 ms, which blocking clients need not spend

                    await self.close()
                    return await asyncio.sleep(seconds)

    async def _send(self, wanted: Request, keep: bool) -> Answer:
        await self.close()
        _check_open(self._http.is_closed)
        request = self._wire.request(self._http, wanted, _async_pieces(wanted.content))
        self._response = response = await self._http.send(request, stream=True, follow_redirects=False)
        if keep and response.is_success:
            self._events, self._bytes = sse.async_events(response), response.aiter_bytes()
            return _head(response)
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            _check_length(len(body))
            _left(wanted.until)
        await self.close()
        return _head(response, bytes(body))

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()
            self._response = None


async def _nothing() -> AsyncIterator[Any]:
    for _ in ():
        yield _


def _async_pieces(content: Any) -> bytes | AsyncIterable[bytes] | None:
    pieces = _pieces(content)
    if pieces is None or isinstance(pieces, bytes | AsyncIterable):
        return pieces
    return _in_a_thread(iter(pieces))


async def _in_a_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A blocking stream, like a file, read without blocking the loop."""
    import asyncio

    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
