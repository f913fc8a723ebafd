"""``/a/{app}/account``: what somebody who is signed in can see and change of their account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import MediaType, Response, get, post
from litestar.response import Redirect
from sqlalchemy import Row

from cpsl.errors import CapsuleError
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users import passwords, store
from cpsl.gateway.web.people.pages import Posted, form_page, fresh, posted, to_sign_in, with_cookie
from cpsl.gateway.web.rendering import Form, see_other
from cpsl.gateway.web.visits import Visit, visit

_PAGE = "users/account.html"
_DELETING = "delete_password"


@get("/a/{app:str}/account", media_type=MediaType.HTML)
async def account_page(app: str, request: GatewayRequest) -> Response[Any]:
    """The account of who is signed in."""
    seen = await visit(request, app)
    row = await _row(request, seen)
    if row is None:
        return to_sign_in(seen, "/account")
    done = _SAID.get(request.query_params.get("done", ""), "")
    return fresh(request, seen, _PAGE, done=done, **await _facts(request, row))


@post("/a/{app:str}/account/{action:str}", media_type=MediaType.HTML, status_code=200)
async def change_account(app: str, action: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Change something; the page says what."""
    form = await posted(request, app, data)
    row = await _row(request, form.seen)
    if row is None:
        return to_sign_in(form.seen, "/account")
    change = _CHANGES.get(action)
    if change is None:
        return see_other(f"{form.seen.base}/account")
    try:
        return await change(form, row)
    except CapsuleError as error:
        return form_page(form, _PAGE, error, done="", **await _facts(request, row))


async def _verify(form: Posted, row: Row[Any]) -> Response[Any]:
    await form.request.gateway.recovery.send_again(form.seen.version, row)
    return _back(form, "mailed")


async def _password(form: Posted, row: Row[Any]) -> Response[Any]:
    """Another password; other browsers are signed out, and this one has a new session."""
    gateway, version = form.request.gateway, form.seen.version
    passwords.check(form.text("new_password"), "new_password")
    await gateway.signing.check_password(version, form.browser, row, form.text("password"))
    value = await gateway.signing.change_password(version, form.browser, row, form.text("new_password"))
    return with_cookie(form.request, form.seen, value, _back(form, "password"))


async def _browsers(form: Posted, row: Row[Any]) -> Response[Any]:
    browser_id = form.text("browser")
    await form.request.gateway.db.write(lambda c: store.remove_browser(c, row.id, browser_id))
    return _back(form, "browser")


async def _everywhere(form: Posted, row: Row[Any]) -> Response[Any]:
    await form.request.gateway.db.write(lambda c: store.remove_browsers(c, row.id))
    return _out(form)


async def _delete(form: Posted, row: Row[Any]) -> Response[Any]:
    """Remove the account with all its data."""
    gateway, version = form.request.gateway, form.seen.version
    if row.password is not None:
        await gateway.signing.check_password(version, form.browser, row, form.text(_DELETING), _DELETING)
    await gateway.people.delete(version.workspace_id, version.app, row.id)
    return _out(form)


_CHANGES = {
    "verify": _verify,
    "password": _password,
    "browsers": _browsers,
    "sign-out-everywhere": _everywhere,
    "delete": _delete,
}
_SAID = {
    "mailed": "A mail with a link is on its way.",
    "password": "Your password is changed. Other browsers were signed out.",
    "browser": "That browser is signed out.",
}


def _back(form: Posted, done: str) -> Redirect:
    return see_other(f"{form.seen.base}/account?done={done}")


def _out(form: Posted) -> Redirect:
    value = form.request.gateway.users.signer.new_visitor(form.seen.version.app_id)
    return with_cookie(form.request, form.seen, value, see_other(form.seen.base or "/"))


async def _row(request: GatewayRequest, seen: Visit) -> Row[Any] | None:
    """Who is signed in."""
    if seen.user is None or not seen.user.authenticated:
        return None
    return await request.gateway.users.signed_in(seen.version.app_id, seen.cookie)


async def _facts(request: GatewayRequest, row: Row[Any]) -> dict[str, Any]:
    browsers = await request.gateway.db.read(lambda connection: store.browsers_of(connection, row.id))
    return {
        "email": row.email or "",
        "is_verified": row.kind == "openid" or row.verified_at is not None,
        "has_password": row.password is not None,
        "browsers": browsers,
        "current": row.browser_session_id,
        "day": _day,
    }


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %B %Y, %H:%M} UTC"


handlers = [account_page, change_account]
