"""``/channels``."""

from __future__ import annotations

from litestar import Router, delete, get, post

from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.service import Apps
from cpsl.gateway.channels.service import Channels
from cpsl.wire.resources import Channel, ChannelCreate, ChannelCreated, ChannelList


@get("")
async def list_channels(actor: Actor, channels: Channels) -> ChannelList:
    """The channels of the workspace, without their credentials."""
    return ChannelList(await channels.all(actor.workspace_id))


@post("")
async def create_channel(data: ChannelCreate, actor: Actor, channels: Channels) -> ChannelCreated:
    """Keep a messenger account for apps to answer on."""
    return ChannelCreated(await channels.create(actor.workspace_id, data))


@get("/{name:str}")
async def get_channel(name: str, actor: Actor, channels: Channels) -> Channel:
    """One channel, by name or id."""
    return await channels.get(actor.workspace_id, name)


@delete("/{name:str}")
async def delete_channel(name: str, actor: Actor, channels: Channels, apps: Apps, force: bool = False) -> None:
    """Forget a channel."""
    found = await channels.get(actor.workspace_id, name)
    used_by = await apps.naming_channel(actor.workspace_id, found.name)
    await channels.delete(actor.workspace_id, name, used_by, force=force)


router = Router(
    "/channels",
    route_handlers=[list_channels, create_channel, get_channel, delete_channel],
    tags=["channels"],
)
