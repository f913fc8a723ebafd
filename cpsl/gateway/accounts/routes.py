"""``/auth``, ``/me``, ``/tokens``, ``/accounts``."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body

from cpsl.gateway.accounts.devices import TokenRefused
from cpsl.gateway.request import GatewayRequest
from cpsl.wire.accounts import (
    Account,
    AccountCreate,
    DeviceCode,
    DeviceToken,
    LocalLogin,
    Me,
    NewToken,
    OAuthError,
    TokenCreate,
    TokenList,
)

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


@post("/auth/local")
async def login_local(data: LocalLogin, request: GatewayRequest) -> NewToken:
    """Log in with the content of the gateway's bootstrap file."""
    return await request.gateway.accounts.login_local(data.bootstrap_secret, data.name)


@post("/auth/device/code", status_code=200)
async def begin_device_login(data: Form, request: GatewayRequest) -> DeviceCode:
    """RFC 8628 §3.1: begin to log in a device."""
    return await request.gateway.devices.begin(data.get("client_name") or data.get("client_id", ""))


def _token_refused(_: Request[Any, Any, Any], error: TokenRefused) -> Response[bytes]:
    body = msgspec.json.encode(OAuthError(error.code, error.message))
    return Response(
        body, status_code=error.status, media_type="application/json", headers={"Cache-Control": "no-store"}
    )


@post("/auth/device/token", status_code=200, exception_handlers={TokenRefused: _token_refused})
async def finish_device_login(data: Form, request: GatewayRequest) -> DeviceToken:
    """RFC 8628 §3.4: the token, once a person has approved."""
    return await request.gateway.devices.exchange(data.get("grant_type", ""), data.get("device_code", ""))


@get("/me")
async def me(request: GatewayRequest) -> Me:
    """Who this token is."""
    found = await request.gateway.accounts.me(request.actor)
    found.isolation = request.gateway.settings.isolation
    return found


@get("/tokens")
async def list_tokens(request: GatewayRequest) -> TokenList:
    """Your tokens, without the tokens themselves."""
    return TokenList(await request.gateway.accounts.tokens(request.actor))


@post("/tokens")
async def create_token(data: TokenCreate, request: GatewayRequest) -> NewToken:
    """A further token."""
    return await request.once(lambda: request.gateway.accounts.create_token(request.actor, data))


@delete("/tokens/{token_id:str}")
async def delete_token(token_id: str, request: GatewayRequest) -> None:
    """Revoke a token; ``current`` is the one that asks."""
    await request.gateway.accounts.delete_token(request.actor, token_id)


@post("/accounts")
async def create_account(data: AccountCreate, request: GatewayRequest) -> Account:
    """Let someone else use this gateway."""
    return await request.gateway.accounts.add_account(request.actor, data)


login_router = Router(
    "",
    route_handlers=[login_local, begin_device_login, finish_device_login],
    tags=["accounts"],
)
"""What is asked without a token, because it gives one."""

router = Router(
    "",
    route_handlers=[
        me,
        list_tokens,
        create_token,
        delete_token,
        create_account,
    ],
    tags=["accounts"],
)
