"""Apps that start anew because something that they were started with has changed."""

from __future__ import annotations

from cpsl.engine.protocol import Engine
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.service import Apps


class Restarts:
    """Ends runtimes in order: turns in flight finish where they began, the next ones find a new runtime."""

    def __init__(self, apps: Apps, engine: Engine, app_logs: AppLogs) -> None:
        self._apps = apps
        self._engine = engine
        self._app_logs = app_logs

    async def of_secrets(self, workspace_id: str, names: list[str]) -> list[str]:
        """Restart the apps whose live version names one of these secrets; their names."""
        users = await self._apps.naming_secrets(workspace_id, names) if names else []
        for ref, changed in users:
            await self._engine.drain([ref.version_id])
            self._app_logs.system(ref.place(), f"Restarting: {', '.join(changed)} changed")
        return [ref.app for ref, _ in users]
