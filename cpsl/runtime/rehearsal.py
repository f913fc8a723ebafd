"""A few turns of an app that only echoes, run by a zygote before it forks.

What a runtime does for the first time writes to memory that it shares with its zygote until then: the interpreter
adapts the code that it runs, and caches fill. Whatever the zygote has done before, no runtime has to pay for.
"""

from __future__ import annotations

import asyncio
import socket

from cpsl.app.app import App
from cpsl.app.session import Session
from cpsl.app.types import Message
from cpsl.runtime.bridge import LinkBridge
from cpsl.runtime.link import Link
from cpsl.runtime.output import Output
from cpsl.runtime.worker import Worker
from cpsl.wire import frames

_TURNS = 20


def rehearse() -> None:
    """Boot, and take turns. The loop is its own, whichever the app may have chosen; it is closed in the end."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_play())


async def _play() -> None:
    host, own = socket.socketpair()
    loop = asyncio.get_running_loop()
    with host, own:
        host.setblocking(False)
        link = Link(own, lambda frame: worker.handle(frame), lambda reason: None)
        worker = Worker(_echo(), frames.AppUser("usr_0"), link, LinkBridge(link, ""), Output(link))
        link.attach(loop)
        await worker.boot()
        for number in range(_TURNS):
            state = frames.SessionState("ses_0", "api", is_new=number == 0)
            await loop.sock_sendall(host, frames.encode(frames.StartTurn(f"trn_{number}", state, "hi")))
            await _until_ended(loop, host)
        loop.remove_reader(own)


async def _until_ended(loop: asyncio.AbstractEventLoop, host: socket.socket) -> None:
    buffer = frames.FrameBuffer()
    while True:
        for body in buffer.feed(await loop.sock_recv(host, 65536)):
            if isinstance(frames.decode_to_gateway(body), frames.TurnEnded):
                return


def _echo() -> App:
    app = App("rehearsal")

    @app.message()
    async def handle(session: Session, message: Message) -> None:
        await session.reply(message.text)

    return app
