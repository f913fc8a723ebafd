"""An app that says what came with each message, for tests."""

from hashlib import sha256
from pathlib import Path

import cpsl

app = cpsl.App(name="reader", image=cpsl.Image())


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    if msg.text == "again":
        earlier = [each for said in session.history for each in said.attachments]
        return " ".join([f"{each.name}={(await each.read()).decode()}" for each in earlier])
    for each in msg.attachments:
        path = Path(await each.download("/tmp/received/"))
        digest = sha256(path.read_bytes()).hexdigest()[:8]
        await session.reply(f"{each.name} {each.content_type} {each.size} {digest} {path.name}")
    return f"{len(msg.attachments)} files" if msg.text or not msg.attachments else None
