"""Rows of secrets."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from cpsl.gateway.db.schema import secrets
from cpsl.wire.ids import new_id


def find(connection: Connection, workspace_id: str, names: list[str] | None = None) -> list[Row[Any]]:
    query = select(secrets).where(secrets.c.workspace_id == workspace_id).order_by(secrets.c.name)
    if names is not None:
        query = query.where(secrets.c.name.in_(names))
    return list(connection.execute(query).all())


def put(connection: Connection, workspace_id: str, name: str, sealed: bytes, digest: str) -> None:
    now = time.time()
    values = {"sealed": sealed, "digest": digest, "updated_at": now}
    change = update(secrets).where(secrets.c.workspace_id == workspace_id, secrets.c.name == name)
    if connection.execute(change.values(values)).rowcount == 0:
        row = {"id": new_id("sec"), "workspace_id": workspace_id, "name": name, "created_at": now, **values}
        connection.execute(secrets.insert().values(row))


def remove(connection: Connection, workspace_id: str, name: str) -> bool:
    query = delete(secrets).where(secrets.c.workspace_id == workspace_id, secrets.c.name == name)
    return connection.execute(query).rowcount > 0
