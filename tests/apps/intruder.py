"""An app of somebody who would like to run scripts in the browsers of its visitors."""

import cpsl

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"

app = cpsl.App(name="intruder", image=cpsl.Image(), description=f"Hello {SCRIPT}")
app.add_integration("box", fields=["user"])


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    what, _, rest = (msg.text or "").partition(" ")
    if what == "say":
        await session.reply(rest)
    elif what == "type":
        async with session.stream_reply() as out:
            for start in range(0, len(rest), 9):
                out.write(rest[start : start + 9])
    elif what == "fail":
        raise RuntimeError(SCRIPT)
    elif what == "cards":
        await session.notify(SCRIPT, detail=SCRIPT)
        await session.show_image("https://evil.example/pixel.png", alt=SCRIPT)
        await session.show_image("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='alert(5)'/>")
        await session.show_integration("box", reason=SCRIPT)
        await session.show(cpsl.Block("anything", {"title": SCRIPT, "html": SCRIPT}))
        await session.prompt_file(message=SCRIPT, accept='.csv" onfocus="alert(4)', timeout=30)
