"""A conversation as HTML: its turns, each with what was said and all that was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from typing import Any, NamedTuple

from markupsafe import Markup
from sqlalchemy import Connection, Row

from cpsl.gateway.chats import attachments, store
from cpsl.gateway.chats.store import Entry
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.web.parts import Fold
from cpsl.gateway.web.rendering import render
from cpsl.wire.events import decode

MOST_TURNS = 200
MOST_BYTES = 8 * 1024 * 1024
"""How much of a conversation a page shows, in turns and in bytes of their logs; the export has all."""


_LONG = 1200
_MANY_LINES = 18
"""From how many characters or lines on a message is folded, as in ``folding.js``."""


class _Said(NamedTuple):
    """A turn with its log so far."""

    row: Row[Any]
    entries: list[Entry]


async def of_session(gateway: Gateway, app: str, session_id: str, base: str, connected: Container[str]) -> Markup:
    """The last turns of a conversation, oldest first. ``connected``: what its user has connected."""
    said, is_all = await gateway.db.read(lambda connection: _read(connection, session_id))
    live = [_Said(each.row, _entries(gateway, each)) for each in said]
    turns = await asyncio.to_thread(_turns, live, app, base, connected)
    return turns if is_all else _earlier(app, session_id) + turns


def message(row: Row[Any], app: str) -> Markup:
    """What somebody said with the turn of this row, as HTML."""
    attached = attachments.located(attachments.read(row.attachments), lambda file_id: file_url(app, file_id))
    is_long = len(row.text) > _LONG or row.text.count("\n") >= _MANY_LINES
    html = render("parts/message.html", id=f"{row.id}-0", text=row.text, attachments=attached, is_long=is_long)
    return Markup(html)  # noqa: S704


def file_url(app: str, file_id: str) -> str:
    """Where a page finds a file: on whichever host it is itself."""
    return f"/api/v1/app/{app}/files/{file_id}"


def _read(connection: Connection, session_id: str) -> tuple[list[_Said], bool]:
    """The last turns of a session, and whether these are all."""
    rows = store.turns_of(connection, session_id, MOST_TURNS + 1)
    said: list[_Said] = []
    size = 0
    for row in reversed(rows[-MOST_TURNS:]):
        said.insert(0, _Said(row, store.entries(connection, row.id)))
        size += sum(len(entry.data) for entry in said[0].entries)
        if size > MOST_BYTES:
            break
    return said, len(said) == len(rows)


def _earlier(app: str, session_id: str) -> Markup:
    link = f"/api/v1/app/{app}/sessions/{session_id}/export"
    return Markup('<p class="notice">What was said before is in <a href="{}" download>the export</a>.</p>\n').format(
        link
    )


def _entries(gateway: Gateway, said: _Said) -> list[Entry]:
    """The log of a turn; of one that runs, what has been told, which the store may have had later than we asked."""
    running = gateway.runner.live(said.row.id)
    return running.log.after(0) if running else said.entries


def _turns(said: list[_Said], app: str, base: str, connected: Container[str]) -> Markup:
    return Markup("\n").join(_turn(each, app, base, connected) for each in said)


def _turn(said: _Said, app: str, base: str, connected: Container[str]) -> Markup:
    fold = Fold(said.row.id, base, connected)
    fold.take(decode(entry.data) for entry in said.entries)
    html = render(
        "parts/turn.html",
        turn=said.row,
        message=message(said.row, app),
        parts=[Markup(part.html()) for part in fold.fresh()],  # noqa: S704
        state=fold.state,
        failure=fold.failure,
        after=len(said.entries),
    )
    return Markup(html)  # noqa: S704
