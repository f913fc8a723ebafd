"""Which versions are kept, which was live before, how long a log may be: on both kinds of store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from cpsl.engine.protocol import Place
from cpsl.gateway.apps import store
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import app_users, sessions, turns
from cpsl.gateway.secrets.redaction import Redactions
from cpsl.wire.apps import AppSpec, LogFilter
from cpsl.wire.frames import LogRecord
from tests.support.store import accounts_of, opened

Test = Callable[[Database, str], Awaitable[None]]


def on(url: str, test: Test) -> None:
    """Run ``test`` with a store and the workspace in it."""

    async def run() -> None:
        async with opened(url) as db:
            _, actor = await accounts_of(db)
            await test(db, actor.workspace_id)

    asyncio.run(run())


async def activate(db: Database, workspace_id: str, name: str, times: int, *, is_dev: bool = False) -> str:
    for number in range(times):
        facts: dict[str, Any] = {"version_id": f"ver_{name}_{number}", "entry": "app.py:app", "spec": AppSpec(name)}
        made = await db.write(partial(store.activate, workspace_id=workspace_id, **facts, is_dev=is_dev))
    return made.app_id


async def superfluous(db: Database, keep: int) -> dict[str, bool]:
    rows = await db.read(lambda connection: store.superfluous(connection, keep))
    return {row.id: bool(row.is_busy) for row in rows}


def test_the_last_ones_and_the_live_one_are_kept(store_url: str) -> None:
    async def test(db: Database, workspace_id: str) -> None:
        app_id = await activate(db, workspace_id, "usual", 5)
        await activate(db, workspace_id, "developed", 3, is_dev=True)
        assert await superfluous(db, 2) == {
            **dict.fromkeys(("ver_usual_0", "ver_usual_1", "ver_usual_2"), False),
            **dict.fromkeys(("ver_developed_0", "ver_developed_1"), False),
        }
        await db.write(lambda connection: store.make_live(connection, app_id, 1))
        assert set(await superfluous(db, 2)) >= {"ver_usual_1", "ver_usual_2"}
        assert "ver_usual_0" not in await superfluous(db, 0)
        assert not await db.write(lambda connection: store.remove_version(connection, "ver_usual_0"))
        assert await db.write(lambda connection: store.remove_version(connection, "ver_usual_1"))
        assert "ver_usual_1" not in await superfluous(db, 0)

    on(store_url, test)


def test_a_turn_in_it_makes_a_version_busy(store_url: str) -> None:
    async def test(db: Database, workspace_id: str) -> None:
        app_id = await activate(db, workspace_id, "usual", 3)
        now = time.time()
        user = {"id": "usr_1", "app_id": app_id, "kind": "account", "subject": "s", "email": None, "created_at": now}
        session = {"id": "ses_1", "app_id": app_id, "app_user_id": "usr_1", "channel": "api", "title": "", "data": {}}
        turn = {"id": "trn_1", "session_id": "ses_1", "app_user_id": "usr_1", "version": 1, "state": "running"}
        await db.write(lambda c: c.execute(app_users.insert().values(user)))
        await db.write(lambda c: c.execute(sessions.insert().values(**session, created_at=now, updated_at=now)))
        await db.write(lambda c: c.execute(turns.insert().values(**turn, fingerprint=b"f", created_at=now)))
        assert await superfluous(db, 1) == {"ver_usual_0": True, "ver_usual_1": False}
        await db.write(lambda c: c.execute(turns.update().values(ended_at=now)))
        assert await superfluous(db, 1) == {"ver_usual_0": False, "ver_usual_1": False}

    on(store_url, test)


def test_the_one_before_is_the_one_that_was_live_last(store_url: str) -> None:
    async def test(db: Database, workspace_id: str) -> None:
        app_id = await activate(db, workspace_id, "usual", 1)
        assert await db.read(lambda connection: store.live_before(connection, app_id)) is None
        await activate(db, workspace_id, "again", 3)
        again = await activate(db, workspace_id, "other", 3)
        assert await db.read(lambda connection: store.live_before(connection, again)) == 2
        await db.write(lambda connection: store.make_live(connection, again, 1))
        assert await db.read(lambda connection: store.live_before(connection, again)) == 3

    on(store_url, test)


def test_a_log_keeps_its_last_lines_and_filters_them(store_url: str) -> None:
    async def test(db: Database, workspace_id: str) -> None:
        app_id = await activate(db, workspace_id, "usual", 1)
        logs, place = AppLogs(db, Redactions()), Place(app_id, 1, "ver_usual_0", "usr_1")
        for batch in range(3):
            logs.add(place, [LogRecord(f"{batch} {n} " + "x" * 10_000, 1000.0 + batch, "debug") for n in range(700)])
            await logs.close()
        logs.add(place, [LogRecord("at last", 2000.0, "error", session_id="ses_1")])
        await logs.close()
        kept = await logs.page(app_id, 10_000)
        assert kept[-1].message == "at last"
        assert 14_000_000 < sum(len(line.message) for line in kept) < 20_000_000
        for wanted in (LogFilter(since=1500.0), LogFilter(level="info"), LogFilter(session="ses_1", version=1)):
            assert [line.message for line in await logs.page(app_id, 10, None, wanted)] == ["at last"]
        assert await logs.newest(app_id) == kept[-1].id

    on(store_url, test)
