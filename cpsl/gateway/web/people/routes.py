"""``/a/{app}/sign-in``, ``/sign-up``, ``/sign-out``, and the pages that links in mails lead to.

A link shows a page with a button: what fetches links before a person does, like a mail scanner, uses none of them up.
"""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Response, Router, get, post

from cpsl.errors import CapsuleError
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.users.forms import path_inside
from cpsl.gateway.web.people import account
from cpsl.gateway.web.people.pages import form_page, fresh, on_error, posted, signed_in_to, with_cookie
from cpsl.gateway.web.rendering import Form, see_other
from cpsl.gateway.web.visits import visit


@get("/a/{app:str}/sign-in", media_type=MediaType.HTML)
async def sign_in_page(app: str, request: GatewayRequest) -> Response[Any]:
    """Sign in."""
    return await _entrance(request, app, "users/sign_in.html")


@get("/a/{app:str}/sign-up", media_type=MediaType.HTML)
async def sign_up_page(app: str, request: GatewayRequest) -> Response[Any]:
    """Make an account."""
    return await _entrance(request, app, "users/sign_up.html")


@post("/a/{app:str}/sign-in", media_type=MediaType.HTML, status_code=200)
async def sign_in(app: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Sign this browser in; what it did as a visitor comes along."""
    form = await posted(request, app, data)
    try:
        value, known = await request.gateway.signing.sign_in(
            form.seen.version, form.browser, form.text("email"), form.text("password")
        )
    except CapsuleError as error:
        return form_page(form, "users/sign_in.html", error, next=form.next, **_providers(request))
    return signed_in_to(form, value, known, form.next)


@post("/a/{app:str}/sign-up", media_type=MediaType.HTML, status_code=200)
async def sign_up(app: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Make an account. The answer is the same when there is one already."""
    form = await posted(request, app, data)
    signing = request.gateway.signing
    try:
        address = await signing.sign_up(form.seen.version, form.browser, form.text("email"), form.text("password"))
    except CapsuleError as error:
        return form_page(form, "users/sign_up.html", error, next=form.next, **_providers(request))
    return fresh(request, form.seen, "users/signed_up.html", given={"email": address}, next=form.next)


@post("/a/{app:str}/sign-out", media_type=MediaType.HTML, status_code=200)
async def sign_out(app: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Sign this browser out. It is a new visitor from now on."""
    form = await posted(request, app, data)
    await request.gateway.signing.sign_out(form.browser)
    value = request.gateway.users.signer.new_visitor(form.seen.version.app_id)
    return with_cookie(request, form.seen, value, see_other(form.seen.base or "/"))


# --- links in mails -----------------------------------------------------------------------------------------------


@get("/a/{app:str}/verify/{token:str}", media_type=MediaType.HTML)
async def verify_page(app: str, token: str, request: GatewayRequest) -> Response[Any]:
    """Confirm an address, with a button."""
    return fresh(request, await visit(request, app), "users/verify.html", token=token)


@post("/a/{app:str}/verify", media_type=MediaType.HTML, status_code=200)
async def verify(app: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Somebody has shown that an address is theirs."""
    form = await posted(request, app, data)
    try:
        address = await request.gateway.recovery.verify(form.seen.version, form.text("token"))
    except CapsuleError as error:
        return form_page(form, "users/link_used.html", error)
    return fresh(request, form.seen, "users/verified.html", address=address)


@get("/a/{app:str}/forgot", media_type=MediaType.HTML)
async def forgot_page(app: str, request: GatewayRequest) -> Response[Any]:
    """Ask for a link to choose a new password."""
    return fresh(request, await visit(request, app), "users/forgot.html")


@post("/a/{app:str}/forgot", media_type=MediaType.HTML, status_code=200)
async def forgot(app: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Mail a link, to an address that has an account. The answer is the same when it has none."""
    form = await posted(request, app, data)
    try:
        address = await request.gateway.recovery.forgot(form.seen.version, form.browser, form.text("email"))
    except CapsuleError as error:
        return form_page(form, "users/forgot.html", error)
    return fresh(request, form.seen, "users/mailed.html", address=address)


@get("/a/{app:str}/reset/{token:str}", media_type=MediaType.HTML)
async def reset_page(app: str, token: str, request: GatewayRequest) -> Response[Any]:
    """Choose a new password."""
    return fresh(request, await visit(request, app), "users/reset.html", token=token)


@post("/a/{app:str}/reset", media_type=MediaType.HTML, status_code=200)
async def reset(app: str, data: Form, request: GatewayRequest) -> Response[Any]:
    """Take a new password; every browser is signed out."""
    form = await posted(request, app, data)
    token = form.text("token")
    try:
        address = await request.gateway.recovery.reset(form.seen.version, token, form.text("password"))
    except CapsuleError as error:
        template = "users/link_used.html" if error.code == "link_used" else "users/reset.html"
        return form_page(form, template, error, token=token)
    return fresh(request, form.seen, "users/was_reset.html", given={"email": address}, next=form.seen.base or "/")


async def _entrance(request: GatewayRequest, app: str, template: str) -> Response[Any]:
    """A page to come in by; who is in already goes on."""
    seen = await visit(request, app)
    to = path_inside(request.query_params.get("next", ""), seen.base)
    if seen.user is not None and seen.user.authenticated:
        return see_other(to)
    return fresh(request, seen, template, next=to, **_providers(request))


def _providers(request: GatewayRequest) -> dict[str, Any]:
    return {"providers": request.gateway.openid.offered}


router = Router(
    "",
    route_handlers=[
        sign_in_page,
        sign_up_page,
        sign_in,
        sign_up,
        sign_out,
        verify_page,
        verify,
        forgot_page,
        forgot,
        reset_page,
        reset,
        *account.handlers,
    ],
    exception_handlers={CapsuleError: on_error},
    include_in_schema=False,
)
