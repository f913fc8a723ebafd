"""Who opens a page of an app: somebody with the app's cookie, or somebody who gets one now."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from litestar import Response

from cpsl.gateway import asking
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users import cookies
from cpsl.gateway.web.rendering import pack, page
from cpsl.wire.frames import AppUser


class Visit(NamedTuple):
    """One look at an app's pages.

    ``user`` is None for who was never here: a row is made by the first message. ``cookie`` is the value that the
    browser has, or is given by the answer (``is_new``). ``base`` is what the links of its pages begin with.
    """

    version: VersionRef
    user: AppUser | None
    cookie: str
    is_new: bool
    base: str
    csrf_token: str


async def visit(request: GatewayRequest, app: str) -> Visit:
    """Who opens a page of ``app``. Raises NotFound for an app that is not there."""
    version = await request.gateway.apps.live_public(app)
    signer = request.gateway.users.signer
    user = await asking.of_browser(request, version.app_id)
    known = request.cookies.get(cookies.name(version.app_id), "") if user else ""
    value = known or signer.new_visitor(version.app_id)
    return Visit(version, user, value, not known, base_of(request, app), signer.csrf_token(value))


def signed_in(seen: Visit) -> AppUser | None:
    """The user of a visit. Raises AuthError (``sign_in_required``) where the app talks to known people only."""
    if seen.user is not None:
        asking.require_sign_in(seen.version, seen.user)
    elif seen.version.spec.chat_access == "authenticated":
        asking.require_sign_in(seen.version, AppUser("", authenticated=False))
    return seen.user


def base_of(request: GatewayRequest, app: str) -> str:
    """What links to an app's pages begin with: nothing on the app's own host name."""
    return "" if request.scope["state"].get("app_host") == app else f"/a/{app}"


def sign_in_url(base: str, back: str = "") -> str:
    """Where to sign in, to come back to the page ``back`` of the app afterwards."""
    return f"{base}/sign-in?next={quote(f'{base}{back}', safe='/')}" if back else f"{base}/sign-in"


def app_page(request: GatewayRequest, seen: Visit, name: str, status: int = 200, **values: object) -> Response[str]:
    """A page of an app, with what every one of them shows, and the cookie for who has none."""
    common = {
        "app": seen.version.app,
        "description": seen.version.spec.description,
        "user": seen.user,
        "base": seen.base,
        "csrf_token": seen.csrf_token,
        "canonical": request.gateway.apps.url(seen.version.app),
    }
    response = page(name, status, **common, **values)
    pack(request, response)
    if seen.is_new:
        called, url = cookies.name(seen.version.app_id), request.gateway.settings.url
        response.set_cookie(cookies.cookie(called, seen.cookie, max_age=cookies.VISITOR_SECONDS, url=url))
    return response
