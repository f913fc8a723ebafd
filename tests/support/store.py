"""Stores for tests that need no gateway around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cpsl.gateway.accounts.service import Accounts, Actor
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.migrate import migrate
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
