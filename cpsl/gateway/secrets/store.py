"""Rows of secrets."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from cpsl.gateway.db.schema import apps, secrets, versions
from cpsl.wire.ids import new_id


def find(connection: Connection, workspace_id: str, names: list[str] | None = None) -> list[Row[Any]]:
    query = select(secrets).where(secrets.c.workspace_id == workspace_id).order_by(secrets.c.name)
    if names is not None:
        query = query.where(secrets.c.name.in_(names))
    return list(connection.execute(query).all())


def put(connection: Connection, workspace_id: str, name: str, sealed: bytes, digest: str) -> None:
    """Store a value, which is the secret's only one from now on."""
    now = time.time()
    values = {"sealed": sealed, "digest": digest, "updated_at": now, "staged": None, "staged_at": None}
    change = update(secrets).where(secrets.c.workspace_id == workspace_id, secrets.c.name == name)
    if connection.execute(change.values(values)).rowcount == 0:
        row = {"id": new_id("sec"), "workspace_id": workspace_id, "name": name, "created_at": now, **values}
        connection.execute(secrets.insert().values(row))


def stage(connection: Connection, known: Row[Any], sealed: bytes, digest: str) -> None:
    """Store a value for versions that are deployed from now on; those there are keep the one they have."""
    now = time.time()
    values = {"staged": sealed, "staged_at": now, "digest": digest, "updated_at": now}
    if known.staged_at is not None and _deployed_since(connection, known.workspace_id, known.staged_at):
        values["sealed"] = known.staged
    connection.execute(update(secrets).where(secrets.c.id == known.id).values(values))


def _deployed_since(connection: Connection, workspace_id: str, when: float) -> bool:
    newer = select(versions.c.id).join(apps, apps.c.id == versions.c.app_id)
    newer = newer.where(apps.c.workspace_id == workspace_id, versions.c.created_at >= when)
    return connection.execute(newer.limit(1)).first() is not None


def remove(connection: Connection, workspace_id: str, name: str) -> bool:
    query = delete(secrets).where(secrets.c.workspace_id == workspace_id, secrets.c.name == name)
    return connection.execute(query).rowcount > 0
