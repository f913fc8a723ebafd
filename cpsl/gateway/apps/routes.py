"""``/apps`` (management) and ``/deploys``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Annotated

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from cpsl.errors import InvalidRequest
from cpsl.gateway.apps.deploys import Sent, Wanted
from cpsl.gateway.bell import wait_for
from cpsl.gateway.files.transfer import received
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.http import sse
from cpsl.gateway.http.repeats import check_key
from cpsl.gateway.request import GatewayRequest
from cpsl.wire.apps import (
    App,
    AppList,
    AppSpec,
    BuildLog,
    DeployCheck,
    Development,
    LogFilter,
    LogLevel,
    LogPage,
    LogStream,
    Restarted,
    Rollback,
    RolledBack,
    VersionList,
)
from cpsl.wire.deployments import Deployment, DeploymentList

_ARCHIVE_OVERHEAD = 64 * 1024 * 1024  # headers of the archive, and data that does not compress
Limit = Annotated[int, QueryParameter(ge=1, le=10_000)]
After = Annotated[int, QueryParameter(ge=0)]


@get("/apps")
async def list_apps(request: GatewayRequest) -> AppList:
    """The apps of the workspace."""
    return AppList(await request.gateway.apps.all(request.workspace_id))


@get("/apps/{app:str}")
async def get_app(app: str, request: GatewayRequest) -> App:
    """One app, by name or id."""
    return await request.gateway.apps.get(request.workspace_id, app)


@delete("/apps/{app:str}")
async def delete_app(app: str, request: GatewayRequest) -> None:
    """Remove an app with its versions, sessions and logs, and the files that its users gave it."""
    apps, runner = request.gateway.apps, request.gateway.runner
    found = await apps.get(request.workspace_id, app)
    running = await apps.unfinished_turns(found.id)
    await asyncio.gather(*(runner.cancel(turn_id) for turn_id in running))
    await apps.delete(request.workspace_id, found.id)


@get("/apps/{app:str}/versions")
async def list_versions(app: str, request: GatewayRequest) -> VersionList:
    """The versions of an app, newest first."""
    return VersionList(await request.gateway.apps.versions(request.workspace_id, app))


@post("/apps/{app:str}/rollback", status_code=200)
async def roll_back(app: str, data: Rollback, request: GatewayRequest) -> RolledBack:
    """Make an earlier version the live one, once it has come up. Turns in flight end in the version they began in."""
    rollbacks = request.gateway.rollbacks
    return await request.once(lambda: rollbacks.roll_back(request.workspace_id, app, data.version))


@post("/apps/{app:str}/restart", status_code=200)
async def restart(app: str, request: GatewayRequest) -> Restarted:
    """Start an app anew with the same version. Turns in flight end in the runtime they began in."""
    return await request.gateway.restarts.of_app(request.workspace_id, app)


@get("/apps/{app:str}/logs")
async def get_logs(
    app: str,
    request: GatewayRequest,
    limit: Limit = 100,
    after: int | None = None,
    follow: bool = False,
    since: float | None = None,
    session: str | None = None,
    turn: str | None = None,
    version: int | None = None,
    level: LogLevel | None = None,
    stream: LogStream | None = None,
    until: float | None = None,
    search: str | None = None,
) -> Response[LogPage] | Stream:
    """The last lines of an app's log; with ``follow``, then those that come, as server-sent events.

    All that is given must fit: ``since`` (seconds since the epoch), ``level`` (the least urgent one), and so on.
    """
    found = await request.gateway.apps.get(request.workspace_id, app)
    wanted = LogFilter(since, session, turn, version, level, stream, until, search)
    if follow:
        return sse.stream(_follow(request.gateway, found.id, limit, after, wanted))
    return Response(LogPage(await request.gateway.app_logs.page(found.id, limit, after, wanted)))


@get("/apps/{app:str}/logs/build")
async def get_build_log(app: str, request: GatewayRequest, version: int | None = None) -> BuildLog:
    """What building the image of a version (of the live one) printed."""
    apps = request.gateway.apps
    live = await apps.live(request.workspace_id, app)
    wanted = live if version is None else await apps.version(live.app_id, version)
    return BuildLog(wanted.app, wanted.number, apps.build_log(wanted))


async def _follow(
    gateway: Gateway, app_id: str, limit: int, after: int | None, wanted: LogFilter
) -> AsyncIterator[bytes]:
    while not gateway.closing.has_rung:
        changed = gateway.app_logs.changed(app_id)
        newest = await gateway.app_logs.newest(app_id)
        lines = await gateway.app_logs.page(app_id, limit, after, wanted)
        for line in lines:
            yield sse.message("log", msgspec.json.encode(line), line.id)
        # Lines that are not wanted are looked at once; of a page that is full, more may be waiting.
        seen = lines[-1].id if lines else 0
        is_full = after is not None and len(lines) == limit
        after = max(after or 0, seen, 0 if is_full else newest)
        if not is_full and not await wait_for(changed, gateway.closing, timeout=gateway.settings.heartbeat):
            yield sse.HEARTBEAT


@post("/deploys/check", status_code=200)
async def check_deploy(data: AppSpec, request: GatewayRequest) -> DeployCheck:
    """What stands in the way of deploying an app."""
    return await request.gateway.inventory.check(request.workspace_id, data)


@post("/deploys", status_code=200, request_max_body_size=None)
async def deploy(
    entry: str,
    request: GatewayRequest,
    app: str = "",
    secret_names: str = "",
    dev: bool = False,
    channel_names: str = "",
    take_channels: bool = False,
) -> Stream:
    """Deploy the archive in the body (gzipped tar). ``secret_names``: those that the import needs, with commas.

    ``app``: the app's name, if it is known; the deploy then begins with what the live version asks for.
    With ``dev`` under the app's name for development, on the channels in ``channel_names`` and no other;
    ``take_channels``: also those that another app answers on. The same ``Idempotency-Key`` gives the same deploy.
    """
    if len(entry) > 500:
        raise InvalidRequest("the entry point is longer than 500 characters", code="invalid_entry_point")
    development = Development(_names(channel_names), take_channels) if dev else None
    wanted = Wanted(entry, app, _names(secret_names), development)
    settings = request.gateway.settings
    limit = settings.max_bundle_bytes + _ARCHIVE_OVERHEAD
    key = request.headers.get("idempotency-key")
    if key is not None:
        check_key(key)
    async with received(request, settings.data_dir / "tmp", limit) as (archive, digest):
        sent = Sent(archive, _fingerprint(wanted, digest), key)
        id = await request.gateway.deploys.deploy(request.actor, sent, wanted)
    found = await request.gateway.deployments.get(request.workspace_id, id)
    return sse.stream(_deploy_events(request.gateway, found, 0), {"X-Deployment-Id": id})


@get("/deploys/{deployment_id:str}")
async def get_deploy(deployment_id: str, request: GatewayRequest) -> Deployment:
    """What became of a deploy. Known of the last 500 of the workspace."""
    return await request.gateway.deployments.get(request.workspace_id, deployment_id)


@get("/deploys/{deployment_id:str}/events")
async def get_deploy_events(deployment_id: str, request: GatewayRequest, after: After = 0) -> Stream:
    """What happens in a deploy after event number ``after``, as server-sent events; of an old one only how it ended."""
    found = await request.gateway.deployments.get(request.workspace_id, deployment_id)
    return sse.stream(_deploy_events(request.gateway, found, after))


@get("/apps/{app:str}/deploys")
async def list_deploys(app: str, request: GatewayRequest) -> DeploymentList:
    """The last deploys of an app, newest first, also those that failed."""
    return DeploymentList(await request.gateway.deployments.of_app(request.workspace_id, app))


def _names(with_commas: str) -> list[str]:
    return [name for name in with_commas.split(",") if name]


def _fingerprint(wanted: Wanted, digest: str) -> bytes:
    return sha256(msgspec.json.encode([wanted, digest])).digest()


async def _deploy_events(gateway: Gateway, found: Deployment, after: int) -> AsyncIterator[bytes]:
    async for each in gateway.deployments.events(found, after):
        if each is None:
            yield sse.HEARTBEAT
        else:
            number, event = each
            yield sse.message(str(event.__struct_config__.tag), msgspec.json.encode(event), number)


router = Router(
    "",
    route_handlers=[
        list_apps,
        get_app,
        delete_app,
        list_versions,
        roll_back,
        restart,
        get_logs,
        get_build_log,
        check_deploy,
        deploy,
        get_deploy,
        get_deploy_events,
        list_deploys,
    ],
    tags=["apps"],
)
