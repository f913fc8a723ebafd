"""The log of a turn where the store does not take it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import Connection

from cpsl.errors import InvalidRequest
from cpsl.gateway.bell import Bell
from cpsl.gateway.chats.log import TurnLog
from cpsl.gateway.db.database import Database
from cpsl.wire.events import Chunk, Error


def refuse(connection: Connection) -> None:
    raise InvalidRequest("a value that the store cannot hold")


def test_a_log_that_cannot_be_stored_ends_for_those_who_watch(tmp_path: Path) -> None:
    async def test(db: Database) -> None:
        log = TurnLog(db, "trn_1", "ses_1")
        watching = asyncio.ensure_future(log.settled(Bell()))
        await log.add_durably([], refuse)
        await asyncio.wait_for(watching, 5)
        assert isinstance(log.final, Error)
        assert log.final.code == "not_stored"
        await log.add_durably([Chunk("too late")])
        assert [part async for part in log.watch(0, Bell(), 1.0)] == []

    db = Database(f"sqlite:///{tmp_path / 'store.db'}")
    try:
        asyncio.run(test(db))
    finally:
        db.close()
