"""{{name}}: answers piece by piece, and remembers what it was told in this conversation."""

import asyncio

import cpsl

app = cpsl.App(name="{{name}}", image=cpsl.Image())


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    said = session.data.get("said", [])
    answer = f"You said: {msg.text}\n"
    if said:
        answer += f"Before that: {said[-1]} ({len(said)} so far)\n"

    # Anything that yields text can be streamed: here words, usually the pieces of a model's answer.
    async with session.stream_reply() as reply:
        for word in answer.split(" "):
            reply.write(word + " ")
            await asyncio.sleep(0.02)

    session.data["said"] = [*said, msg.text]
