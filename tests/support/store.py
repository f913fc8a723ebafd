"""Stores for tests that need no gateway around them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, select

from cpsl.gateway.accounts.service import Accounts, Actor
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.migrate import migrate
from cpsl.gateway.db.schema import workspaces
from cpsl.gateway.vault import Key, Vault

MASTER = Key(b"m" * 32)


@asynccontextmanager
async def opened(url: str, kind: type[Database] = Database) -> AsyncIterator[Database]:
    """A store with its newest schema."""
    db = kind(url)
    try:
        await asyncio.to_thread(migrate, db.engine)
        yield db
    finally:
        await asyncio.to_thread(db.close)


async def accounts_of(db: Database) -> tuple[Accounts, Actor]:
    """The accounts of a store, and its owner with a token that nobody knows."""
    accounts = Accounts(db, Vault(MASTER), "the bootstrap secret")
    await accounts.set_up()
    issued = await accounts.login_local("the bootstrap secret", "test")
    return accounts, await accounts.authenticate(issued.access_token)


def on_store(url: str, test: Callable[[Database], Awaitable[None]]) -> None:
    """Run ``test`` with the store at ``url``."""

    async def with_store() -> None:
        async with opened(url) as db:
            await test(db)

    asyncio.run(with_store())


def adding(name: str, size: int = 10) -> Callable[[Connection], str]:
    """A write that adds a workspace whose key has ``size`` bytes, and returns its name."""

    def work(connection: Connection) -> str:
        row = {"id": name, "name": name, "data_key": b"x" * size, "created_at": 0.0}
        connection.execute(workspaces.insert().values(row))
        return name

    return work


def all_names(connection: Connection) -> list[str]:
    """The names of all workspaces."""
    return list(connection.execute(select(workspaces.c.name).order_by(workspaces.c.name)).scalars())


async def together(db: Database, *works: Callable[[Connection], Any]) -> list[Any]:
    """Have ``works`` wait behind a slow write, so that they are one group."""
    begun, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        release.wait(10)

    first = asyncio.create_task(db.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    waiting = [asyncio.create_task(db.write(work)) for work in works]
    await asyncio.sleep(0.01)
    release.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)
