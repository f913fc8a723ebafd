"""The people of an app, for whoever operates it: seen, disabled and enabled, deleted with all that is theirs."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sqlalchemy import Connection, Row

from cpsl.engine.protocol import Engine
from cpsl.errors import Conflict, NotFound
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.db.database import Database
from cpsl.gateway.files.service import UserFiles
from cpsl.gateway.integrations import store as integrations
from cpsl.gateway.integrations.tokens import Tokens
from cpsl.gateway.users import owned, store
from cpsl.gateway.users.service import Users
from cpsl.wire import users as wire


class People:
    """All of them. ``workspace_id`` is that of who operates; an app is named, a person by id or e-mail address."""

    def __init__(
        self,
        db: Database,
        apps: Apps,
        users: Users,
        runner: Runner,
        engine: Engine,
        tokens: Tokens,
        user_files: UserFiles,
    ) -> None:
        self._db = db
        self._apps = apps
        self._users = users
        self._runner = runner
        self._engine = engine
        self._tokens = tokens
        self._user_files = user_files

    async def page(
        self, workspace_id: str, app: str, limit: int, after: str | None, *, visitors: bool
    ) -> wire.UserList:
        """People of an app, newest first; with ``visitors`` also those who never said who they are."""
        found = await self._apps.get(workspace_id, app)
        rows = await self._db.read(lambda c: store.page(c, found.id, limit + 1, after, visitors=visitors))
        shown = [_shown(row) for row in rows[:limit]]
        return wire.UserList(shown, shown[-1].id if len(rows) > limit else None)

    async def get(self, workspace_id: str, app: str, name: str) -> wire.User:
        """One person. Raises NotFound, Conflict for an address that several have."""
        return _shown(await self._row(await self._apps.live(workspace_id, app), name))

    async def change(self, workspace_id: str, app: str, name: str, *, disabled: bool) -> wire.User:
        """Disable somebody: signed out everywhere, and nothing of theirs runs on. Or let them in again."""
        version = await self._apps.live(workspace_id, app)
        row = await self._row(version, name)
        if disabled:
            await self._shut_out(version, row.id)
        else:
            await self._db.write(lambda connection: store.change(connection, row.id, disabled_at=None))
        self._users.forget(row.id)
        return await self.get(workspace_id, app, row.id)

    async def delete(self, workspace_id: str, app: str, name: str) -> None:
        """Remove somebody with all that is theirs, here and, where it can be told to, at the services connected."""
        version = await self._apps.live(workspace_id, app)
        row = await self._row(version, name)
        await self._shut_out(version, row.id)
        for each in await self._db.read(lambda connection: integrations.connections_of(connection, row.id)):
            await self._tokens.disconnect(version, row.id, each.integration)
        files = await self._db.write(lambda connection: owned.remove(connection, version.app_id, row.id))
        self._users.forget(row.id)
        await self._user_files.discard(files)

    async def _shut_out(self, version: VersionRef, user_id: str) -> None:
        """Nobody comes in as this user from now on; then what runs for them ends, within seconds."""

        def work(connection: Connection) -> None:
            store.change(connection, user_id, disabled_at=time.time())
            store.remove_browsers(connection, user_id)

        await self._db.write(work)
        self._users.forget(user_id)
        await asyncio.gather(*(self._runner.cancel(live.id) for live in self._runner.of_user(user_id)))
        await self._engine.evict(version.app_id, user_id)

    async def _row(self, version: VersionRef, name: str) -> Row[Any]:
        rows = await self._db.read(lambda connection: store.matching(connection, version.app_id, name))
        if not rows:
            raise NotFound(
                f"no user {name[:320]!r} of {version.app}",
                code="user_not_found",
                hint=f"List them with: capsule app users list {version.app}",
            )
        if len(rows) > 1:
            kinds = ", ".join(f"{row.id} ({row.kind})" for row in rows)
            raise Conflict(
                f"{name} is more than one user of {version.app}", code="ambiguous_user", hint=f"Say which: {kinds}"
            )
        return rows[0]


def _shown(row: Row[Any]) -> wire.User:
    return wire.User(
        row.id,
        row.kind,
        row.created_at,
        row.email or "",
        store.shown(row).email_verified,
        row.disabled_at is not None,
        row.last_seen_at or 0,
    )
