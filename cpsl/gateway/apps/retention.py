"""Old versions, removed when nothing runs in them any more; and images that no version names."""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import suppress

from cpsl.engine.protocol import Engine
from cpsl.errors import CapsuleError
from cpsl.gateway.apps import store
from cpsl.gateway.apps.service import Apps
from cpsl.gateway.db.database import Database
from cpsl.gateway.secrets.redaction import Redactions

log = logging.getLogger("cpsl.gateway.retention")
_LOOK_SECONDS = 2.0


class Retention:
    """Keeps the last ``keep`` versions of each app and the live one; of an app under development only the live one.

    A version goes when nothing has run in it at two looks in a row, so that its shutdown hooks still find their code.
    """

    def __init__(self, db: Database, engine: Engine, apps: Apps, redactions: Redactions, keep: int) -> None:
        self._db = db
        self._engine = engine
        self._apps = apps
        self._redactions = redactions
        self._keep = keep
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def tidy(self) -> None:
        """Look soon; returns at once."""
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        idle: set[str] = set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                idle = await self._look(idle)
            except CapsuleError as error:
                log.warning("old versions could not be removed: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, idle_before: set[str]) -> set[str]:
        """Remove what was idle before and is; the ids of those that are idle for the first time."""
        rows = await self._db.read(lambda connection: store.superfluous(connection, self._keep))
        idle = {row.id for row in rows if not row.is_busy}
        gone = idle & idle_before
        for row in rows:
            if row.id in gone:
                await self._remove(row.id)
        if len(gone) < len(rows):
            self._wake.set()
        await self._engine.collect(await self._db.read(store.images))
        return idle

    async def _remove(self, version_id: str) -> None:
        await self._engine.drain([version_id])
        if await self._db.write(lambda connection: store.remove_version(connection, version_id)):
            self._redactions.forget([version_id])
            await asyncio.to_thread(shutil.rmtree, self._apps.folder(version_id), ignore_errors=True)
