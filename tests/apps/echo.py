"""An app that does what the message says, for tests."""

import asyncio

import cpsl

app = cpsl.App(name="echo", image=cpsl.Image())
notes = app.collection("notes", scope="user")
RUNS = 0


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    global RUNS
    RUNS += 1
    command, _, rest = msg.text.partition(" ")
    if command == "stream":
        async with session.stream_reply() as out:
            for number in range(int(rest)):
                out.write(f"{number} ")
                if number % 50 == 0:
                    await asyncio.sleep(0)
        await session.reply("second reply")
    elif command == "slowly":
        for number in range(int(rest)):
            await session.reply(f"piece {number}")
            await asyncio.sleep(0.05)
    elif command == "fail":
        await session.reply("before it broke")
        raise ValueError("the secret detail")
    elif command == "sleep":
        await asyncio.sleep(float(rest))
        await session.reply("slept")
    elif command == "runs":
        await session.reply(str(RUNS))
    elif command == "remember":
        session.data["word"] = rest
        await session.reply("ok")
    elif command == "recall":
        await session.reply(f"{session.data.get('word')}, after {len(session.history)} messages")
    elif command == "note":
        await notes.insert_one({"text": rest})
        await session.reply(f"{await notes.count()} notes")
    elif command == "print":
        print(rest)
        await session.reply("printed")
    elif command == "picture":
        with open("/tmp/picture.png", "wb") as file:
            file.write(b"png")
        await session.show_image("/tmp/picture.png")
    elif command == "exit":
        import os

        os._exit(3)
    else:
        await session.reply(f"You said: {msg.text}")


@app.data("public")
async def public(name: str = "world"):
    return {"hello": name}


@app.data("private", access="authenticated")
async def private(ctx: cpsl.RequestContext):
    return {"email": ctx.user.email, "notes": await notes.count()}
