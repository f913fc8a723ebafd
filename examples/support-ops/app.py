"""A small support desk: threads live in a collection, answers refer to what was said before."""

import cpsl

app = cpsl.App(name="support-ops", image=cpsl.Image())
threads = app.collection("threads", scope="app")


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    waiting = await threads.count({"status": "waiting"})
    asked_before = session.data.get("asked", 0)
    session.data["asked"] = asked_before + 1

    if "new thread" in msg.text.lower():
        await threads.insert_one({"title": msg.text, "status": "waiting"})
        await session.reply(f"Noted. {waiting + 1} threads are waiting for review.")
        return

    async with session.stream_reply() as answer:
        answer.write(f"{waiting} threads are waiting for review.")
        if asked_before:
            answer.write("\n1. Answer the oldest.\n2. Close what is answered.")


@app.data("threads", access="authenticated")
async def list_threads(ctx: cpsl.RequestContext) -> dict[str, object]:
    return {"threads": await threads.find(limit=50)}
