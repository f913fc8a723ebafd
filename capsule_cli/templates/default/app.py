"""{{name}}: answers piece by piece, and remembers what it was told in this conversation."""

import asyncio
import re

import cpsl

app = cpsl.App(name="{{name}}", image=cpsl.Image())


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    said = session.data.get("said", [])
    answer = f"You said: {msg.text}"
    if said:
        answer += f"\nBefore that you said: {said[-1]} ({len(said)} so far)"

    # Anything that yields text can be streamed: here words, usually the pieces of a model's answer.
    async with session.stream_reply() as reply:
        for piece in re.findall(r"\S+\s*", answer):
            reply.write(piece)
            await asyncio.sleep(0.02)

    session.data["said"] = [*said, msg.text]
