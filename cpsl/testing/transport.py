"""The way from a client to the API of a gateway in memory: httpx transports that wait for another thread's loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx

from cpsl.testing.http import Ask, Reply
from cpsl.testing.routes import Api

PREFIX = "/api/v1"


def _ask(request: httpx.Request) -> Ask:
    path = request.url.raw_path.decode("ascii").partition("?")[0].removeprefix(PREFIX)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Ask(request.method, path, dict(request.url.params), headers, request.content)


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


class _Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The pieces of a body, each made on the loop of the gateway."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pieces: AsyncIterator[bytes]) -> None:
        self._loop, self._pieces = loop, pieces

    def __iter__(self) -> Iterator[bytes]:
        while (piece := asyncio.run_coroutine_threadsafe(_next(self._pieces), self._loop).result()) is not None:
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            coming = asyncio.run_coroutine_threadsafe(_next(self._pieces), self._loop)
            if (piece := await asyncio.wrap_future(coming)) is None:
                return
            yield piece


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Carries requests to ``api`` on ``loop``, which runs in another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, api: Api) -> None:
        self._loop, self._api = loop, api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        answering = asyncio.run_coroutine_threadsafe(self._api.answer(_ask(request)), self._loop)
        return self._response(answering.result())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answering = asyncio.run_coroutine_threadsafe(self._api.answer(_ask(request)), self._loop)
        return self._response(await asyncio.wrap_future(answering))

    def _response(self, reply: Reply) -> httpx.Response:
        headers = {"content-type": reply.content_type, **reply.headers}
        if isinstance(reply.body, bytes):
            return httpx.Response(reply.status, headers=headers, content=reply.body)
        return httpx.Response(reply.status, headers=headers, stream=_Stream(self._loop, reply.body))
