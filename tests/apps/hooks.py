"""An app that writes down which of its hooks ran."""

import cpsl

app = cpsl.App(name="hooks")
ran = app.collection("ran")


@app.boot()
async def boot():
    await ran.insert_one({"hook": "boot"})


@app.enter()
async def enter(session: cpsl.Session):
    await ran.insert_one({"hook": "enter", "session": session.id})


@app.exit()
def exit(session: cpsl.Session):
    print(f"left {session.id} after {len(session.history)} messages")


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    hooks = [f"{each['hook']}" for each in await ran.find() if each.get("session") in (None, session.id)]
    await session.reply(" ".join(hooks))
