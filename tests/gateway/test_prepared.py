"""Statements that are compiled once do what SQLAlchemy would do with them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.exc import IntegrityError

from cpsl.errors import GatewayError, InvalidRequest
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.prepared import Prepared
from cpsl.gateway.db.schema import accounts, tokens, workspaces
from tests.support.store import adding, all_names, on_store


def _token(number: int) -> dict[str, Any]:
    hashed, scopes = bytes([number]) * 32, ["a", {"b": number}]
    return {"id": f"t{number}", "account_id": "a", "name": "n", "hash": hashed, "scopes": scopes, "created_at": 1.5}


def test_a_prepared_statement_does_what_sqlalchemy_would(store_url: str) -> None:
    add = Prepared(tokens.insert(), "id account_id name hash scopes created_at")
    rename = Prepared(update(tokens).where(tokens.c.id == bindparam("old")).values(name=bindparam("new")))
    named = Prepared(select(tokens.c.id, tokens.c.hash).where(tokens.c.name == bindparam("given")))

    def work(connection: Connection) -> list[Any]:
        adding("w")(connection)
        account = {"id": "a", "workspace_id": "w", "email": "e", "role": "owner", "created_at": 0.0}
        connection.execute(accounts.insert().values(account))
        add.run(connection, _token(1))
        add.run(connection, _token(2), _token(3))
        rename.run(connection, {"old": "t2", "new": "other"})
        return named.fetch(connection, {"given": "n"})

    async def test(db: Database) -> None:
        found = await db.write(work)
        assert sorted((name, bytes(hashed)) for name, hashed in found) == [("t1", b"\1" * 32), ("t3", b"\3" * 32)]
        rows = await db.read(lambda connection: connection.execute(select(tokens).order_by(tokens.c.id)).all())
        assert [(row.scopes, row.name, row.created_at) for row in rows] == [
            (["a", {"b": 1}], "n", 1.5),
            (["a", {"b": 2}], "other", 1.5),
            (["a", {"b": 3}], "n", 1.5),
        ]

    on_store(store_url, test)


def test_what_a_prepared_statement_raises_is_what_sqlalchemy_raises(store_url: str) -> None:
    add = Prepared(workspaces.insert(), "id name data_key created_at")
    number = Prepared(text("INSERT INTO device_codes VALUES (:h, 'u', 'c', 's', NULL, :n, NULL, 0)"))
    wrong = Prepared(text("SELECT nothing FROM nowhere"))
    row = {"id": "there", "name": "canary", "data_key": b"x", "created_at": 0.0}

    async def test(db: Database) -> None:
        await db.write(lambda connection: add.run(connection, row))
        with pytest.raises(IntegrityError):
            await db.write(lambda connection: add.run(connection, row))
        with pytest.raises(InvalidRequest):
            await db.write(lambda connection: number.run(connection, {"h": b"h", "n": 2**70}))
        with pytest.raises(GatewayError):
            await db.write(lambda connection: wrong.run(connection, {}))
        assert await db.read(all_names) == ["canary"]

    on_store(store_url, test)
