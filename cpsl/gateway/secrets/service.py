"""Secrets go in, and come out only for a runtime."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from cpsl.errors import Conflict, InvalidRequest, NotFound, TooLarge
from cpsl.gateway.accounts.service import Accounts, Actor
from cpsl.gateway.db.database import Database
from cpsl.gateway.secrets import store
from cpsl.wire.names import check_secret_name
from cpsl.wire.resources import Secret, SecretsCreate

MAX_VALUE_BYTES = 256 * 1024
MAX_AT_ONCE = 500


class Stored(NamedTuple):
    """What was asked to be stored, as it is now, and the names of those whose value is another than before."""

    secrets: list[Secret]
    changed: list[str]


class Secrets:
    """The secrets of every workspace."""

    def __init__(self, db: Database, accounts: Accounts) -> None:
        self._db = db
        self._accounts = accounts

    async def all(self, workspace_id: str) -> list[Secret]:
        rows = await self._db.read(lambda connection: store.find(connection, workspace_id))
        return [_shown(row) for row in rows]

    async def create(self, actor: Actor, wanted: SecretsCreate) -> Stored:
        """Store all of them, or none. Raises Conflict naming those that exist, unless ``overwrite``.

        A secret that exists and has the very value already is left as it is, and is no conflict.
        """
        if not 1 <= len(wanted.secrets) <= MAX_AT_ONCE:
            raise InvalidRequest(f"between 1 and {MAX_AT_ONCE} secrets are stored at once, not {len(wanted.secrets)}")
        for name, value in wanted.secrets.items():
            check_value(check_secret_name(name), value, allow_empty=wanted.allow_empty)
        return await self._db.write(lambda connection: self._store(connection, actor.workspace_id, wanted))

    async def delete(self, actor: Actor, name: str) -> None:
        if not await self._db.write(lambda connection: store.remove(connection, actor.workspace_id, name)):
            raise NotFound(f"no secret {name[:80]!r} in this workspace", hint="List them with: capsule secret list")

    async def open(self, workspace_id: str, names: list[str], as_of: float | None = None) -> dict[str, str]:
        """The values of those of ``names`` that exist, for a runtime.

        ``as_of``: when its version was deployed, in seconds since the epoch; a value that was staged later is not for
        it. None for the newest values.
        """

        def work(connection: Connection) -> dict[str, str]:
            rows = store.find(connection, workspace_id, names)
            if not rows:
                return {}
            key = self._accounts.workspace_key(connection, workspace_id)
            return {row.name: key.open(_at(row, as_of), _context(workspace_id, row.name)).decode() for row in rows}

        return await self._db.read(work)

    def _store(self, connection: Connection, workspace_id: str, wanted: SecretsCreate) -> Stored:
        key = self._accounts.workspace_key(connection, workspace_id)
        known = {row.name: row for row in store.find(connection, workspace_id, list(wanted.secrets))}
        digests = {name: key.digest(value.encode()) for name, value in wanted.secrets.items()}
        changed = [name for name in digests if not _has(known.get(name), digests[name], staging=wanted.stage)]
        existing = [name for name in changed if name in known]
        if existing and not wanted.overwrite:
            raise _exists(existing)
        for name in changed:
            sealed = key.seal(wanted.secrets[name].encode(), _context(workspace_id, name))
            if wanted.stage and name in known:
                store.stage(connection, known[name], sealed, digests[name])
            else:
                store.put(connection, workspace_id, name, sealed, digests[name])
        rows = store.find(connection, workspace_id, list(wanted.secrets))
        return Stored([_shown(row) for row in rows], changed)


def _shown(row: Row[Any]) -> Secret:
    return Secret(row.name, row.digest, row.created_at, row.updated_at, row.staged_at)


def _has(row: Row[Any] | None, digest: str, *, staging: bool) -> bool:
    """Whether a secret has the value already, where it is to have it."""
    return row is not None and row.digest == digest and (staging or row.staged is None)


def _at(row: Row[Any], as_of: float | None) -> bytes:
    waits = row.staged is not None and as_of is not None and as_of < row.staged_at
    return bytes(row.sealed if row.staged is None or waits else row.staged)


def secret_not_found(name: str) -> NotFound:
    """The error for an app that asks for a secret that there is not."""
    return NotFound(
        f"there is no secret {name!r} in the workspace",
        code="secret_not_found",
        hint=f"Create it with: capsule secret create {name}",
    )


def check_value(name: str, value: str, *, allow_empty: bool = False) -> None:
    """Refuse what cannot be an environment variable. Raises InvalidRequest, TooLarge."""
    if not value and not allow_empty:
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
