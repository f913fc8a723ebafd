"""What apps name, held against what their workspace has: without it nothing goes live."""

from __future__ import annotations

from cpsl.errors import NotFound
from cpsl.gateway.apps.service import named_secrets
from cpsl.gateway.channels.service import Channels
from cpsl.gateway.files.service import FileSystems
from cpsl.gateway.secrets.service import Secrets
from cpsl.wire.apps import AppSpec, DeployCheck, Missing, creating
from cpsl.wire.resources import CHANNEL_CREDENTIALS


class Refused(NotFound):
    """The app names resources that do not exist."""

    default_code = "missing_resources"

    def __init__(self, missing: list[Missing]) -> None:
        names = ", ".join(f"{item.kind} {item.name}" for item in missing)
        super().__init__(f"the app needs what this workspace has not: {names}", hint=creating(missing))
        self.missing = missing


class Inventory:
    """The secrets, filesystems and channels that there are in each workspace."""

    def __init__(self, secrets: Secrets, filesystems: FileSystems, channels: Channels) -> None:
        self._secrets = secrets
        self._filesystems = filesystems
        self._channels = channels

    async def check(self, workspace_id: str, spec: AppSpec) -> DeployCheck:
        """What the app names and the workspace has not, each with the command that creates it."""
        secrets = {secret.name for secret in await self._secrets.all(workspace_id)}
        filesystems = {filesystem.name for filesystem in await self._filesystems.all(workspace_id)}
        channels = {channel.name for channel in await self._channels.all(workspace_id)}
        return DeployCheck(
            [
                *(_secret(name) for name in named_secrets(spec) if name not in secrets),
                *(_filesystem(mount.name) for mount in spec.mounts if mount.name not in filesystems),
                *(_channel(each.name) for each in spec.channels if each.name and each.name not in channels),
            ]
        )

    async def require(self, workspace_id: str, spec: AppSpec) -> None:
        """Raises Refused if the app names what the workspace has not."""
        missing = (await self.check(workspace_id, spec)).missing
        if missing:
            raise Refused(missing)


def _secret(name: str) -> Missing:
    return Missing("secret", name, f"capsule secret create {name}")


def _filesystem(name: str) -> Missing:
    return Missing("filesystem", name, f"capsule fs create {name}")


def _channel(name: str) -> Missing:
    example = " ".join(f"-c {credential}=…" for credential in CHANNEL_CREDENTIALS["telegram"])
    return Missing("channel", name, f"capsule channel create {name} --type telegram {example}")
