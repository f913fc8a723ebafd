"""Making an earlier version the live one again."""

from __future__ import annotations

import time

from cpsl.engine.protocol import AppBroken
from cpsl.errors import Conflict, DeployFailed, NotFound
from cpsl.gateway.apps.importing import Importer
from cpsl.gateway.apps.inventory import Inventory
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.restarts import Restarts
from cpsl.gateway.apps.retention import Retention
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.wire.apps import App, RolledBack, Version


class Rollbacks:
    """Goes back to versions that are still kept. What is live stays live until the other one can answer."""

    def __init__(
        self,
        apps: Apps,
        inventory: Inventory,
        importer: Importer,
        restarts: Restarts,
        retention: Retention,
        app_logs: AppLogs,
    ) -> None:
        self._apps = apps
        self._inventory = inventory
        self._importer = importer
        self._restarts = restarts
        self._retention = retention
        self._app_logs = app_logs

    async def roll_back(self, workspace_id: str, name: str, number: int | None) -> RolledBack:
        """Make a version live: ``number``, or the one that was live before.

        Raises NotFound for a version that there is not, Conflict for one that is live, DeployFailed when
        it does not come up any more, Refused when what it names is gone. Then nothing has changed.
        """
        app = await self._apps.get(workspace_id, name)
        wanted = number if number is not None else await self._before(app)
        _check(app, wanted, await self._apps.versions(workspace_id, app.id))
        version = await self._apps.version(app.id, wanted)
        began = time.time()
        await self._make_ready(version)
        try:
            await self._apps.make_live(version, app.live_version)
        except Conflict:
            await self._importer.let_go(version.version_id)
            raise
        await self._restarts.if_changed(version, began)
        self._retention.tidy()
        self._tell(version, f"Live again, instead of v{app.live_version}")
        return RolledBack(app.name, wanted, app.live_version, app.url)

    async def _before(self, app: App) -> int:
        number = await self._apps.live_before(app.id)
        if number is None:
            raise Conflict(
                f"there is no version of {app.name} to go back to",
                code="no_earlier_version",
                hint=f"See: capsule app versions {app.name}",
            )
        return number

    async def _make_ready(self, version: VersionRef) -> None:
        await self._inventory.require(version.workspace_id, version.spec)
        start = await self._apps.start_frame(version)
        try:
            await self._importer.make_ready(version, start, lambda line: self._tell(version, line))
        except AppBroken as error:
            self._tell(version, error.traceback or error.message, "error")
            raise DeployFailed(
                f"v{version.number} of {version.app} does not come up any more: {error.message}",
                hint=f"The whole of it: capsule logs {version.app} --version v{version.number}",
            ) from error

    def _tell(self, version: VersionRef, line: str, level: str = "info") -> None:
        self._app_logs.system(version.place(), line, level)


def _check(app: App, wanted: int, known: list[Version]) -> None:
    numbers = [version.version for version in known]
    see = f"See: capsule app versions {app.name}"
    if wanted == app.live_version:
        raise Conflict(
            f"v{wanted} of {app.name} is live already",
            code="already_live",
            hint=f"See: capsule app versions {app.name}",
        )
    if wanted not in numbers:
        newest = max(numbers, default=0)
        what = (
            f"v{wanted} of {app.name} is not kept any more" if 0 < wanted < newest else f"{app.name} has no v{wanted}"
        )
        raise NotFound(what, code="version_not_found", hint=see)
