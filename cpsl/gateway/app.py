"""The HTTP side of a gateway: its routes, who may call them, and what each is handed."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp

from cpsl._version import __version__
from cpsl.errors import AuthError, NotLoggedIn
from cpsl.gateway.accounts import routes as accounts
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps import routes as apps
from cpsl.gateway.channels import routes as channels
from cpsl.gateway.chats import routes as chats
from cpsl.gateway.files import routes as files
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.http.headers import careful_headers
from cpsl.gateway.http.hosts import local_hosts
from cpsl.gateway.http.problems import HANDLERS
from cpsl.gateway.secrets import routes as secrets
from cpsl.gateway.web import routes as web

MAX_BODY_BYTES = 2 * 1024 * 1024


def create_app(gateway: Gateway) -> ASGIApp:
    """The ASGI application that serves ``gateway``."""
    app: ASGIApp = _litestar(gateway)
    # Around the whole application rather than inside: its own 404 and 405 pass no middleware.
    if gateway.settings.is_local and not gateway.settings.public_url:
        app = local_hosts(app)
    return careful_headers(app)


def _litestar(gateway: Gateway) -> Litestar:
    api = Router(
        "/api/v1",
        route_handlers=[
            accounts.router,
            secrets.router,
            files.router,
            channels.router,
            apps.router,
            chats.router,
        ],
        security=[{"token": []}],
    )
    return Litestar(
        route_handlers=[api, web.router],
        dependencies=_dependencies(gateway),
        exception_handlers=HANDLERS,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=_openapi(),
        logging_config=None,
    )


def _dependencies(gateway: Gateway) -> dict[str, Provide]:
    parts = {
        "accounts": gateway.accounts,
        "app_logs": gateway.app_logs,
        "apps": gateway.apps,
        "channels": gateway.channels,
        "closing": gateway.closing,
        "deploys": gateway.deploys,
        "devices": gateway.devices,
        "filesystems": gateway.filesystems,
        "gateway": gateway,
        "prompts": gateway.prompts,
        "runner": gateway.runner,
        "secrets": gateway.secrets,
        "sessions": gateway.sessions,
        "settings": gateway.settings,
        "turns": gateway.turns,
    }

    async def actor(request: Request[Any, Any, Any]) -> Actor:
        found = await visitor(request)
        if found is None:
            raise NotLoggedIn("this needs a token", hint="Log in with: capsule login")
        return found

    async def visitor(request: Request[Any, Any, Any]) -> Actor | None:
        token = _bearer_token(request)
        return None if token is None else await gateway.accounts.authenticate(token)

    return {
        **{name: Provide(_constant(part), sync_to_thread=False) for name, part in parts.items()},
        "actor": Provide(actor),
        "visitor": Provide(visitor),
    }


def _constant(part: Any) -> Any:
    return lambda: part


def _bearer_token(request: Request[Any, Any, Any]) -> str | None:
    """The token of ``Authorization: Bearer`` (RFC 6750), or None without the header."""
    given = request.headers.getall("authorization", [])
    if not given:
        return None
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise AuthError("the Authorization header must be one 'Bearer' and a token", hint="Log in with: capsule login")
    return token.strip()


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Capsule gateway",
        version=__version__,
        path="/openapi.json",
        render_plugins=[JsonRenderPlugin(path="/")],
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
    )
