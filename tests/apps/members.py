"""An app for people who have signed in."""

import cpsl

app = cpsl.App(name="members", image=cpsl.Image(), channels=[cpsl.Chat(access="authenticated")])


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    await session.reply(f"Hello {session.user.email}")
