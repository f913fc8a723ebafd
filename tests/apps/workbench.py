"""An app that runs the Python it is sent, inside its sandbox: tests look around from within."""

import textwrap

import cpsl

app = cpsl.App(
    name="workbench",
    image=cpsl.Image(),
    secrets=["BENCH_DECLARED"],
    filesystems={"/data": cpsl.FileSystem("bench")},
)
referenced = cpsl.Secret.from_name("BENCH_REFERENCED")
fleeting = cpsl.Secret.from_name("BENCH_FLEETING")
shelves = {scope: app.collection(f"{scope}_shelf", scope=scope) for scope in ("app", "user", "owner", "session")}
app.add_integration("aws")


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    names = {**shelves, "cpsl": cpsl, "session": session, "referenced": referenced, "fleeting": fleeting}
    exec("async def run():\n" + textwrap.indent(msg.text, "    "), names)
    await session.reply(repr(await names["run"]()))
