# mypy: ignore-errors
"""An app that does one thing for each first word of a message."""

import asyncio
import logging
import os
import threading
import time

import cpsl

app = cpsl.App(name="demo", image=cpsl.Image(), secrets=["INJECTED"])
app.add_integration("vault", fields=["api_key"])
notes = app.collection("notes")
private = app.collection("private", scope="session")
booted: list[str] = []


@app.boot()
async def boot():
    booted.append(cpsl.Secret.from_name("AT_BOOT").value)


@app.enter()
async def enter(session):
    session.data["entered"] = session.data.get("entered", 0) + 1


@app.exit()
async def leave(session):
    print(f"exit of {session.id}")


@app.shutdown()
async def shutdown():
    print("shutdown ran")


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    word, _, rest = msg.text.partition(" ")
    result = globals()[f"do_{word}"](session, rest)
    return await result if asyncio.iscoroutine(result) else result


async def do_echo(session, rest):
    await session.reply(rest)


def do_return(session, rest):
    return f"returned {rest}"


async def do_booted(session, rest):
    return ",".join(booted)


async def do_pieces(session, rest):
    async with session.stream_reply() as out:
        for number in range(int(rest)):
            out.write(f"piece {number}, ")


async def do_two(session, rest):
    await session.reply("one")
    await session.reply("")
    await session.reply("two")


async def do_interleave(session, rest):
    async with session.stream_reply() as out:
        out.write("a")
        await session.reply("b")
        out.write("c")


async def do_fail(session, rest):
    async with session.stream_reply() as out:
        out.write("partial")
        session.data["before"] = True
        raise ValueError("secret detail")


async def do_quit(session, rest):
    raise SystemExit(3)


async def do_sleep(session, rest):
    async with session.stream_reply() as out:
        out.write("sleeping")
        await asyncio.sleep(float(rest))


async def do_stubborn(session, rest):
    await session.reply("begun")
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        await asyncio.sleep(0.1)
    await session.reply("finished anyway")


async def do_data(session, rest):
    session.data.setdefault("nested", {}).setdefault("list", []).append(rest)


async def do_unstorable(session, rest):
    session.data["good"] = 1
    session.data["bad"] = object()


async def do_nothing(session, rest):
    pass


async def do_print(session, rest):
    print(rest)
    logging.getLogger("mine").warning("warned %s", rest)
    await asyncio.to_thread(print, f"thread {rest}")
    os.write(1, b"raw bytes\n")
    print("unfinished", end="")


async def do_secret(session, rest):
    return f"{cpsl.Secret.from_name(rest).value} {cpsl.Secret.from_name(rest)!r}"


async def do_vault(session, rest):
    cred = await session.prompt_integration("vault", reason="why")
    return cred.fields["api_key"] + repr(cred)


async def do_upload(session, rest):
    upload = await session.prompt_file(path=rest)
    return f"{upload.name}|{upload.path}|{upload.size}"


async def do_environ(session, rest):
    return " ".join(sorted(os.environ))


async def do_ls(session, rest):
    return " ".join(sorted(os.listdir(rest)))


async def do_write(session, rest):
    with open(rest, "w") as file:
        file.write("x")
    return "written"


async def do_block(session, rest):
    await session.reply("blocking")
    await asyncio.sleep(0.05)
    time.sleep(60)


async def do_flood(session, rest):
    async with session.stream_reply() as out:
        for _ in range(int(rest)):
            out.write("x" * 1024)
    return None


async def do_notes(session, rest):
    await notes.insert_one({"text": rest})
    await private.insert_one({"text": rest})
    return str(await notes.find({"text": rest}, limit=5, sort={"text": -1}))


async def do_leak(session, rest):
    async def later():
        await asyncio.sleep(0.05)
        try:
            await session.reply("too late")
        except cpsl.InvalidRequest as error:
            print(f"refused {error.code}")

    session.task = asyncio.create_task(later())


@app.data("sum")
def total(a, b="1"):
    return {"sum": int(a) + int(b), "thread": threading.current_thread().name}


@app.data("who", access="authenticated")
async def who(ctx: cpsl.RequestContext):
    return {"user": ctx.user.id, "authenticated": ctx.authenticated, "vault": bool(ctx.integrations.get("vault"))}


@app.data("broken")
async def broken():
    return object()
