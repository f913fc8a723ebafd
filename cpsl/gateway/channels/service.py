"""Channels of a workspace. Credentials go in and never come out over HTTP."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, or_, select
from sqlalchemy.exc import IntegrityError

from cpsl.errors import Conflict, InvalidRequest, NotFound
from cpsl.gateway.accounts.service import Accounts
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import channels
from cpsl.wire.ids import new_id
from cpsl.wire.names import check_resource_name
from cpsl.wire.resources import CHANNEL_CREDENTIALS, Channel, ChannelCreate


class Channels:
    """The channels of every workspace."""

    def __init__(self, db: Database, accounts: Accounts) -> None:
        self._db = db
        self._accounts = accounts

    async def all(self, workspace_id: str) -> list[Channel]:
        query = select(channels).where(channels.c.workspace_id == workspace_id).order_by(channels.c.name)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_shown(row) for row in rows]

    async def get(self, workspace_id: str, name: str) -> Channel:
        """Raises NotFound."""
        query = select(channels).where(
            channels.c.workspace_id == workspace_id, or_(channels.c.name == name, channels.c.id == name)
        )
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"no channel {name!r} in this workspace", hint="List them with: capsule channel list")
        return _shown(row)

    async def create(self, workspace_id: str, wanted: ChannelCreate) -> Channel:
        """Raises InvalidRequest for a type or credentials that do not fit, Conflict for a name that is taken."""
        check_resource_name(wanted.name, "channel")
        _check_credentials(wanted)

        def work(connection: Connection) -> None:
            key = self._accounts.workspace_key(connection, workspace_id)
            channel_id = new_id("chn")
            row = {
                "id": channel_id,
                "workspace_id": workspace_id,
                "name": wanted.name,
                "type": wanted.type,
                "webhook_id": new_id("whk"),
                "credentials": sorted(wanted.credentials),
                "sealed": key.seal(msgspec.json.encode(wanted.credentials), f"channel/{channel_id}"),
                "created_at": time.time(),
            }
            connection.execute(channels.insert().values(row))

        try:
            await self._db.write(work)
        except IntegrityError:
            raise Conflict(
                f"there is a channel {wanted.name!r} already",
                code="channel_exists",
                hint=f"Take another name, or delete it first: capsule channel delete {wanted.name}",
            ) from None
        return await self.get(workspace_id, wanted.name)

    async def delete(self, workspace_id: str, name: str, used_by: list[str], *, force: bool) -> None:
        """Raises Conflict while a live app names it, unless ``force``."""
        found = await self.get(workspace_id, name)
        if used_by and not force:
            raise Conflict(
                f"channel {found.name!r} is used by {', '.join(used_by)}",
                code="in_use",
                hint=f"Delete it all the same with: capsule channel delete {found.name} --force",
            )
        await self._db.write(lambda connection: connection.execute(delete(channels).where(channels.c.id == found.id)))


def _check_credentials(wanted: ChannelCreate) -> None:
    needed = CHANNEL_CREDENTIALS.get(wanted.type)
    if needed is None:
        raise InvalidRequest(
            f"there is no channel type {wanted.type!r}",
            code="invalid_channel_type",
            hint=f"Use one of: {', '.join(CHANNEL_CREDENTIALS)}.",
        )
    missing = [name for name in needed if not wanted.credentials.get(name)]
    unknown = sorted(set(wanted.credentials) - set(needed))
    if missing or unknown:
        wrong = f"misses {', '.join(missing)}" if missing else f"has no credential {', '.join(unknown)}"
        raise InvalidRequest(
            f"a {wanted.type} channel {wrong}",
            code="invalid_channel_credentials",
            hint="Give exactly: " + " ".join(f"-c {name}=…" for name in needed),
        )


def _shown(row: Row[Any]) -> Channel:
    return Channel(row.id, row.name, row.type, row.webhook_id, list(row.credentials), row.created_at)
