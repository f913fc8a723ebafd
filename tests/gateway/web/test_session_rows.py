"""Lists of conversations on SQLite and on PostgreSQL: their order, their pages, what is found in them."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from cpsl.gateway.chats import store
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import app_users, messages, sessions, turns
from tests.gateway.test_version_rows import activate, on

SAID = {"ses_1": "Äpfel und Birnen", "ses_2": "100% sure_ of it", "ses_3": "pears", "ses_4": "PEARS and quinces"}


async def converse(db: Database, app_id: str) -> None:
    """Conversations of one user, in each of which one thing was said."""
    now = time.time()

    def work(connection: Connection) -> None:
        user = {"id": "usr_1", "app_id": app_id, "kind": "visitor", "subject": "s", "created_at": now}
        connection.execute(app_users.insert().values(user))
        for session_id, text in SAID.items():
            turn_id = f"trn_{session_id}"
            row = {
                "id": session_id,
                "app_id": app_id,
                "app_user_id": "usr_1",
                "channel": "web",
                "title": "T",
                "data": {},
            }
            turn = {"id": turn_id, "session_id": session_id, "app_user_id": "usr_1", "version": 1, "state": "done"}
            connection.execute(sessions.insert().values(**row, created_at=now, updated_at=now))
            connection.execute(turns.insert().values(**turn, fingerprint=b"f", created_at=now))
            said = {"session_id": session_id, "turn_id": turn_id, "sender": "user", "text": text, "created_at": now}
            connection.execute(messages.insert().values(said))

    await db.write(work)


def test_pinned_ones_come_first_on_every_page(store_url: str) -> None:
    async def test(db: Database, workspace_id: str) -> None:
        await converse(db, await activate(db, workspace_id, "usual", 1))
        for number, session_id in enumerate(("ses_1", "ses_3")):
            values = {"pinned_at": 1000.0 + number}
            await db.write(lambda c, name=session_id, new=values: store.change_session(c, name, new))  # type: ignore[misc]
        ids, after = [], None
        while page := await db.read(lambda c, last=after: store.sessions_of(c, "usr_1", 1, last)):  # type: ignore[misc]
            ids.append(after := page[-1].id)
        assert ids == ["ses_3", "ses_1", "ses_4", "ses_2"]

    on(store_url, test)


def test_words_are_found_whatever_their_case_and_signs(store_url: str) -> None:
    async def test(db: Database, workspace_id: str) -> None:
        await converse(db, await activate(db, workspace_id, "usual", 1))

        async def found(query: str) -> list[str]:
            rows = await db.read(lambda c: store.sessions_of(c, "usr_1", 10, None, query.split()))
            return [row.id for row in rows]

        assert await found("pears") == ["ses_4", "ses_3"]
        assert await found("pears QUINCES") == ["ses_4"]
        assert await found("äpfel") == ["ses_1"]
        assert await found("%") == ["ses_2"]
        assert await found("sure_") == ["ses_2"]
        assert await found("t") == ["ses_4", "ses_3", "ses_2", "ses_1"]
        assert await db.read(lambda c: store.sessions_of(c, "usr_2", 10, None, ["pears"])) == []

    on(store_url, test)
