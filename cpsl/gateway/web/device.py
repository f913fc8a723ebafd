"""Where a person approves the login of another device (RFC 8628 §3.3)."""

from __future__ import annotations

from litestar import MediaType, Response, get, post

from cpsl.errors import CapsuleError, InvalidRequest
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.web.rendering import Form, message_page, page


@get("/device", media_type=MediaType.HTML, sync_to_thread=False)
def device_page(user_code: str = "") -> Response[str]:
    """The form to approve."""
    return page("device.html", user_code=user_code[:20], message="")


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
        return page("device.html", error.status, user_code=user_code[:20], message=error.message)
    return message_page(
        "Done", "The device is logged in. You can close this page." if approve else "The login was denied."
    )
