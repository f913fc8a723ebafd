"""The conversations of app users: listing, reading, changing, deleting."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Row

from cpsl.engine.protocol import AppBroken, RuntimeLost
from cpsl.errors import InvalidRequest, NotFound
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.chats import attachments, store
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.db.database import Database
from cpsl.wire.frames import AppUser
from cpsl.wire.turns import MAX_TITLE, Session, SessionChange, SessionList

_MESSAGES = 1000
_EVERY_MESSAGE = 1_000_000
_LONGEST_QUERY = 200
_MOST_WORDS = 8
_EXIT_SECONDS = 10.0


class Sessions:
    """Conversations, each in reach of its own app user only."""

    def __init__(self, db: Database, apps: Apps, runner: Runner) -> None:
        self._db = db
        self._apps = apps
        self._runner = runner

    async def list(
        self, version: VersionRef, user: AppUser, limit: int, after: str | None, query: str = ""
    ) -> SessionList:
        """A page of sessions, the pinned ones first, then the newest; with ``query`` those that have all its words."""
        words = query[:_LONGEST_QUERY].split()[:_MOST_WORDS]
        rows = await self._db.read(lambda connection: store.sessions_of(connection, user.id, limit + 1, after, words))
        page = [_shown(row, version.app) for row in rows[:limit]]
        return SessionList(page, page[-1].id if len(rows) > limit else None)

    async def get(self, version: VersionRef, user: AppUser, session_id: str) -> Session:
        """One session with its messages. Raises NotFound, also for another user's."""
        return await self._with_messages(version, user, session_id, _MESSAGES)

    async def head(self, version: VersionRef, user: AppUser, session_id: str) -> Session:
        """One session without its messages. Raises NotFound."""
        return _shown(await self._row(version, user, session_id), version.app)

    async def export(self, version: VersionRef, user: AppUser, session_id: str) -> Session:
        """One session with all of its messages. Raises NotFound."""
        return await self._with_messages(version, user, session_id, _EVERY_MESSAGE)

    async def change(self, version: VersionRef, user: AppUser, session_id: str, change: SessionChange) -> Session:
        """Give a session another title, pin it, or unpin it. Raises NotFound, InvalidRequest (``invalid_title``)."""
        await self._row(version, user, session_id)
        values: dict[str, Any] = {}
        if change.title is not None:
            values["title"] = _title(change.title)
        if change.pinned is not None:
            values["pinned_at"] = time.time() if change.pinned else None
        if values:
            await self._db.write(lambda connection: store.change_session(connection, session_id, values))
        return await self.head(version, user, session_id)

    async def _with_messages(self, version: VersionRef, user: AppUser, session_id: str, most: int) -> Session:
        session = await self.head(version, user, session_id)
        said = await self._db.read(lambda connection: store.messages_of(connection, session_id, most))
        session.messages = attachments.with_urls(said, partial(self._apps.file_url, version.app))
        return session

    async def delete(self, version: VersionRef, user: AppUser, session_id: str) -> None:
        """Remove a session; a turn that runs in it is cancelled first, and the app's ``exit`` hook has run."""
        row = await self._row(version, user, session_id)
        for turn_id in await self._db.read(lambda connection: store.running_turns(connection, session_id)):
            await self._runner.cancel(turn_id)
        if version.spec.has_exit:
            await self._run_exit(version, user, row)
        await self._db.write(lambda connection: store.remove_session(connection, session_id))

    async def _run_exit(self, version: VersionRef, user: AppUser, row: Row[Any]) -> None:
        # A hook that fails or takes too long keeps nobody from deleting what is theirs; the app's log has the reason.
        state = await self._db.read(lambda connection: store.state_for(connection, row, ""))
        with suppress(TimeoutError, RuntimeLost, AppBroken):
            runtime = await self._runner.runtime(version, user)
            await asyncio.wait_for(runtime.close_session(state), _EXIT_SECONDS)

    async def _row(self, version: VersionRef, user: AppUser, session_id: str) -> Row[Any]:
        row = await self._db.read(lambda connection: store.session(connection, user.id, session_id))
        if row is None or row.app_id != version.app_id:
            raise NotFound(f"no session {session_id[:80]!r} of yours in this app", code="session_not_found")
        return row


def _shown(row: Row[Any], app: str) -> Session:
    return Session(
        row.id, app, row.channel, row.created_at, row.updated_at, row.title, pinned=row.pinned_at is not None
    )


def _title(given: str) -> str:
    """A title in one line. Raises InvalidRequest."""
    title = " ".join(given.split())
    if not title or len(title) > MAX_TITLE or not title.isprintable():
        raise InvalidRequest(f"a title has 1 to {MAX_TITLE} printable characters", code="invalid_title")
    return title
