"""Rows of sessions, turns, messages and prompts.

The statements that every turn runs are made once, here at the top: to build one costs more than to run it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, bindparam, delete, exists, or_, select, update

from cpsl.gateway.chats import attachments
from cpsl.gateway.db.prepared import Prepared
from cpsl.gateway.db.schema import apps, events, messages, prompts, sessions, turns
from cpsl.gateway.db.texts import storable
from cpsl.wire.events import Prompt, decode, type_of
from cpsl.wire.frames import SessionState
from cpsl.wire.ids import new_id
from cpsl.wire.turns import Attachment, Message

HISTORY = 50
UNFINISHED = ("queued", "running")

_TURN_BY_KEY = select(turns).where(
    turns.c.app_user_id == bindparam("app_user_id"), turns.c.idempotency_key == bindparam("key")
)
_SESSION = select(sessions).where(
    sessions.c.id == bindparam("session_id"), sessions.c.app_user_id == bindparam("app_user_id")
)
_MESSAGES = (
    select(messages, sessions.c.channel)
    .join(sessions, sessions.c.id == messages.c.session_id)
    .where(messages.c.session_id == bindparam("session_id"))
    .order_by(messages.c.id.desc())
    .limit(bindparam("limit"))
)
_ADD_SESSION = Prepared(sessions.insert(), "id app_id app_user_id channel title data created_at updated_at")
_ADD_TURN = Prepared(turns.insert(), "id session_id app_user_id version state idempotency_key fingerprint created_at")
_ADD_MESSAGES = Prepared(messages.insert().inline(), "session_id turn_id sender text created_at attachments")
_ADD_EVENTS = Prepared(events.insert(), "turn_id number data")
_TOUCH_SESSION = Prepared(
    update(sessions).where(sessions.c.id == bindparam("session_id")).values(updated_at=bindparam("now"))
)
_SET_STATE = Prepared(
    update(turns)
    .where(turns.c.id == bindparam("turn_id"))
    .values(state=bindparam("new_state"), ended_at=bindparam("ended"))
)


class Entry(NamedTuple):
    """One event of a turn's log as it is stored: its number, its type, the struct as JSON."""

    number: int
    kind: str
    data: bytes


class NewTurn(msgspec.Struct, frozen=True):
    """A turn to be stored, with the user's message that begins it."""

    id: str
    app_id: str
    app_user_id: str
    version: int
    channel: str
    text: str
    session_id: str | None
    idempotency_key: str | None
    fingerprint: bytes
    attachments: list[Attachment] = []


def turn_by_key(connection: Connection, app_user_id: str, key: str) -> Row[Any] | None:
    return connection.execute(_TURN_BY_KEY, {"app_user_id": app_user_id, "key": key}).one_or_none()


def session(connection: Connection, app_user_id: str, session_id: str) -> Row[Any] | None:
    return connection.execute(_SESSION, {"session_id": session_id, "app_user_id": app_user_id}).one_or_none()


def add_session(connection: Connection, new: NewTurn) -> str:
    session_id = new_id("ses")
    now = time.time()
    first_line = (new.text.strip().splitlines() or [each.name for each in new.attachments] or [""])[0]
    row = {
        "id": session_id,
        "app_id": new.app_id,
        "app_user_id": new.app_user_id,
        "channel": new.channel,
        "title": first_line[:80],
        "data": {},
        "created_at": now,
        "updated_at": now,
    }
    _ADD_SESSION.run(connection, row)
    return session_id


def add_turn(connection: Connection, new: NewTurn, session_id: str, started: bytes) -> None:
    """Store a turn, the user's message, and the first event of its log."""
    now = time.time()
    row = {
        "id": new.id,
        "session_id": session_id,
        "app_user_id": new.app_user_id,
        "version": new.version,
        "state": "running",
        "idempotency_key": new.idempotency_key,
        "fingerprint": new.fingerprint,
        "created_at": now,
    }
    _ADD_TURN.run(connection, row)
    add_messages(connection, session_id, new.id, "user", [new.text], new.attachments)
    add_entries(connection, new.id, [Entry(1, "started", started)])
    if new.session_id is not None:
        _TOUCH_SESSION.run(connection, {"session_id": session_id, "now": now})


def add_messages(
    connection: Connection,
    session_id: str,
    turn_id: str,
    sender: str,
    texts: list[str],
    attached: Sequence[Attachment] = (),
) -> None:
    common = {
        "session_id": session_id,
        "turn_id": turn_id,
        "sender": sender,
        "created_at": time.time(),
        "attachments": attachments.stored(list(attached)),
    }
    rows = [{**common, "text": storable(text)} for text in texts]
    _ADD_MESSAGES.run(connection, *rows)


def add_entries(connection: Connection, turn_id: str, entries: list[Entry]) -> None:
    rows = [{"turn_id": turn_id, "number": entry.number, "data": entry.data} for entry in entries]
    _ADD_EVENTS.run(connection, *rows)


def state_for(connection: Connection, session_row: Row[Any], turn_id: str) -> SessionState:
    """What the handler of a turn finds in its session: everything said before this turn."""
    said = [each for each in messages_of(connection, session_row.id, HISTORY + 1) if each.request_id != turn_id]
    return SessionState(session_row.id, session_row.channel, history=said[-HISTORY:], data=session_row.data)


def messages_of(connection: Connection, session_id: str, limit: int) -> list[Message]:
    """The last messages of a session, oldest first."""
    rows = reversed(connection.execute(_MESSAGES, {"session_id": session_id, "limit": limit}).all())
    return [
        Message(row.text, row.sender, row.created_at, row.turn_id, row.channel, attachments.read(row.attachments))
        for row in rows
    ]


def set_turn_state(connection: Connection, turn_id: str, state: str) -> None:
    ended = None if state in UNFINISHED else time.time()
    _SET_STATE.run(connection, {"turn_id": turn_id, "new_state": state, "ended": ended})


def save_data(connection: Connection, session_id: str, data: dict[str, Any]) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(data=data))


def turn(connection: Connection, turn_id: str) -> Row[Any] | None:
    """A turn with what its session and app are called, and the user's text."""
    query = (
        select(
            turns,
            sessions.c.app_id,
            sessions.c.channel,
            apps.c.name.label("app"),
            apps.c.workspace_id,
            messages.c.text,
            messages.c.attachments,
        )
        .join(sessions, sessions.c.id == turns.c.session_id)
        .join(apps, apps.c.id == sessions.c.app_id)
        .join(messages, (messages.c.turn_id == turns.c.id) & (messages.c.sender == "user"))
        .where(turns.c.id == turn_id)
    )
    return connection.execute(query).one_or_none()


def unfinished(connection: Connection) -> list[str]:
    """The turns that a gateway left behind when it died, oldest first."""
    query = select(turns.c.id).where(turns.c.state.in_(UNFINISHED)).order_by(turns.c.id)
    return list(connection.execute(query).scalars())


def entries(connection: Connection, turn_id: str) -> list[Entry]:
    query = select(events.c.number, events.c.data).where(events.c.turn_id == turn_id).order_by(events.c.number)
    return [Entry(number, type_of(decode(data)), bytes(data)) for number, data in connection.execute(query)]


def sessions_of(
    connection: Connection, app_user_id: str, limit: int, after: str | None, words: Sequence[str] = ()
) -> list[Row[Any]]:
    """Sessions, the pinned ones first, each kind newest first; ``after`` is the last id of the page before.

    With ``words`` those in whose title or messages each of them stands.
    """
    query = select(sessions).where(sessions.c.app_user_id == app_user_id, *(_mentions(word) for word in words))
    if after is not None:
        pinned_at = connection.execute(select(sessions.c.pinned_at).where(sessions.c.id == after)).scalar()
        later = sessions.c.pinned_at.is_(None)
        query = query.where(
            later & (sessions.c.id < after) if pinned_at is None else later | (sessions.c.pinned_at < pinned_at)
        )
    in_order = query.order_by(sessions.c.pinned_at.is_(None), sessions.c.pinned_at.desc(), sessions.c.id.desc())
    return list(connection.execute(in_order.limit(limit)).all())


def _mentions(word: str) -> ColumnElement[bool]:
    """Where a word stands. One reads through the conversations of one person: an index would cost every turn."""
    said = exists().where(messages.c.session_id == sessions.c.id, _contains(messages.c.text, word))
    return _contains(sessions.c.title, word) | said


def _contains(column: Column[str], word: str) -> ColumnElement[bool]:
    # SQLite knows upper and lower case of ASCII only.
    forms = {word, word.lower(), word.upper(), word.capitalize()}
    return or_(*(column.icontains(form, autoescape=True) for form in sorted(forms)))


def change_session(connection: Connection, session_id: str, values: dict[str, Any]) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(values))


def turns_of(connection: Connection, session_id: str, limit: int) -> list[Row[Any]]:
    """The last turns of a session, each with the user's message, oldest first."""
    query = (
        select(turns.c.id, messages.c.text, messages.c.attachments)
        .join(messages, (messages.c.turn_id == turns.c.id) & (messages.c.sender == "user"))
        .where(turns.c.session_id == session_id)
        .order_by(turns.c.id.desc())
        .limit(limit)
    )
    return list(reversed(connection.execute(query).all()))


def running_turns(connection: Connection, session_id: str) -> list[str]:
    query = select(turns.c.id).where(turns.c.session_id == session_id, turns.c.state.in_(UNFINISHED))
    return list(connection.execute(query).scalars())


def remove_session(connection: Connection, session_id: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.id == session_id))


def is_first_turn(connection: Connection, session_id: str, turn_id: str) -> bool:
    """Whether no turn of the session came before this one."""
    query = select(turns.c.id).where(turns.c.session_id == session_id, turns.c.id < turn_id).limit(1)
    return connection.execute(query).first() is None


def add_prompt(connection: Connection, turn_id: str, event: Prompt, path: str, position: int) -> None:
    row = {
        "id": event.prompt_id,
        "turn_id": turn_id,
        "event": msgspec.to_builtins(event),
        "path": path,
        "outcome": None,
        "expires_at": event.expires_at,
        "position": position,
    }
    connection.execute(prompts.insert().values(row))


def prompt(connection: Connection, turn_id: str, prompt_id: str) -> Row[Any] | None:
    query = select(prompts).where(prompts.c.id == prompt_id, prompts.c.turn_id == turn_id)
    return connection.execute(query).one_or_none()


def prompts_of(connection: Connection, turn_id: str) -> list[Row[Any]]:
    """The prompts of a turn, in the order in which its handler asked."""
    query = select(prompts).where(prompts.c.turn_id == turn_id).order_by(prompts.c.position)
    return list(connection.execute(query).all())


def close_prompt(connection: Connection, prompt_id: str, outcome: str, result: bytes) -> bool:
    """Give a prompt its outcome and its sealed result, once: of two answers at the same time, one wins."""
    query = update(prompts).where(prompts.c.id == prompt_id, prompts.c.outcome.is_(None))
    return connection.execute(query.values(outcome=outcome, result=result)).rowcount > 0


def close_prompts(connection: Connection, turn_id: str) -> None:
    """Close what nobody answered; the results are for a handler that runs again, and no turn that has ended does."""
    of_turn = update(prompts).where(prompts.c.turn_id == turn_id)
    connection.execute(of_turn.where(prompts.c.outcome.is_(None)).values(outcome="cancelled"))
    connection.execute(of_turn.values(result=None))
