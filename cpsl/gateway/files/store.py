"""Rows of filesystems and of files that users gave."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select, update

from cpsl.gateway.db.schema import app_users, files, filesystems
from cpsl.wire.ids import new_id


def filesystems_of(connection: Connection, workspace_id: str) -> list[Row[Any]]:
    query = select(filesystems).where(filesystems.c.workspace_id == workspace_id)
    return list(connection.execute(query.order_by(filesystems.c.name)).all())


def filesystem(connection: Connection, workspace_id: str, name_or_id: str) -> Row[Any] | None:
    query = select(filesystems).where(
        filesystems.c.workspace_id == workspace_id,
        or_(filesystems.c.name == name_or_id, filesystems.c.id == name_or_id),
    )
    return connection.execute(query).one_or_none()


def add_filesystem(connection: Connection, workspace_id: str, name: str) -> Row[Any]:
    row = {"id": new_id("fs"), "workspace_id": workspace_id, "name": name, "created_at": time.time()}
    connection.execute(filesystems.insert().values(row))
    return connection.execute(select(filesystems).where(filesystems.c.id == row["id"])).one()


def remove_filesystem(connection: Connection, filesystem_id: str) -> bool:
    return connection.execute(delete(filesystems).where(filesystems.c.id == filesystem_id)).rowcount > 0


def add_file(
    connection: Connection,
    app_user_id: str,
    file_id: str,
    name: str,
    content_type: str,
    size: int,
    sha256: str | None = None,
    expires_at: float | None = None,
) -> None:
    row = {
        "id": file_id,
        "app_user_id": app_user_id,
        "name": name,
        "content_type": content_type,
        "size": size,
        "created_at": time.time(),
        "sha256": sha256,
        "expires_at": expires_at,
    }
    connection.execute(files.insert().values(row))


def file(connection: Connection, app_user_id: str, file_id: str) -> Row[Any] | None:
    query = select(files).where(files.c.id == file_id, files.c.app_user_id == app_user_id)
    return connection.execute(query).one_or_none()


def use_file(connection: Connection, app_user_id: str, file_id: str) -> bool:
    """Let a file of this user stay. False when there is no such file."""
    query = update(files).where(files.c.id == file_id, files.c.app_user_id == app_user_id)
    return connection.execute(query.values(expires_at=None)).rowcount > 0


def remove_expired(connection: Connection, now: float) -> list[str]:
    """Remove the rows of files that waited too long for a message; their ids."""
    expired = list(connection.execute(select(files.c.id).where(files.c.expires_at < now)).scalars())
    connection.execute(delete(files).where(files.c.id.in_(expired), files.c.expires_at < now))
    return expired


def remove_file(file_id: str, connection: Connection) -> None:
    connection.execute(delete(files).where(files.c.id == file_id))


def file_ids(connection: Connection) -> set[str]:
    return set(connection.execute(select(files.c.id)).scalars())


def files_of_app(connection: Connection, app_id: str) -> list[str]:
    query = select(files.c.id).join(app_users, app_users.c.id == files.c.app_user_id)
    return list(connection.execute(query.where(app_users.c.app_id == app_id)).scalars())
