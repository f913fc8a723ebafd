"""A visitor signs in: what both have, what is sealed, and what belongs to others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, select

from cpsl.gateway.db.migrate import migrate
from cpsl.gateway.db.schema import app_users, apps, connections, documents, sessions, turns, workspaces
from cpsl.gateway.users import store
from cpsl.gateway.users.moving import move
from cpsl.gateway.vault import Key

KEY = Key(b"k" * 32)
NOW = time.time()


@pytest.fixture
def rows(store_url: str) -> Iterator[Connection]:
    """A store with an app, a visitor ``v``, a user ``u`` and somebody else ``x``."""
    engine = create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(insert(workspaces).values(id="w", name="w", data_key=b"", created_at=NOW))
        connection.execute(
            insert(apps).values(id="a", workspace_id="w", name="a", live_version=0, created_at=NOW, updated_at=NOW)
        )
        for name, kind in (("v", "visitor"), ("u", "email"), ("x", "email")):
            connection.execute(insert(app_users).values(id=name, app_id="a", kind=kind, subject=name, created_at=NOW))
        yield connection
    engine.dispose()


def _connect(rows: Connection, user: str, integration: str, value: bytes) -> None:
    sealed = KEY.seal(value, f"connection/{user}/{integration}")
    row = {"id": f"{user}{integration}", "app_user_id": user, "integration": integration, "sealed": sealed}
    rows.execute(insert(connections).values(row | {"updated_at": NOW}))


def _converse(rows: Connection, user: str, key: str | None) -> None:
    row = {"id": f"s{user}", "app_id": "a", "app_user_id": user, "channel": "web", "title": "", "data": {}}
    rows.execute(insert(sessions).values(row | {"created_at": NOW, "updated_at": NOW}))
    turn = {"id": f"t{user}", "session_id": f"s{user}", "app_user_id": user, "version": 1, "state": "done"}
    rows.execute(insert(turns).values(turn | {"idempotency_key": key, "fingerprint": b"", "created_at": NOW}))


def _note(rows: Connection, scope_key: str, document: str, text: str) -> None:
    row = {"app_id": "a", "collection": "notes", "scope_key": scope_key, "id": document, "data": {"text": text}}
    rows.execute(insert(documents).values(row))


def _all(rows: Connection, *columns: Any) -> set[Any]:
    return {tuple(row) if len(columns) > 1 else row[0] for row in rows.execute(select(*columns))}


def test_conversations_are_the_users_and_a_key_that_both_used_stays_with_theirs(rows: Connection) -> None:
    for user in "vux":
        _converse(rows, user, "same")
    move(rows, KEY, "v", "u")
    assert _all(rows, sessions.c.id, sessions.c.app_user_id) == {("sv", "u"), ("su", "u"), ("sx", "x")}
    assert _all(rows, turns.c.id, turns.c.app_user_id, turns.c.idempotency_key) == {
        ("tv", "u", None),
        ("tu", "u", "same"),
        ("tx", "x", "same"),
    }
    assert store.by_id(rows, "v") is None


def test_connections_open_for_the_user_and_what_they_had_stays(rows: Connection) -> None:
    _connect(rows, "v", "github", b"the visitor's")
    _connect(rows, "v", "aws", b"only the visitor's")
    _connect(rows, "u", "github", b"the user's")
    _connect(rows, "x", "github", b"another's")
    move(rows, KEY, "v", "u")
    opened = {
        (row.app_user_id, row.integration): KEY.open(
            bytes(row.sealed), f"connection/{row.app_user_id}/{row.integration}"
        )
        for row in rows.execute(select(connections))
    }
    assert opened == {
        ("u", "github"): b"the user's",
        ("u", "aws"): b"only the visitor's",
        ("x", "github"): b"another's",
    }


def test_documents_are_the_users_and_one_of_the_same_id_stays_as_they_had_it(rows: Connection) -> None:
    for scope in ("user", "owner"):
        for user in "vux":
            _note(rows, f"{scope}/{user}", "profile", f"of {user}")
        _note(rows, f"{scope}/v", "other", "of v")
    _note(rows, "", "profile", "of the app")
    _note(rows, "session/sv", "profile", "of a session")
    move(rows, KEY, "v", "u")
    found = {(row.scope_key, row.id): row.data["text"] for row in rows.execute(select(documents))}
    assert found == {
        ("", "profile"): "of the app",
        ("session/sv", "profile"): "of a session",
        **{(f"{scope}/u", "profile"): "of u" for scope in ("user", "owner")},
        **{(f"{scope}/u", "other"): "of v" for scope in ("user", "owner")},
        **{(f"{scope}/x", "profile"): "of x" for scope in ("user", "owner")},
    }
