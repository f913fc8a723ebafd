"""An app that asks in every way, and says how it ended."""

from pathlib import Path

import cpsl

app = cpsl.App(name="asker", image=cpsl.Image(), filesystems={"/data": cpsl.FileSystem("asked")})
app.add_integration("aws")
app.add_integration("box", fields=["user", "password"])


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    what, _, rest = msg.text.partition(" ")
    timeout = float(rest or 60)
    try:
        if what == "aws":
            given = await session.prompt_integration("aws", timeout=timeout)
            await session.reply(f"region {given.fields['region']}")
        elif what == "twice":
            first = await session.prompt_integration("box", timeout=timeout)
            second = await session.prompt_integration("box", timeout=timeout)
            await session.reply(f"same: {first.fields == second.fields}, user {second.fields['user']}")
        elif what == "uncaught":
            await session.reply("before")
            await session.prompt_file(timeout=timeout)
        elif what == "file":
            upload = await session.prompt_file(timeout=timeout)
            kept = Path(await upload.download())
            await session.reply(f"{upload.name} {upload.size} {upload.content_type} {kept.read_bytes()[:20]!r}")
        elif what == "private":
            upload = await session.prompt_file(path="/tmp/uploads", timeout=timeout)
            await session.reply(f"{upload.path} {Path(upload.path).read_text()}")
    except cpsl.IntegrationTimeout:
        await session.reply("nobody connected")
    except cpsl.IntegrationDeclined:
        await session.reply("they said no")
    except cpsl.FileUploadTimeout:
        if what == "uncaught":
            raise
        await session.reply("nobody uploaded")
