"""``/a/{app}/sign-in/{provider}``: to a provider, and back from it signed in."""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Request, Response, Router, get

from cpsl.errors import CapsuleError
from cpsl.gateway.integrations.flows import Answer
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users import cookies
from cpsl.gateway.users.forms import path_inside
from cpsl.gateway.users.store import BROWSER_SECONDS
from cpsl.gateway.web.people.pages import browser_of
from cpsl.gateway.web.rendering import not_before, page, see_other
from cpsl.gateway.web.visits import base_of, visit


@get("/a/{app:str}/sign-in/{provider:str}", media_type=MediaType.HTML)
async def leave(app: str, provider: str, request: GatewayRequest, next: str = "") -> Response[Any]:
    """Go to the provider."""
    gateway, base = request.gateway, base_of(request, app)
    seen = await visit(request, app)
    gateway.signing.leaves(seen.version, browser_of(request, seen))
    value, origin = gateway.browsers.value(request), gateway.browsers.origin(request)
    back, wanted = f"{base}/sign-in/{provider}/complete", path_inside(next, base)
    response = see_other(await gateway.openid.begin(seen.version, provider, value, origin, back, wanted))
    response.set_cookie(gateway.browsers.cookie(value))
    return response


@get("/a/{app:str}/sign-in/{provider:str}/complete", media_type=MediaType.HTML)
async def complete(app: str, provider: str, request: GatewayRequest) -> Response[Any]:
    """The end of the way back, on the origin where it began: a new cookie, whoever had the one before."""
    gateway = request.gateway
    version = await gateway.apps.live_public(app)
    answer = Answer(**{name: request.query_params.get(name, "") for name in Answer.__struct_fields__})
    browser = browser_of(request, await visit(request, app))
    done = await gateway.openid.finish(version, provider, gateway.browsers.known(request), browser, answer)
    response = see_other(done.wanted)
    called, url = cookies.name(version.app_id), gateway.settings.url
    response.set_cookie(cookies.cookie(called, done.cookie, max_age=int(BROWSER_SECONDS), url=url))
    return response


def on_error(request: Request[Any, Any, Any], error: CapsuleError) -> Response[str]:
    """A page that says why nobody is signed in."""
    app = request.path_params.get("app", "")
    problem = f"{error.message[:1].upper()}{error.message[1:]}."
    base = base_of(GatewayRequest(request.scope), app)
    again = "" if error.status == 404 else f"{base}/sign-in/{request.path_params.get('provider', '')}"
    response = page("sign_in_failed.html", error.status, problem=problem, hint=error.hint, again=again)
    return not_before(error, response)


router = Router(
    "", route_handlers=[leave, complete], exception_handlers={CapsuleError: on_error}, include_in_schema=False
)
