"""``/healthz``, ``/readyz``, and the pages: an app's, the device login's, a connection's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response, Router, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import File

from cpsl.errors import CapsuleError, InvalidRequest, NotFound
from cpsl.gateway.request import GatewayRequest
from cpsl.wire.integrations import title

_pages = Environment(loader=PackageLoader("cpsl.gateway.web"), autoescape=True, undefined=StrictUndefined)
_pages.globals["asset"] = "/static/{}".format
_STYLE = Path(__file__).parent / "static" / "style.css"
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/healthz", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@get("/readyz", sync_to_thread=False)
def readyz(request: GatewayRequest) -> Response[dict[str, str]]:
    """It takes requests."""
    if request.gateway.is_ready:
        return Response({"status": "ready"})
    return Response({"status": "not ready"}, status_code=503)


@get("/a/{app:str}", media_type=MediaType.HTML)
async def app_page(app: str, request: GatewayRequest) -> Response[str]:
    """An app's page: what it is called, and how to talk to it."""
    try:
        found = await request.gateway.apps.public(app)
    except NotFound as error:
        return _page("message.html", 404, title="Not found", message=error.message)
    return _page("app.html", app=found)


@get("/device", media_type=MediaType.HTML, sync_to_thread=False)
def device_page(user_code: str = "") -> Response[str]:
    """Where a person approves the login of another device (RFC 8628 §3.3)."""
    return _page("device.html", user_code=user_code[:20], message="")


@post("/device", media_type=MediaType.HTML, status_code=200)
async def decide_device(data: Form, request: GatewayRequest) -> Response[str]:
    """Approve or deny. The token in the form is the only credential, so a foreign page cannot send it."""
    user_code = data.get("user_code", "")
    approve = data.get("decision") == "approve"
    try:
        if not approve and data.get("decision") != "deny":
            raise InvalidRequest("say whether to approve or to deny")
        actor = await request.gateway.accounts.authenticate(data.get("token", "").strip())
        await request.gateway.devices.decide(actor, user_code, approve=approve)
    except CapsuleError as error:
        return _page("device.html", error.status, user_code=user_code[:20], message=error.message)
    done = "The device is logged in. You can close this page." if approve else "The login was denied."
    return _page("message.html", title="Done", message=done)


@get("/connect/{turn_id:str}/{prompt_id:str}", media_type=MediaType.HTML)
async def connect_page(turn_id: str, prompt_id: str, request: GatewayRequest) -> Response[str]:
    """Where the link of an integration prompt leads."""
    live = request.gateway.runner.live(turn_id)
    prompt = live.log.prompts.get(prompt_id) if live else None
    if live is None or prompt is None:
        return _page("message.html", 404, title="Not found", message="This request to connect is no longer open.")
    return _page(
        "connect.html",
        app=live.version.app,
        integration=title(prompt.integration),
        reason=prompt.message,
        prompt=prompt,
    )


@get("/a/{app:str}/connect/{integration:str}", media_type=MediaType.HTML)
async def connect_card_page(app: str, integration: str, request: GatewayRequest) -> Response[str]:
    """Where the link of an integration card leads."""
    try:
        found = await request.gateway.apps.public(app)
    except NotFound as error:
        return _page("message.html", 404, title="Not found", message=error.message)
    return _page("connect.html", app=found.name, integration=title(integration[:100]), reason="", prompt=None)


@get("/static/style.css", sync_to_thread=False)
def style() -> File:
    """The one style sheet."""
    headers = {"Cache-Control": "max-age=3600"}
    return File(_STYLE, media_type="text/css", content_disposition_type="inline", headers=headers)


def _page(name: str, status: int = 200, **values: Any) -> Response[str]:
    return Response(_pages.get_template(name).render(**values), status_code=status, media_type=MediaType.HTML)


router = Router(
    "",
    route_handlers=[
        healthz,
        readyz,
        app_page,
        device_page,
        decide_device,
        connect_page,
        connect_card_page,
        style,
    ],
    include_in_schema=False,
)
