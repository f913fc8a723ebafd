"""The people of an app as its operator sees them, and how one of them leaves with all their data."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from cpsl.engine.protocol import Engine
from cpsl.errors import Conflict, NotFound
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import connections, documents, files, sessions
from cpsl.gateway.files.service import UserFiles
from cpsl.gateway.integrations.tokens import Tokens
from cpsl.gateway.users import store
from cpsl.gateway.users.moving import SCOPES
from cpsl.gateway.users.service import Users
from cpsl.wire.users import User, UserList


class People:
    """Lists, disables and deletes app users."""

    def __init__(
        self, db: Database, users: Users, runner: Runner, engine: Engine, tokens: Tokens, user_files: UserFiles
    ) -> None:
        self._db = db
        self._users = users
        self._runner = runner
        self._engine = engine
        self._tokens = tokens
        self._user_files = user_files

    async def list(self, version: VersionRef, limit: int, after: str | None) -> UserList:
        """A page of the users of an app, newest first."""
        rows = await self._db.read(lambda connection: store.page(connection, version.app_id, limit + 1, after))
        page = [shown(row) for row in rows[:limit]]
        return UserList(page, page[-1].id if len(rows) > limit else None)

    async def disable(self, version: VersionRef, name: str) -> User:
        """Let a user in no more: signed out everywhere, what runs for them is stopped. Raises NotFound, Conflict."""
        row = await self._one(version, name)
        await self._db.write(lambda connection: _disable(connection, row))
        await self._stop(row.id)
        return shown(await self._one(version, row.id))

    async def enable(self, version: VersionRef, name: str) -> User:
        """Let a user in again. Raises NotFound, Conflict."""
        row = await self._one(version, name)
        await self._db.write(lambda connection: store.change(connection, row.id, disabled_at=None))
        self._users.forget(row.id)
        return shown(await self._one(version, row.id))

    async def delete(self, version: VersionRef, name: str) -> None:
        """Remove a user with all their data: conversations, files, connections (also at providers), documents.

        Raises NotFound, Conflict.
        """
        row = await self._one(version, name)
        await self._db.write(lambda connection: _disable(connection, row))  # nothing new begins meanwhile
        await self._stop(row.id)
        for integration in await self._db.read(lambda connection: _connected(connection, row.id)):
            await self._tokens.disconnect(version, row.id, integration)
        given = await self._db.read(lambda connection: _files(connection, row.id))
        await self._db.write(lambda connection: _remove(connection, row.id))
        await self._user_files.discard(given)
        self._users.forget(row.id)

    async def _one(self, version: VersionRef, name: str) -> Row[Any]:
        found = await self._db.read(lambda connection: store.matching(connection, version.app_id, name))
        if not found:
            raise NotFound(
                f"{version.app} has no user {name[:80]!r}",
                code="user_not_found",
                hint=f"List them with: capsule app users list {version.app}",
            )
        if len(found) > 1:
            raise Conflict(
                f"{len(found)} users of {version.app} have the address {name[:80]!r}",
                code="user_ambiguous",
                hint=f"Name one by id: {', '.join(row.id for row in found[:5])}",
            )
        return found[0]

    async def _stop(self, user_id: str) -> None:
        self._users.forget(user_id)
        await asyncio.gather(*(self._runner.cancel(live.id) for live in self._runner.of_user(user_id)))
        self._engine.retire(user_id)


def shown(row: Row[Any]) -> User:
    """A user as HTTP shows them."""
    return User(
        id=row.id,
        kind=row.kind,
        email=row.email or "",
        email_verified=store.shown(row).email_verified,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
    )


def _disable(connection: Connection, row: Row[Any]) -> None:
    store.change(connection, row.id, disabled_at=row.disabled_at or time.time())
    store.remove_browsers(connection, row.id)


def _connected(connection: Connection, user_id: str) -> list[str]:
    query = select(connections.c.integration).where(connections.c.app_user_id == user_id)
    return list(connection.execute(query).scalars())


def _files(connection: Connection, user_id: str) -> list[str]:
    return list(connection.execute(select(files.c.id).where(files.c.app_user_id == user_id)).scalars())


def _remove(connection: Connection, user_id: str) -> None:
    of_sessions = select("session/" + sessions.c.id).where(sessions.c.app_user_id == user_id)
    of_user = [f"{scope}/{user_id}" for scope in SCOPES]
    connection.execute(delete(documents).where(documents.c.scope_key.in_(of_sessions)))
    connection.execute(delete(documents).where(documents.c.scope_key.in_(of_user)))
    store.remove(connection, user_id)
