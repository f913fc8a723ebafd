"""The two drivers: they do what a flow asks for over httpx, one blocking, one async, and hold nothing of the protocol.

Line by line the same but for ``await``; both put every operation behind the wall.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterator
from typing import Any, cast

import httpx

from cpsl import errors
from cpsl.client import sse, wall
from cpsl.client.connections import Wire, check_length, check_open, head, left, pieces
from cpsl.client.operations import (
    Answer,
    Emit,
    Flow,
    NextBytes,
    NextEvent,
    Open,
    Operation,
    Ran,
    Received,
    Request,
    Run,
    Send,
    Sleep,
    T,
    Work,
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
        self._until: float | None = None

    def do(self, operation: Operation) -> Any:
        with wall.wall(self._wire.gateway_url):
            match operation:
                case NextEvent():
                    left(self._until)
                    return next(self._events, None)
                case NextBytes():
                    left(self._until)
                    return next(self._bytes, None)
                case Send(request) | Open(request):
                    return self._send(request, keep=isinstance(operation, Open))
                case Sleep(seconds):
                    self.close()
                    return time.sleep(seconds)
                case Work(do):
                    return do()
                case Run():
                    return _ran(operation)

    def _send(self, wanted: Request, keep: bool) -> Answer:
        self.close()
        check_open(self._http.is_closed)
        request = self._wire.request(self._http, wanted, pieces(wanted))
        self._response = response = self._http.send(request, stream=True, follow_redirects=False)
        if keep and response.is_success:
            self._until = wanted.until
            self._events, self._bytes = sse.events(response), response.iter_bytes()
            return head(response)
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            check_length(len(body))
            left(wanted.until)
        self.close()
        return head(response, bytes(body))

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _ran(wanted: Run) -> Ran | None:
    import subprocess

    try:
        done = subprocess.run(
            wanted.argv,
            cwd=wanted.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=wanted.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return Ran(done.returncode, done.stdout)


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
        self._until: float | None = None

    async def do(self, operation: Operation) -> Any:
        with wall.wall(self._wire.gateway_url):
            match operation:
                case NextEvent():
                    left(self._until)
                    return await anext(self._events, None)
                case NextBytes():
                    left(self._until)
                    return await anext(self._bytes, None)
                case Send(request) | Open(request):
                    return await self._send(request, keep=isinstance(operation, Open))
                case Sleep(seconds):
                    await self.close()
                    return await _asyncio().sleep(seconds)
                case Work(do):
                    return await _asyncio().to_thread(do)
                case Run():
                    return await _async_ran(operation)

    async def _send(self, wanted: Request, keep: bool) -> Answer:
        await self.close()
        check_open(self._http.is_closed)
        request = self._wire.request(self._http, wanted, _async_pieces(wanted))
        self._response = response = await self._http.send(request, stream=True, follow_redirects=False)
        if keep and response.is_success:
            self._until = wanted.until
            self._events, self._bytes = sse.async_events(response), response.aiter_bytes()
            return head(response)
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            check_length(len(body))
            left(wanted.until)
        await self.close()
        return head(response, bytes(body))

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()
            self._response = None


async def _nothing() -> AsyncIterator[Any]:
    for _ in ():
        yield _


def _async_pieces(wanted: Request) -> bytes | AsyncIterable[bytes] | None:
    found = pieces(wanted)
    if found is None or isinstance(found, bytes | AsyncIterable):
        return found
    return _in_a_thread(iter(found))


async def _in_a_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A blocking stream, like a file, read without blocking the loop."""
    while (piece := await _asyncio().to_thread(next, pieces, None)) is not None:
        yield piece


async def _async_ran(wanted: Run) -> Ran | None:
    asyncio = _asyncio()
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(*wanted.argv, cwd=wanted.folder, stdin=nothing, stdout=pipe)
    try:
        printed, _ = await asyncio.wait_for(child.communicate(), wanted.seconds)
    except TimeoutError:
        return None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return Ran(child.returncode or 0, printed)


def _asyncio() -> Any:
    """Imported when a loop needs it: it takes 10 ms, which blocking clients need not spend."""
    import asyncio

    return asyncio
