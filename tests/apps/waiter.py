"""An app that waits for people in the middle of what it says. Its own counter tells how often its handler ran."""

from pathlib import Path

import cpsl

app = cpsl.App(name="waiter", image=cpsl.Image(), filesystems={"/data": cpsl.FileSystem("waited")})
app.add_integration("box", fields=["user"])


def runs() -> int:
    """How often this was called, also in processes before this one."""
    count = Path("/data/runs")
    count.write_text((count.read_text() if count.exists() else "") + "x")
    return len(count.read_text())


@app.enter()
async def enter(session: cpsl.Session):
    await session.reply("Welcome.")


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    run = runs()
    if msg.text == "plain":
        await session.reply("here")
    elif msg.text == "whole":
        await session.notify("looking")
        await session.show(cpsl.Block("task", {"title": "Look"}))
        await session.reply("Before.")
        async with session.stream_reply() as out:
            out.write("I need ")
            out.write("your box: ")
            given = await session.prompt_integration("box", reason="to look into it")
            out.write(f"thanks, {given.fields['user']}")
    elif msg.text == "file and box":
        upload = await session.prompt_file(accept=".txt")
        content = Path(await upload.download()).read_text()
        given = await session.prompt_integration("box")
        session.data["seen"] = content
        await session.reply(f"{content} of {given.fields['user']}")
    elif msg.text == "otherwise":
        await session.reply(f"This is run {run}.")
        given = await session.prompt_integration("box")
        await session.reply(f"Yours is {given.fields['user']}.")
    elif msg.text == "brief":
        try:
            await session.prompt_integration("box", timeout=0.7)
        except cpsl.IntegrationTimeout:
            await session.reply("too late")
