"""What the forms of an app's people have in common: who sends them, and what the answer to one is."""

from __future__ import annotations

from typing import Any, NamedTuple

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from cpsl.errors import CapsuleError
from cpsl.gateway import asking
from cpsl.gateway.people.signing import Browser
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users import cookies
from cpsl.gateway.users.forms import FormError, path_inside
from cpsl.gateway.users.rates import network_of
from cpsl.gateway.web.rendering import message_page, not_before, see_other
from cpsl.gateway.web.visits import Visit, app_page, sign_in_url, visit

_SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS": "macOS"}
_BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}


class Posted(NamedTuple):
    """A form that came from a page of ours: what the page was, the browser, and what was filled in."""

    request: GatewayRequest
    seen: Visit
    browser: Browser
    given: dict[str, str]

    def text(self, name: str) -> str:
        """What was filled in, empty if nothing was."""
        return self.given.get(name, "")

    @property
    def next(self) -> str:
        """Where to go afterwards, inside the app."""
        return path_inside(self.text("next"), self.seen.base)


async def posted(request: GatewayRequest, app: str, given: dict[str, str]) -> Posted:
    """A form as it was sent. Raises AuthError (``csrf_failed``), NotFound."""
    seen = await visit(request, app)
    asking.refuse_forgery(request, seen.version.app_id, given.get("csrf_token", ""))
    return Posted(request, seen, browser_of(request, seen), given)


def browser_of(request: GatewayRequest, seen: Visit) -> Browser:
    """The browser that asks."""
    known = request.cookies.get(_known_name(seen.version.app_id), "")
    name = client_name(request.headers.get("user-agent", ""))
    return Browser(seen.cookie, seen.user, name, network_of(_address(request)), known)


def form_page(form: Posted, template: str, error: CapsuleError, **values: Any) -> Response[str]:
    """The form once more, with what was wrong with it. Passwords are not filled in again."""
    field = error.field if isinstance(error, FormError) else ""
    said = error.message[0].upper() + error.message[1:]
    problem = "" if field else " ".join(each for each in (said, error.hint) if each)
    values = {"problems": {field: said} if field else {}, "problem": problem, "given": _shown(form.given)} | values
    return not_before(error, app_page(form.request, form.seen, template, error.status, **values))


def fresh(request: GatewayRequest, seen: Visit, template: str, **values: Any) -> Response[str]:
    """A form that nobody has filled in yet."""
    return app_page(request, seen, template, **({"problems": {}, "problem": "", "given": {}} | values))


def signed_in_to(form: Posted, value: str, known: str, path: str) -> Redirect:
    """Go on, with a browser that is signed in now."""
    response = with_cookie(form.request, form.seen, value, see_other(path))
    if known:
        response.set_cookie(_cookie(form.request, _known_name(form.seen.version.app_id), known))
    return response


def with_cookie(request: GatewayRequest, seen: Visit, value: str, response: Redirect) -> Redirect:
    """An answer that gives the browser another value of its cookie."""
    response.set_cookie(_cookie(request, cookies.name(seen.version.app_id), value))
    return response


def to_sign_in(seen: Visit, back: str) -> Redirect:
    """Sign in first, then come back."""
    return see_other(sign_in_url(seen.base, back))


def on_error(request: Request[Any, Any, Any], error: CapsuleError) -> Response[str]:
    """An error as a page."""
    said = error.message[0].upper() + error.message[1:].rstrip(".")
    return message_page("That did not work", f"{said}. {error.hint or ''}".strip(), error.status)


def client_name(agent: str) -> str:
    """What a person would call a browser, of its User-Agent."""
    browser = next((name for mark, name in _BROWSERS.items() if mark in agent), "A browser")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "Linux" if "Linux" in agent else "")
    return f"{browser} on {system}" if system else browser


def _shown(given: dict[str, str]) -> dict[str, str]:
    return {name: given[name][:320] for name in ("email",) if name in given}


def _cookie(request: GatewayRequest, name: str, value: str) -> Cookie:
    return cookies.cookie(name, value, max_age=cookies.VISITOR_SECONDS, url=request.gateway.settings.url)


def _known_name(app_id: str) -> str:
    return f"{cookies.name(app_id)}_known"


def _address(request: GatewayRequest) -> str:
    """The address of the client. What a proxy adds comes last; what stands before that, anybody can write."""
    told = request.headers.get("x-forwarded-for", "")
    if request.gateway.settings.behind_proxy and told:
        return told.rpartition(",")[2].strip()
    return request.client.host if request.client else ""
