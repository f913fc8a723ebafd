"""Deploys of ``capsule serve``: an app under a name of its own, beside the one that people use."""

from __future__ import annotations

from cpsl.errors import Conflict
from cpsl.gateway.apps.service import Apps
from cpsl.wire.apps import AppSpec, Development


async def check_channels(apps: Apps, workspace_id: str, spec: AppSpec, wanted: Development) -> None:
    """Raises Conflict for a channel that another app's live version names, unless it may be taken."""
    for name in () if wanted.take_channels else wanted.channels:
        others = [app for app in await apps.naming_channel(workspace_id, name) if app != spec.name]
        if others:
            raise Conflict(
                f"the channel {name} belongs to {', '.join(others)}",
                code="channel_in_use",
                hint="Take it while you develop with --force-channel, or use a channel of your own.",
            )
