"""An app that does on request whatever a terminal must be able to show."""

import asyncio
from pathlib import Path

import cpsl

app = cpsl.App(name="talker", image=cpsl.Image())
app.add_integration("aws")
app.add_integration("box", fields=["user", "password"])
app.add_integration("tailscale")
app.add_integration(
    "github",
    client_id=cpsl.Secret.from_name("GITHUB_CLIENT_ID"),
    client_secret=cpsl.Secret.from_name("GITHUB_CLIENT_SECRET"),
    scopes=["repo"],
)


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    match msg.text.split()[0]:
        case "aws":
            given = await session.prompt_integration("aws", reason="Need AWS credentials")
            await session.reply(f"region {given.fields['region']}, {len(given.fields['secret_access_key'])} long")
        case "tailscale":
            given = await session.prompt_integration("tailscale", reason="Need a key")
            await session.reply(f"key {len(given.fields['auth_key'])} long")
        case "box":
            await session.prompt_integration("box", reason="Need the box")
        case "file":
            upload = await session.prompt_file(message="A CSV file, please", accept=".csv,text/csv")
            first = Path(await upload.download()).read_text().splitlines()[0]
            await session.reply(f"{upload.name} has {upload.size} bytes, begins {first}")
        case "github":
            await session.prompt_integration("github", reason="Need access")
        case "hint":
            await session.show_integration("github", reason="Unlock analysis")
            await session.show_image("https://example.com/a.png", alt="a picture")
            await session.reply("shown")
        case "two":
            await session.notify("thinking", detail="hard")
            await session.reply("one")
            await session.reply("two")
        case "fail":
            await session.reply("so far")
            raise RuntimeError("deliberate")
        case "slow":
            async with session.stream_reply() as out:
                for number in range(1000):
                    out.write(f"{number} ")
                    await asyncio.sleep(0.05)
        case "say":
            await session.reply(msg.text[4:])
        case "type":
            async with session.stream_reply() as out:
                for start in range(5, len(msg.text), 7):
                    out.write(msg.text[start : start + 7])
                    await asyncio.sleep(0.005)
        case "busy":
            await session.notify("looking", detail="at it")
            await asyncio.sleep(0.8)
            await session.reply("found")
        case "nothing":
            pass
        case "long":
            await session.reply("x" * int(msg.text[5:]))
        case "files":
            await session.reply(", ".join(f"{each.name} {each.size}" for each in msg.attachments) or "none")
        case "steer":
            await session.reply("\x1b[31mred\x1b[0m")
        case _:
            before = session.data.get("said")
            session.data["said"] = msg.text
            await session.reply(f"{msg.text!r} after {before!r}")
