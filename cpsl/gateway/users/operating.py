"""``/apps/{app}/users``: the people of an app, for who runs it."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, delete, get, post
from litestar.params import QueryParameter

from cpsl.gateway.request import GatewayRequest
from cpsl.wire.users import User, UserList


@get("/apps/{app:str}/users")
async def list_users(
    app: str,
    request: GatewayRequest,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    after: str | None = None,
) -> UserList:
    """The users of an app, newest first."""
    version = await request.gateway.apps.live(request.workspace_id, app)
    return await request.gateway.people.list(version, limit, after)


@post("/apps/{app:str}/users/{user:str}/disable", status_code=200)
async def disable_user(app: str, user: str, request: GatewayRequest) -> User:
    """Let a user in no more, by id or e-mail address: signed out everywhere, what runs for them is stopped."""
    version = await request.gateway.apps.live(request.workspace_id, app)
    return await request.gateway.people.disable(version, user)


@post("/apps/{app:str}/users/{user:str}/enable", status_code=200)
async def enable_user(app: str, user: str, request: GatewayRequest) -> User:
    """Let a user in again."""
    version = await request.gateway.apps.live(request.workspace_id, app)
    return await request.gateway.people.enable(version, user)


@delete("/apps/{app:str}/users/{user:str}")
async def delete_user(app: str, user: str, request: GatewayRequest) -> None:
    """Remove a user with all their data: conversations, files, connections, documents."""
    version = await request.gateway.apps.live(request.workspace_id, app)
    await request.gateway.people.delete(version, user)


router = Router("", route_handlers=[list_users, disable_user, enable_user, delete_user], tags=["users"])
