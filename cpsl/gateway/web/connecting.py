"""Where the links of prompts and cards lead that ask to connect an integration."""

from __future__ import annotations

from litestar import MediaType, Response, get

from cpsl.errors import NotFound
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.web.rendering import message_page, page
from cpsl.wire.integrations import title


@get("/connect/{turn_id:str}/{prompt_id:str}", media_type=MediaType.HTML)
async def connect_page(turn_id: str, prompt_id: str, request: GatewayRequest) -> Response[str]:
    """Where the link of an integration prompt leads."""
    live = request.gateway.runner.live(turn_id)
    prompt = live.log.prompts.get(prompt_id) if live else None
    if live is None or prompt is None:
        return message_page("Not found", "This request to connect is no longer open.", 404)
    return page(
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
        return message_page("Not found", error.message, 404)
    return page("connect.html", app=found.name, integration=title(integration[:100]), reason="", prompt=None)
