"""``/channels``."""

from __future__ import annotations

from litestar import Router, delete, get, post

from cpsl.gateway.request import GatewayRequest
from cpsl.wire.resources import Channel, ChannelCreate, ChannelCreated, ChannelList


@get("")
async def list_channels(request: GatewayRequest) -> ChannelList:
    """The channels of the workspace, without their credentials."""
    return ChannelList(await request.gateway.channels.all(request.workspace_id))


@post("")
async def create_channel(data: ChannelCreate, request: GatewayRequest) -> ChannelCreated:
    """Keep a messenger account for apps to answer on."""
    channels = request.gateway.channels
    return ChannelCreated(await request.once(lambda: channels.create(request.workspace_id, data)))


@get("/{name:str}")
async def get_channel(name: str, request: GatewayRequest) -> Channel:
    """One channel, by name or id."""
    return await request.gateway.channels.get(request.workspace_id, name)


@delete("/{name:str}")
async def delete_channel(name: str, request: GatewayRequest, force: bool = False) -> None:
    """Forget a channel."""
    channels = request.gateway.channels
    found = await channels.get(request.workspace_id, name)
    used_by = await request.gateway.apps.naming_channel(request.workspace_id, found.name)
    await channels.delete(request.workspace_id, name, used_by, force=force)


router = Router(
    "/channels",
    route_handlers=[list_channels, create_channel, get_channel, delete_channel],
    tags=["channels"],
)
