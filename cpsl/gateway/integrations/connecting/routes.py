"""``/a/{app}/connect/…`` for those who have the app's cookie, ``/connect/{turn}/{prompt}`` for those who have the link
of a prompt, and ``/oauth/callback/{provider}``, where providers send both back to.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.response import Redirect
from sqlalchemy import Connection, Row

from cpsl.errors import AuthError, CapsuleError, NotFound
from cpsl.gateway import asking
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.chats import store as chats
from cpsl.gateway.integrations.flows import Answer, Asking
from cpsl.gateway.integrations.service import declared, field_problems, fields_of, grant_from
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users import cookies
from cpsl.gateway.users import store as users
from cpsl.gateway.web.rendering import Form, page
from cpsl.gateway.web.visits import base_of
from cpsl.wire import integrations as wire
from cpsl.wire.apps import IntegrationSpec
from cpsl.wire.events import Prompt
from cpsl.wire.frames import AppUser
from cpsl.wire.integrations import title
from cpsl.wire.turns import PromptAnswer

_OURS = ("csrf_token", "decision")


class Visit(NamedTuple):
    """Who looks at which page (``path``) to connect what, and where a provider's answer is taken (``return_to``).

    ``whose`` names the user where only the link of a prompt shows it.
    """

    version: VersionRef
    user: AppUser
    spec: IntegrationSpec
    path: str
    return_to: str
    base: str
    csrf_token: str
    whose: str = ""
    prompt: Prompt | None = None
    turn_id: str | None = None


# --- with the app's cookie ----------------------------------------------------------------------------------------


@get("/a/{app:str}/connect/{integration:str}", media_type=MediaType.HTML)
async def connect_page(app: str, integration: str, request: GatewayRequest) -> Response[str]:
    """Connect an integration of an app, or see that it is connected."""
    version = await request.gateway.apps.live_public(app)
    if await asking.of_browser(request, version.app_id) is None and version.spec.chat_access != "authenticated":
        service = title(declared(version.spec, integration).type)
        return page("connect_elsewhere.html", app=app, base=base_of(request, app), service=service)
    return await _page(request, await _visit(request, app, integration))


@post("/a/{app:str}/connect/{integration:str}", media_type=MediaType.HTML, status_code=200)
async def connect(app: str, integration: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Begin to connect by OAuth, or take the values of a form."""
    visit = await _visit(request, app, integration)
    asking.refuse_forgery(request, visit.version.app_id, data.get("csrf_token", ""))
    return await _connect(request, visit, data)


@get("/a/{app:str}/connect/{integration:str}/complete", media_type=MediaType.HTML)
async def complete(app: str, integration: str, request: GatewayRequest) -> Response[Any]:
    """The end of the way back from a provider, on the origin where it began."""
    return await _complete(request, await _visit(request, app, integration))


async def _visit(request: GatewayRequest, app: str, integration: str) -> Visit:
    version = await request.gateway.apps.live_public(app)
    user = await asking.of_browser(request, version.app_id)
    asking.require_sign_in(version, user or AppUser("", authenticated=False))
    if user is None:
        raise AuthError(f"open {app} in this browser first, and connect from there", code="unknown_browser")
    spec = declared(version.spec, integration)
    base = base_of(request, app)
    csrf_token = request.gateway.users.signer.csrf_token(request.cookies[cookies.name(version.app_id)])
    waiting = await _waiting_for(request, user.id, integration)
    path = f"/connect/{spec.type}"
    return_to = f"/a/{app}{path}/complete"  # which is its address on every host of the gateway
    return Visit(version, user, spec, f"{base}{path}", return_to, base, csrf_token, prompt=waiting)


async def _waiting_for(request: GatewayRequest, app_user_id: str, integration: str) -> Prompt | None:
    """The prompt that waits for it, by the store: those who watch a turn hear of an answer a moment later."""
    for live in request.gateway.runner.of_user(app_user_id):
        for prompt in list(live.log.prompts.values()):  # one may be answered meanwhile
            if prompt.integration == integration and await _is_open(request, live.id, prompt.prompt_id):
                return prompt
    return None


async def _is_open(request: GatewayRequest, turn_id: str, prompt_id: str) -> bool:
    row = await _stored(request, turn_id, prompt_id)
    return row is not None and row.outcome is None


async def _stored(request: GatewayRequest, turn_id: str, prompt_id: str) -> Row[Any] | None:
    return await request.gateway.db.read(lambda connection: chats.prompt(connection, turn_id, prompt_id))


# --- with the link of a prompt ------------------------------------------------------------------------------------


@get("/connect/{turn_id:str}/{prompt_id:str}", media_type=MediaType.HTML)
async def prompt_page(turn_id: str, prompt_id: str, request: GatewayRequest) -> Response[Any]:
    """Where the link of a prompt leads: from a browser that knows the user, and from a terminal that has none."""
    row = await _prompt_row(request, turn_id, prompt_id)
    visit = await _visit_of_prompt(request, row)
    if isinstance(visit, Redirect):
        return visit
    if row.outcome == "answered":
        return await _answered(request, visit)
    if row.outcome is not None:
        raise _closed()
    return await _page(request, visit)


@post("/connect/{turn_id:str}/{prompt_id:str}", media_type=MediaType.HTML, status_code=200)
async def answer_prompt(turn_id: str, prompt_id: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Begin to connect what a prompt asks for, take the values of its form, or decline it."""
    visit = await _open_visit(request, turn_id, prompt_id)
    request.gateway.browsers.refuse_forgery(request, data.get("csrf_token", ""))
    if data.get("decision") != "decline":
        return await _connect(request, visit, data)
    await request.gateway.prompts.answer(turn_id, prompt_id, PromptAnswer(declined=True))
    return _message("Not connected", f"{visit.version.app} was told that you do not want to. You can close this page.")


@get("/oauth/complete/{turn_id:str}/{prompt_id:str}", media_type=MediaType.HTML)
async def complete_prompt(turn_id: str, prompt_id: str, request: GatewayRequest) -> Response[Any]:
    """The end of the way back from a provider, for who came with a prompt's link."""
    return await _complete(request, await _open_visit(request, turn_id, prompt_id))


async def _answered(request: GatewayRequest, visit: Visit) -> Response[str]:
    connected = await _connected(request, visit)
    missing = ", ".join(connected.missing_scopes) if connected else ""
    note = f" You were asked for more than you granted; not granted: {missing}." if missing else ""
    return _message(f"{title(visit.spec.type)} is connected", f"You can close this page.{note}")


async def _open_visit(request: GatewayRequest, turn_id: str, prompt_id: str) -> Visit:
    row = await _prompt_row(request, turn_id, prompt_id)
    visit = await _visit_of_prompt(request, row)
    if row.outcome is not None or isinstance(visit, Redirect):
        raise _closed()
    return visit


async def _prompt_row(request: GatewayRequest, turn_id: str, prompt_id: str) -> Row[Any]:
    row = await _stored(request, turn_id, prompt_id)
    if row is None or not row.event.get("integration"):
        raise _closed()
    return row


async def _visit_of_prompt(request: GatewayRequest, row: Row[Any]) -> Visit | Redirect:
    """Who has a prompt's link may answer for a caller of the API; people of a page show that it is they."""
    turn = await request.gateway.turns.row(row.turn_id)
    version = await request.gateway.apps.version(turn.app_id, turn.version)
    known, user = await request.gateway.db.read(lambda connection: _user(connection, turn.app_user_id))
    prompt = msgspec.convert(row.event, Prompt)
    if known.kind != "account":
        asks = await asking.of_browser(request, turn.app_id)
        if asks is None or asks.id != user.id:
            raise AuthError("this belongs to another conversation", code="not_your_prompt", status=403)
        return Redirect(f"{base_of(request, turn.app)}/connect/{prompt.integration}", status_code=303)
    value = request.gateway.browsers.value(request)
    request.state.browser = value
    return Visit(
        version,
        user,
        declared(version.spec, prompt.integration),
        f"/connect/{row.turn_id}/{row.id}",
        f"/oauth/complete/{row.turn_id}/{row.id}",
        "",
        request.gateway.browsers.csrf_token(value),
        whose=known.email or "a caller of the API",
        prompt=prompt,
        turn_id=row.turn_id,
    )


def _user(connection: Connection, app_user_id: str) -> tuple[Row[Any], AppUser]:
    return users.the_one(connection, app_user_id), users.user_of(connection, app_user_id)


# --- both ---------------------------------------------------------------------------------------------------------


async def _page(
    request: GatewayRequest, visit: Visit, data: dict[str, str] | None = None, problem: str = "", status: int = 200
) -> Response[str]:
    fields = fields_of(visit.spec) if visit.spec.mode == "form" else []
    given = _values(data or {})
    connected = None if visit.prompt else await _connected(request, visit)  # what waits needs another, or more
    response = page(
        "connect.html",
        status,
        app=visit.version.app,
        base=visit.base,
        service=title(visit.spec.type),
        reason=visit.prompt.message if visit.prompt else "",
        scopes=[] if connected and not connected.needs_reconnect else visit.spec.scopes,
        whose=visit.whose,
        connected=connected,
        action=visit.path,
        csrf_token=visit.csrf_token,
        fields=fields,
        given=given,
        problems=field_problems(fields, given) if data is not None else {},
        problem=problem,
        can_decline=bool(visit.whose),
        links=not visit.whose,
    )
    return _bound(request, response) if visit.whose else response


async def _connected(request: GatewayRequest, visit: Visit) -> wire.Connection | None:
    gateway = request.gateway
    shown = await gateway.db.read(lambda c: gateway.integrations.shown(c, visit.version, visit.user.id))
    return next((each for each in shown if each.integration == visit.spec.type), None)


async def _connect(request: GatewayRequest, visit: Visit, data: dict[str, str]) -> Response[Any]:
    if visit.spec.mode == "oauth":
        return await _leave(request, visit)
    fields, given = fields_of(visit.spec), _values(data)
    if problems := field_problems(fields, given):
        shown = "" if set(problems) <= {field.name for field in fields} else "Something was sent that is not asked for."
        return await _page(request, visit, given, shown, 422)
    prompt_id = visit.prompt.prompt_id if visit.prompt and visit.whose else None
    await request.gateway.prompts.connected(
        visit.version, visit.user.id, visit.spec.type, grant_from(fields, given), prompt_id
    )
    return Redirect(visit.path, status_code=303)


async def _leave(request: GatewayRequest, visit: Visit) -> Response[str]:
    """Send a browser to the provider. Not by a redirect: the policy of the page lets its form go nowhere else."""
    value = request.gateway.browsers.value(request)
    request.state.browser = value
    url = await request.gateway.flows.begin(
        Asking(
            visit.version,
            visit.user.id,
            visit.spec.type,
            value,
            request.gateway.browsers.origin(request),
            visit.return_to,
            visit.turn_id,
            visit.prompt.prompt_id if visit.prompt and visit.turn_id else None,
        )
    )
    response = page("leaving.html", app=visit.version.app, base=visit.base, service=title(visit.spec.type), url=url)
    response.headers["Refresh"] = f"0; url={url}"
    return _bound(request, response)


async def _complete(request: GatewayRequest, visit: Visit) -> Response[Any]:
    answer = Answer(**{name: request.query_params.get(name, "") for name in Answer.__struct_fields__})
    browser = request.gateway.browsers.known(request)
    try:
        done = await request.gateway.flows.finish(visit.spec.type, browser, visit.user.id, answer)
        prompt_id = done.prompt_id  # who came with a prompt's link connects for that prompt, if it waits still
        await request.gateway.prompts.connected(done.version, done.app_user_id, done.integration, done.grant, prompt_id)
    except CapsuleError as error:
        return _failed(error, visit.path)
    return Redirect(visit.path, status_code=303)


@get("/oauth/callback/{provider:str}", media_type=MediaType.HTML)
async def callback(provider: str, request: GatewayRequest) -> Response[Any]:
    """The one address that providers know. It sends a browser on to where it began, and does nothing else."""
    given = {name: request.query_params.get(name, "") for name in Answer.__struct_fields__}
    where = await request.gateway.states.where(provider, given["state"])
    return Redirect(f"{where}?{urlencode({name: text for name, text in given.items() if text})}", status_code=303)


def _values(data: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in data.items() if name not in _OURS}


def _bound(request: GatewayRequest, response: Response[str]) -> Response[str]:
    response.set_cookie(request.gateway.browsers.cookie(request.state.browser))
    return response


def _message(heading: str, text: str, status: int = 200) -> Response[str]:
    return page("message.html", status, title=heading, message=text)


def _failed(error: CapsuleError, again: str = "") -> Response[str]:
    problem = f"{error.message[:1].upper()}{error.message[1:]}."
    return page("connect_failed.html", error.status, problem=problem, hint=error.hint, again=again)


def _closed() -> NotFound:
    return NotFound("this request to connect is no longer open", code="prompt_closed")


def on_error(request: Request[Any, Any, Any], error: CapsuleError) -> Response[Any]:
    """A page for what went wrong; who has to sign in is sent there."""
    app = request.path_params.get("app", "")
    base = base_of(GatewayRequest(request.scope), app) if app else ""
    if error.code == "sign_in_required" and app:
        return Redirect(f"{base}/sign-in", status_code=303)
    return _failed(error, (base or "/") if error.code == "unknown_browser" else "")


router = Router(
    "",
    route_handlers=[connect_page, connect, complete, prompt_page, answer_prompt, complete_prompt, callback],
    exception_handlers={CapsuleError: on_error},
    include_in_schema=False,
)
