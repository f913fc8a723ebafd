"""The HTTP side of a gateway: its routes, and who may call them."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp

from cpsl._version import __version__
from cpsl.errors import AuthError, NotLoggedIn
from cpsl.gateway import asking
from cpsl.gateway.accounts import routes as accounts
from cpsl.gateway.accounts.service import REFUSAL, REFUSAL_HINT
from cpsl.gateway.apps import routes as apps
from cpsl.gateway.channels import routes as channels
from cpsl.gateway.chats import routes as chats
from cpsl.gateway.files import routes as files
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.http.app_hosts import app_hosts
from cpsl.gateway.http.headers import careful_headers
from cpsl.gateway.http.hosts import local_hosts
from cpsl.gateway.http.problems import HANDLERS
from cpsl.gateway.integrations import routes as integrations
from cpsl.gateway.integrations.connecting import routes as connecting
from cpsl.gateway.people import routes as people
from cpsl.gateway.people.openid import routes as openid
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.secrets import routes as secrets
from cpsl.gateway.web import routes as web
from cpsl.gateway.web.missing import on_missing
from cpsl.gateway.web.people import routes as users

MAX_BODY_BYTES = 2 * 1024 * 1024


def create_app(gateway: Gateway) -> ASGIApp:
    """The ASGI application that serves ``gateway``."""
    app: ASGIApp = app_hosts(_litestar(gateway))
    # Around the whole application rather than inside: its own 404 and 405 pass no middleware.
    if gateway.settings.is_local:
        app = local_hosts(app, gateway.settings.public_url)
    return careful_headers(app)


def _litestar(gateway: Gateway) -> Litestar:
    login = Router("/api/v1", route_handlers=[accounts.login_router])
    api = Router(
        "/api/v1",
        route_handlers=[
            accounts.router,
            secrets.router,
            files.router,
            channels.router,
            apps.router,
            chats.router,
            integrations.router,
            people.router,
        ],
        security=[{"token": []}],
        before_request=_authenticate,
    )
    return Litestar(
        route_handlers=[login, api, web.router, integrations.pages, connecting.router, openid.router, users.router],
        request_class=GatewayRequest,
        exception_handlers={**HANDLERS, NotFoundException: on_missing},
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=_openapi(),
        logging_config=None,
        state=State({"gateway": gateway}),
    )


async def _authenticate(request: Request[Any, Any, Any]) -> None:
    """Find out who asks, before anything of the body is read.

    A handler with ``opt={"visitors": True}`` answers browsers, too; one with ``opt={"public": True}`` answers anybody.
    """
    assert isinstance(request, GatewayRequest)
    token = _bearer_token(request)
    opt = request.route_handler.opt
    if token is not None:
        request.caller = await request.gateway.accounts.authenticate(token)
    elif opt.get("visitors") and request.cookies:
        await asking.check(request)
    elif not opt.get("public"):
        raise NotLoggedIn("this needs a token", hint="Log in with: capsule login")


def _bearer_token(request: GatewayRequest) -> str | None:
    """The token of ``Authorization: Bearer`` (RFC 6750), or None without the header. Raises AuthError."""
    given = request.headers.getall("authorization", [])
    if not given:
        return None
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise AuthError(REFUSAL, hint=REFUSAL_HINT)  # as for every other token that is no good
    return token.strip()


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Capsule gateway",
        version=__version__,
        path="/openapi.json",
        render_plugins=[JsonRenderPlugin(path="/")],
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
    )
