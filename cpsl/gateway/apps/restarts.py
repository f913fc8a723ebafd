"""Apps that start anew because something that they were started with has changed."""

from __future__ import annotations

from cpsl.engine.protocol import Engine
from cpsl.errors import Conflict
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.service import Apps, VersionRef, named_secrets
from cpsl.gateway.secrets.service import Secrets
from cpsl.wire.apps import Restarted


class Restarts:
    """Ends runtimes in order: turns in flight finish where they began, the next ones find a new runtime."""

    def __init__(self, apps: Apps, secrets: Secrets, engine: Engine, app_logs: AppLogs) -> None:
        self._apps = apps
        self._secrets = secrets
        self._engine = engine
        self._app_logs = app_logs

    async def of_secrets(self, workspace_id: str, names: list[str]) -> list[str]:
        """Restart the apps whose live version names one of these secrets; their names."""
        users = await self._apps.naming_secrets(workspace_id, names) if names else []
        for ref, changed in users:
            await self._restart(ref, changed)
        return [ref.app for ref, _ in users]

    async def of_app(self, workspace_id: str, name: str) -> Restarted:
        """Restart an app because somebody asked. Raises NotFound, Conflict when nothing of it is live."""
        ref = await self._apps.live(workspace_id, name)
        if not ref.version_id:
            raise Conflict(f"nothing of {ref.app} is live", code="not_live", hint="capsule deploy FILE.py:SYMBOL")
        await self._engine.drain([ref.version_id])
        self._app_logs.system(ref.place(), "Restarting: somebody asked for it")
        return Restarted(ref.app, ref.number)

    async def if_changed(self, ref: VersionRef, since: float) -> None:
        """Restart a version that went live just now, if a secret changed since it was imported.

        While it was imported it was not live yet, so nobody else could know that it names the secret. ``since`` in
        seconds since the epoch.
        """
        named = named_secrets(ref.spec)
        known = await self._secrets.all(ref.workspace_id) if named else []
        changed = [secret.name for secret in known if secret.name in named and secret.updated_at >= since]
        if changed:
            await self._restart(ref, changed)

    async def _restart(self, ref: VersionRef, changed: list[str]) -> None:
        await self._engine.drain([ref.version_id])
        self._app_logs.system(ref.place(), f"Restarting: {', '.join(changed)} changed")
