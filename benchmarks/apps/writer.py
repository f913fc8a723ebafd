"""An app that writes Markdown, piece by piece: ``KIND KIB SECONDS``."""

import asyncio

import cpsl

app = cpsl.App(name="writer", image=cpsl.Image())

MIXED = (
    "## Part\n\nSome **words**, `code` and a [link](https://example.org).\n\n- one\n- two\n\n```py\nx = [1, 2]\n```\n\n"
)
ONE_BLOCK = "A paragraph that **never** ends, with `code` in it.\n"
ONE_LIST = "- an item, and\n\n  a second paragraph of it\n\n"
KINDS = {"mixed": MIXED, "paragraph": ONE_BLOCK, "list": ONE_LIST}


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    kind, size, seconds = msg.text.split()
    block = KINDS[kind]
    text = (block * (int(size) * 1024 // len(block) + 1))[: int(size) * 1024]
    pieces = [text[at : at + 20] for at in range(0, len(text), 20)]
    async with session.stream_reply() as out:
        for number, piece in enumerate(pieces):
            out.write(piece)
            if number % 50 == 49:
                await asyncio.sleep(float(seconds) * 50 / len(pieces))
