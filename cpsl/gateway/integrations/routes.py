"""``/app/{app}/connections`` and the page ``/a/{app}/connections``: what who asks has connected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import MediaType, Response, Router, delete, get, post
from litestar.response import Redirect

from cpsl.errors import CapsuleError, NotFound
from cpsl.gateway import asking
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.integrations.connecting.routes import on_error
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users import cookies
from cpsl.gateway.web.rendering import Form, page
from cpsl.gateway.web.visits import base_of
from cpsl.wire.frames import AppUser
from cpsl.wire.integrations import Connection, ConnectionList


@get("/app/{app:str}/connections", opt={"visitors": True})
async def list_connections(app: str, request: GatewayRequest) -> ConnectionList:
    """What you have connected for an app, without what it gives."""
    asked = await asking.of_app(request, app)
    return ConnectionList(await _shown(request, *asked))


@delete("/app/{app:str}/connections/{integration:str}", opt={"visitors": True})
async def delete_connection(app: str, integration: str, request: GatewayRequest) -> None:
    """Forget what you have connected, here and, where it can be told to, at the provider."""
    version, user = await asking.of_app(request, app)
    if not await request.gateway.tokens.disconnect(version, user.id, integration):
        raise NotFound(f"{integration[:80]!r} is not connected", code="connection_not_found")


@get("/a/{app:str}/connections", media_type=MediaType.HTML)
async def connections_page(app: str, request: GatewayRequest) -> Response[Any]:
    """Connected accounts: see, reconnect, disconnect."""
    version = await request.gateway.apps.live_public(app)
    user = await asking.of_browser(request, version.app_id)
    if user is not None:
        asking.require_sign_in(version, user)
    shown = await _shown(request, version, user) if user else []
    declared = [each.type for each in version.spec.integrations]
    connected = [each.integration for each in shown]
    return page(
        "connections.html",
        app=version.app,
        base=base_of(request, app),
        csrf_token=_csrf_token(request, version),
        connections=shown,
        declared=declared,
        unconnected=[name for name in declared if user and name not in connected],
        since=_since,
    )


@post("/a/{app:str}/connections/{integration:str}/disconnect", media_type=MediaType.HTML, status_code=200)
async def disconnect(app: str, integration: str, data: Form, request: GatewayRequest) -> Redirect:
    """Forget a connection, and show the others."""
    version = await request.gateway.apps.live_public(app)
    asking.refuse_forgery(request, version.app_id, data.get("csrf_token", ""))
    user = await asking.of_browser(request, version.app_id)
    if user is not None:
        await request.gateway.tokens.disconnect(version, user.id, integration)
    return Redirect(f"{base_of(request, app)}/connections", status_code=303)


async def _shown(request: GatewayRequest, version: VersionRef, user: AppUser) -> list[Connection]:
    gateway = request.gateway
    return await gateway.db.read(lambda connection: gateway.integrations.shown(connection, version, user.id))


def _csrf_token(request: GatewayRequest, version: VersionRef) -> str:
    return request.gateway.users.signer.csrf_token(request.cookies.get(cookies.name(version.app_id), ""))


def _since(connection: Connection, form: str) -> str:
    return datetime.fromtimestamp(connection.connected_at, UTC).strftime(form)


router = Router("", route_handlers=[list_connections, delete_connection], tags=["connections"])
pages = Router(
    "",
    route_handlers=[connections_page, disconnect],
    exception_handlers={CapsuleError: on_error},
    include_in_schema=False,
)
