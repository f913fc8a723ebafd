"""Who asks an app: the account behind a bearer token, or the app user whose browser has the app's cookie.

A browser sends cookies by itself, also for pages of others, so a request that changes something must show besides that
it comes from a page of ours: the token that only our pages know, and, from browsers that say it, its own site
(https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Row

from cpsl.errors import AuthError, NotLoggedIn
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.chats.turns import unknown_turn
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users import cookies
from cpsl.wire.frames import AppUser

CSRF_HEADER = "x-csrf-token"
_HARMLESS = ("GET", "HEAD", "OPTIONS")


class Asked(NamedTuple):
    """The live version of the app that is asked, and who asks it."""

    version: VersionRef
    user: AppUser


async def of_app(request: GatewayRequest, app: str) -> Asked:
    """Who asks ``app`` (its name; its id, too, with a token). Raises NotFound, NotLoggedIn, AuthError."""
    gateway = request.gateway
    if request.caller is not None:
        version = await gateway.apps.live(request.caller.workspace_id, app)
        return Asked(version, await gateway.users.of_account(version.app_id, request.caller))
    version = await gateway.apps.live_public(app)
    return Asked(version, await _by_cookie(request, version))


async def of_anybody(request: GatewayRequest, app: str) -> Asked:
    """The same for what needs no sign-in: who shows nothing is the one user who stands for all of those."""
    if request.caller is not None:
        return await of_app(request, app)
    version = await request.gateway.apps.live_public(app)
    user = await of_browser(request, version.app_id)
    return Asked(version, user or await request.gateway.users.of_account(version.app_id, None))


async def of_turn(request: GatewayRequest, turn_id: str) -> Row[Any]:
    """The row of a turn, for the one who began it. Raises NotFound for everybody else."""
    row = await request.gateway.turns.row(turn_id)
    if await _user_of(request, row) != row.app_user_id:
        raise unknown_turn(turn_id)
    return row


async def _user_of(request: GatewayRequest, row: Row[Any]) -> str | None:
    """The id of the user who asks the app of a turn."""
    gateway = request.gateway
    if request.caller is None:
        return (await _by_cookie(request, await gateway.apps.version(row.app_id, row.version))).id
    if request.caller.workspace_id != row.workspace_id:
        return None
    return (await gateway.users.of_account(row.app_id, request.caller)).id


async def check(request: GatewayRequest) -> None:
    """Raise unless the browser that asks is known: before anything of the body is read."""
    if "app" in request.path_params:
        await of_app(request, request.path_params["app"])
    else:
        await of_turn(request, request.path_params["request_id"])


async def of_browser(request: GatewayRequest, app_id: str) -> AppUser | None:
    """The app user whose browser asks, if it has a cookie of the app that is good."""
    value = request.cookies.get(cookies.name(app_id))
    return await request.gateway.users.of_cookie(app_id, value) if value else None


def refuse_forgery(request: GatewayRequest, app_id: str, given: str) -> None:
    """Raise AuthError (``csrf_failed``) unless ``given`` is the token of the page that has the app's cookie."""
    value = request.cookies.get(cookies.name(app_id), "")
    site = request.headers.get("sec-fetch-site", "none")
    is_ours = request.gateway.users.signer.fits("csrf", value, given)
    if not value or site not in ("same-origin", "none") or not is_ours:
        raise AuthError(
            "this did not come from the app's own page",
            code="csrf_failed",
            status=403,
            hint="Reload the page and try again.",
        )


async def _by_cookie(request: GatewayRequest, version: VersionRef) -> AppUser:
    user = await of_browser(request, version.app_id)
    if user is None:
        raise NotLoggedIn("this needs a token", hint="Log in with: capsule login")
    if request.method not in _HARMLESS:
        refuse_forgery(request, version.app_id, request.headers.get(CSRF_HEADER, ""))
    require_sign_in(version, user)
    return user


def require_sign_in(version: VersionRef, user: AppUser) -> None:
    """Raise AuthError (``sign_in_required``) for a visitor where the app talks to people who signed in only."""
    if version.spec.chat_access == "authenticated" and not user.authenticated:
        raise AuthError(f"{version.app} asks you to sign in", code="sign_in_required", hint="Sign in and try again.")
