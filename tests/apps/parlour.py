"""An app that receives visitors: it does on request whatever a page must be able to show."""

import asyncio
from pathlib import Path

import cpsl

app = cpsl.App(
    name="parlour",
    image=cpsl.Image(),
    description="Ask for *anything* that a page can show.",
    filesystems={"/gate": cpsl.FileSystem("gate")},
)
app.add_integration("aws")
app.add_integration("box", fields=["user", "password"])
app.add_integration(
    "github",
    client_id=cpsl.Secret.from_name("GITHUB_CLIENT_ID"),
    client_secret=cpsl.Secret.from_name("GITHUB_CLIENT_SECRET"),
    scopes=["repo", "read:user"],
)


async def opened(gate: str) -> None:
    """Wait until whoever tests has put a file of this name into the filesystem."""
    while not Path("/gate", gate).exists():
        await asyncio.sleep(0.02)


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    what, _, rest = (msg.text or "").partition(" ")
    match what:
        case "count":
            async with session.stream_reply() as out:
                for number in range(1, int(rest) + 1):
                    out.write(f"{number} ")
                    await asyncio.sleep(0.01)
        case "hold":
            async with session.stream_reply() as out:
                out.write("First paragraph, finished.\n\nSecond")
                await opened(rest)
                out.write(" paragraph, finished, too.\n\nThe end.")
        case "show":
            await session.reply(rest)
        case "type":
            async with session.stream_reply() as out:
                for start in range(0, len(rest), 5):
                    out.write(rest[start : start + 5])
                    await asyncio.sleep(0.003)
        case "twice":
            await session.reply("one")
            await session.notify("thinking", detail="hard")
            await session.reply("two")
        case "news":
            await session.notify("looking it up", detail="in the attic")
            await opened(rest)
            await session.reply("found")
        case "fail":
            await session.reply("so far")
            raise RuntimeError("deliberate")
        case "aws" | "box" | "github":
            await session.reply("I need something.")
            try:
                given = await session.prompt_integration(what, reason=f"To look into {what}", timeout=float(rest or 60))
            except cpsl.IntegrationDeclined:
                await session.reply("Then not.")
            except cpsl.IntegrationTimeout:
                await session.reply("Too late.")
            else:
                await session.reply(f"Thanks for {', '.join(sorted(given.fields)) or given.scopes}.")
        case "hint":
            await session.show_integration(rest or "github", reason="It would help")
            await session.reply("Only if you like.")
        case "offer":
            await session.show_integration("box", reason="It would help")
            await opened(rest)
            await session.reply("Only if you like.")
        case "file":
            upload = await session.prompt_file(message="A CSV file, please", accept=rest or ".csv,text/csv")
            content = Path(await upload.download()).read_bytes()
            await session.reply(f"{upload.name}: {len(content)} bytes")
        case "files":
            await session.reply(", ".join(f"{each.name} {each.size}" for each in msg.attachments) or "none")
        case _:
            before = session.data.get("said", [])
            session.data["said"] = [*before, msg.text]
            await session.reply(f"Message {len(before) + 1}: {msg.text}")
