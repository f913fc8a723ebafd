"""Writes as many chunks as the message says, each by itself, after one that says when it was written."""

import asyncio
import time

import cpsl

app = cpsl.App(name="chunks", image=cpsl.Image())


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    async with session.stream_reply(cumulative=False) as out:
        out.write(f"{time.time_ns()} ")
        await asyncio.sleep(0.01)
        for _ in range(int(msg.text)):
            out.write("word ")
