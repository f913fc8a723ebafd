"""The reference for ``benchmarks.turns``: a bare Litestar application that answers with what it was sent."""

from __future__ import annotations

import sys

import msgspec
import uvicorn
from litestar import Litestar, post


class Message(msgspec.Struct):
    """What is sent, and comes back."""

    text: str


@post("/echo", status_code=200)
async def echo(data: Message) -> Message:
    """The message again."""
    return data


if __name__ == "__main__":
    app = Litestar([echo], logging_config=None, openapi_config=None)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
