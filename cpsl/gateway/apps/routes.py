"""``/apps`` (management) and ``/deploys``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from cpsl.errors import InvalidRequest
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.deploys import Deploys
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.service import Apps
from cpsl.gateway.bell import Bell, wait_for
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.files.transfer import received
from cpsl.gateway.http import sse
from cpsl.gateway.settings import Settings
from cpsl.wire.apps import App, AppList, AppSpec, DeployCheck, DeployEvent, LogPage, VersionList

_ARCHIVE_OVERHEAD = 64 * 1024 * 1024  # headers of the archive, and data that does not compress
Limit = Annotated[int, QueryParameter(ge=1, le=10_000)]


@get("/apps")
async def list_apps(actor: Actor, apps: Apps) -> AppList:
    """The apps of the workspace."""
    return AppList(await apps.all(actor.workspace_id))


@get("/apps/{app:str}")
async def get_app(app: str, actor: Actor, apps: Apps) -> App:
    """One app, by name or id."""
    return await apps.get(actor.workspace_id, app)


@delete("/apps/{app:str}")
async def delete_app(app: str, actor: Actor, apps: Apps, runner: Runner) -> None:
    """Remove an app with its versions, sessions and logs, and the files that its users gave it."""
    found = await apps.get(actor.workspace_id, app)
    running = await apps.unfinished_turns(found.id)
    await asyncio.gather(*(runner.cancel(turn_id) for turn_id in running))
    await apps.delete(actor.workspace_id, found.id)


@get("/apps/{app:str}/versions")
async def list_versions(app: str, actor: Actor, apps: Apps) -> VersionList:
    """The versions of an app, newest first."""
    return VersionList(await apps.versions(actor.workspace_id, app))


@get("/apps/{app:str}/logs")
async def get_logs(
    app: str,
    actor: Actor,
    apps: Apps,
    app_logs: AppLogs,
    settings: Settings,
    closing: Bell,
    limit: Limit = 100,
    after: int | None = None,
    follow: bool = False,
) -> Response[LogPage] | Stream:
    """The last lines of an app's log; with ``follow``, then those that come, as server-sent events."""
    found = await apps.get(actor.workspace_id, app)
    if follow:
        return sse.stream(_follow(app_logs, found.id, limit, after, settings.heartbeat, closing))
    return Response(LogPage(await app_logs.page(found.id, limit, after)))


async def _follow(
    app_logs: AppLogs, app_id: str, limit: int, after: int | None, heartbeat: float, closing: Bell
) -> AsyncIterator[bytes]:
    while not closing.has_rung:
        changed = app_logs.changed(app_id)
        lines = await app_logs.page(app_id, limit, after)
        for line in lines:
            after = line.id
            yield sse.message("log", msgspec.json.encode(line), line.id)
        after = after or 0
        if not lines and not await wait_for(changed, closing, timeout=heartbeat):
            yield sse.HEARTBEAT


@post("/deploys/check", status_code=200)
async def check_deploy(data: AppSpec, actor: Actor, deploys: Deploys) -> DeployCheck:
    """What stands in the way of deploying an app."""
    return await deploys.check(actor.workspace_id, data)


@post("/deploys", status_code=200, request_max_body_size=None)
async def deploy(
    request: Request[Any, Any, Any],
    entry: str,
    actor: Actor,
    deploys: Deploys,
    settings: Settings,
    secret_names: str = "",
) -> Stream:
    """Deploy the archive in the body (gzipped tar). ``secret_names``: those that the import needs, with commas."""
    if len(entry) > 500:
        raise InvalidRequest("the entry point is longer than 500 characters", code="invalid_entry_point")
    names = [name for name in secret_names.split(",") if name]
    limit = settings.max_bundle_bytes + _ARCHIVE_OVERHEAD
    async with received(request, settings.data_dir / "tmp", limit) as (archive, _):
        events = deploys.deploy(actor, archive, entry, names)
    return sse.stream(_deploy_events(events))


async def _deploy_events(events: AsyncIterator[DeployEvent]) -> AsyncIterator[bytes]:
    async for event in events:
        yield sse.message(str(event.__struct_config__.tag), msgspec.json.encode(event))


router = Router(
    "",
    route_handlers=[list_apps, get_app, delete_app, list_versions, get_logs, check_deploy, deploy],
    tags=["apps"],
)
