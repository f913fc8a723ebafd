"""Secrets go in, and come out only for a runtime."""

from __future__ import annotations

from sqlalchemy import Connection

from cpsl.errors import Conflict, InvalidRequest, NotFound, TooLarge
from cpsl.gateway.accounts.service import Accounts, Actor
from cpsl.gateway.db.database import Database
from cpsl.gateway.secrets import store
from cpsl.wire.names import check_secret_name
from cpsl.wire.resources import Secret, SecretsCreate

MAX_VALUE_BYTES = 256 * 1024
MAX_AT_ONCE = 500


class Secrets:
    """The secrets of every workspace."""

    def __init__(self, db: Database, accounts: Accounts) -> None:
        self._db = db
        self._accounts = accounts

    async def all(self, workspace_id: str) -> list[Secret]:
        rows = await self._db.read(lambda connection: store.find(connection, workspace_id))
        return [Secret(row.name, row.digest, row.created_at, row.updated_at) for row in rows]

    async def create(self, actor: Actor, wanted: SecretsCreate) -> list[Secret]:
        """Store all of them, or none. Raises Conflict naming those that exist, unless ``overwrite``."""
        if not 1 <= len(wanted.secrets) <= MAX_AT_ONCE:
            raise InvalidRequest(f"between 1 and {MAX_AT_ONCE} secrets are stored at once, not {len(wanted.secrets)}")
        for name, value in wanted.secrets.items():
            check_value(check_secret_name(name), value)
        names = list(wanted.secrets)

        def work(connection: Connection) -> list[Secret]:
            existing = [row.name for row in store.find(connection, actor.workspace_id, names)]
            if existing and not wanted.overwrite:
                raise _exists(existing)
            key = self._accounts.workspace_key(connection, actor.workspace_id)
            for name, value in wanted.secrets.items():
                plain = value.encode()
                sealed = key.seal(plain, _context(actor.workspace_id, name))
                store.put(connection, actor.workspace_id, name, sealed, key.digest(plain))
            rows = store.find(connection, actor.workspace_id, names)
            return [Secret(row.name, row.digest, row.created_at, row.updated_at) for row in rows]

        return await self._db.write(work)

    async def delete(self, actor: Actor, name: str) -> None:
        if not await self._db.write(lambda connection: store.remove(connection, actor.workspace_id, name)):
            raise NotFound(f"no secret {name[:80]!r} in this workspace", hint="List them with: capsule secret list")

    async def open(self, workspace_id: str, names: list[str]) -> dict[str, str]:
        """The values of those of ``names`` that exist, for a runtime."""

        def work(connection: Connection) -> dict[str, str]:
            rows = store.find(connection, workspace_id, names)
            if not rows:
                return {}
            key = self._accounts.workspace_key(connection, workspace_id)
            return {row.name: key.open(bytes(row.sealed), _context(workspace_id, row.name)).decode() for row in rows}

        return await self._db.read(work)


def check_value(name: str, value: str) -> None:
    """Refuse what cannot be an environment variable. Raises InvalidRequest, TooLarge."""
    if not value:
        raise InvalidRequest(f"the value of {name} is empty", code="empty_secret", hint=f"Give it: {name}=VALUE")
    if "\0" in value:
        raise InvalidRequest(f"the value of {name} has a NUL byte", code="invalid_secret_value")
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise TooLarge(f"the value of {name} is over {MAX_VALUE_BYTES // 1024} KiB")


def _context(workspace_id: str, name: str) -> str:
    return f"secret/{workspace_id}/{name}"


def _exists(names: list[str]) -> Conflict:
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return Conflict(
        f"already there: {shown}; nothing was stored",
        code="secret_exists",
        hint="Replace them with: capsule secret create --force …",
    )
