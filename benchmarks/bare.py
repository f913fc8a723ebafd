"""The reference: a bare Litestar application that answers with what it was sent, and streams what costs nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator

import msgspec
import uvicorn
from litestar import Litestar, get, post
from litestar.response import Stream


class Message(msgspec.Struct):
    """What is sent, and comes back."""

    text: str


@post("/echo", status_code=200)
async def echo(data: Message) -> Message:
    """The message again."""
    return data


@post("/events", status_code=200)
async def events(data: Message) -> Stream:
    """As many events as the message says, after one that says when it was made."""

    async def made() -> AsyncIterator[bytes]:
        yield f"event: chunk\ndata: {time.time_ns()} \n\n".encode()
        for number in range(int(data.text)):
            yield f"id: {number}\nevent: chunk\ndata: word \n\n".encode()
        yield b"event: done\ndata: {}\n\n"

    return Stream(made(), media_type="text/event-stream")


@get("/idle")
async def idle() -> Stream:
    """One event, and then nothing."""

    async def made() -> AsyncIterator[bytes]:
        yield b"event: started\ndata: {}\n\n"
        await asyncio.Event().wait()

    return Stream(made(), media_type="text/event-stream")


if __name__ == "__main__":
    app = Litestar([echo, events, idle], logging_config=None, openapi_config=None)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
