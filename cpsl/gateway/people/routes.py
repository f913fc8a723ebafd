"""``/apps/{app}/users``: the people of an app, for whoever operates it."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, delete, get, patch
from litestar.params import QueryParameter

from cpsl.gateway.request import GatewayRequest
from cpsl.wire.users import User, UserChange, UserList

Limit = Annotated[int, QueryParameter(ge=1, le=1000)]


@get("/apps/{app:str}/users")
async def list_users(
    app: str, request: GatewayRequest, limit: Limit = 50, after: str | None = None, visitors: bool = False
) -> UserList:
    """The people of an app, newest first; with ``visitors`` also those who never said who they are."""
    return await request.gateway.people.page(request.workspace_id, app, limit, after, visitors=visitors)


@get("/apps/{app:str}/users/{user:str}")
async def get_user(app: str, user: str, request: GatewayRequest) -> User:
    """One person, by id or e-mail address."""
    return await request.gateway.people.get(request.workspace_id, app, user)


@patch("/apps/{app:str}/users/{user:str}")
async def change_user(app: str, user: str, data: UserChange, request: GatewayRequest) -> User:
    """Disable somebody, who is signed out at once and cannot sign in; or enable them again."""
    return await request.gateway.people.change(request.workspace_id, app, user, disabled=data.disabled)


@delete("/apps/{app:str}/users/{user:str}")
async def delete_user(app: str, user: str, request: GatewayRequest) -> None:
    """Delete somebody with all that is theirs: conversations, files, documents, connections."""
    await request.gateway.people.delete(request.workspace_id, app, user)


router = Router("", route_handlers=[list_users, get_user, change_user, delete_user], tags=["app users"])
