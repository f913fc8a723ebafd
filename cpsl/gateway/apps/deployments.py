"""What becomes of deploys: told while it happens, and kept to be asked for.

A deployment is in the store before its id is told, so an id that is not there is none. How it ended outlives the
gateway; what happened on the way is in memory only, while it runs and a little longer, for those who were cut off.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from sqlalchemy import Row

from cpsl.errors import CapsuleError, NotFound
from cpsl.gateway.apps import deployment_rows as rows
from cpsl.gateway.apps.service import Apps
from cpsl.gateway.bell import Bell, wait_for
from cpsl.gateway.db.database import Database
from cpsl.wire.apps import DeployDone, DeployError, DeployEvent
from cpsl.wire.deployments import Deployment
from cpsl.wire.ids import new_id

log = logging.getLogger("cpsl.gateway.deploys")
_LOGS_KEPT = 20  # of deploys that have ended
_INTERRUPTED = DeployError(
    "deploy_interrupted", "the gateway stopped while it deployed this", "What was live stays live. Deploy again."
)


class _Log:
    """The events of one deploy; ``changed`` rings with the next."""

    def __init__(self) -> None:
        self.events: list[DeployEvent] = []
        self.changed = Bell()

    @property
    def is_over(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], DeployDone | DeployError)

    def add(self, event: DeployEvent) -> None:
        """What the imported app prints after the end has no reader here."""
        if self.is_over:
            return
        self.events.append(event)
        changed, self.changed = self.changed, Bell()
        changed.ring()


class Deployments:
    """The deployments of every workspace."""

    def __init__(self, db: Database, apps: Apps, heartbeat: float) -> None:
        """``heartbeat``: seconds after which who follows a deploy is told that it goes on."""
        self._db = db
        self._apps = apps
        self._heartbeat = heartbeat
        self._logs: dict[str, _Log] = {}

    async def begin(self, new: rows.NewDeployment) -> tuple[str, bool]:
        """Begin a deployment, or find the one that came with the same key; its id, and whether it is a new one.

        Raises InvalidRequest (``idempotency_key_reused``) for a key of something else.
        """
        id = new_id("ver")
        found = await self._db.write(lambda connection: rows.begin(connection, id, new))
        if found == id:
            self._logs[id] = _Log()
        return found, found == id

    def report(self, id: str, event: DeployEvent) -> None:
        """Tell what happens in a deploy that runs."""
        if id in self._logs:
            self._logs[id].add(event)

    async def end(self, id: str, last: DeployDone | DeployError) -> None:
        """Keep how a deploy ended, then tell it."""
        try:
            await self._db.write(lambda connection: rows.end(connection, id, last))
        except CapsuleError as error:  # who listens is told anyway; for others the next start of a gateway finds it
            log.warning("what became of the deploy %s could not be kept: %s", id, error)
        self._logs[id].add(last)
        ended = [each for each, events in self._logs.items() if events.is_over]
        for each in ended[:-_LOGS_KEPT]:
            del self._logs[each]

    async def recover(self) -> None:
        """End what an earlier gateway left running."""
        await self._db.write(lambda connection: rows.end_all(connection, _INTERRUPTED))

    async def get(self, workspace_id: str, id: str) -> Deployment:
        """One deployment. Raises NotFound."""
        row = await self._db.read(lambda connection: rows.one(connection, workspace_id, id))
        if row is None:
            raise NotFound(
                f"no deployment {id[:80]!r} in this workspace",
                code="deployment_not_found",
                hint="List those of an app with: capsule app deploys APP",
            )
        return self._shown(row)

    async def of_app(self, workspace_id: str, app: str) -> list[Deployment]:
        """The deployments of an app, newest first; also of one that never went live. Raises NotFound without any."""
        found = await self._db.read(lambda connection: rows.of_app(connection, workspace_id, app))
        if not found:
            name = (await self._apps.get(workspace_id, app)).name
            found = await self._db.read(lambda connection: rows.of_app(connection, workspace_id, name))
        return [self._shown(row) for row in found]

    async def events(self, found: Deployment, after: int) -> AsyncIterator[tuple[int, DeployEvent] | None]:
        """What happens in a deployment, numbered from 1, after number ``after``; None when nothing does for a while.

        Where only its end is known any more, that.
        """
        events = self._logs.get(found.deployment_id)
        if events is None:
            yield after + 1, _end(found)
            return
        while True:
            changed = events.changed
            while after < len(events.events):
                after += 1
                yield after, events.events[after - 1]
            if events.is_over:
                return
            if not await wait_for(changed, timeout=self._heartbeat):
                yield None

    def _shown(self, row: Row[Any]) -> Deployment:
        return Deployment(
            deployment_id=row.id,
            app=row.app,
            state=row.state,
            entry=row.entry,
            created_at=row.created_at,
            ended_at=row.ended_at,
            version=row.version or 0,
            url=self._apps.url(row.app) if row.version else "",
            error=msgspec.convert(row.error, DeployError) if row.error else None,
        )


def _end(found: Deployment) -> DeployDone | DeployError:
    if found.state == "done":
        return DeployDone(found.app, found.version, found.url, found.deployment_id)
    return found.error or _INTERRUPTED
