"""Rows of apps and versions."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, or_, select, update

from cpsl.gateway.db.schema import apps, sessions, turns, versions
from cpsl.wire.apps import AppSpec
from cpsl.wire.ids import new_id

_with_live = select(
    apps,
    versions.c.id.label("version_id"),
    versions.c.spec,
    versions.c.entry,
).outerjoin(versions, (versions.c.app_id == apps.c.id) & (versions.c.number == apps.c.live_version))


def apps_of(connection: Connection, workspace_id: str) -> list[Row[Any]]:
    query = _with_live.where(apps.c.workspace_id == workspace_id).order_by(apps.c.name)
    return list(connection.execute(query).all())


def app(connection: Connection, workspace_id: str, name_or_id: str) -> Row[Any] | None:
    query = _with_live.where(
        apps.c.workspace_id == workspace_id, or_(apps.c.name == name_or_id, apps.c.id == name_or_id)
    )
    return connection.execute(query).one_or_none()


def public_app(connection: Connection, name: str) -> Row[Any] | None:
    """An app by the name in its URL. The oldest wins where two workspaces have one of this name."""
    return connection.execute(_with_live.where(apps.c.name == name).order_by(apps.c.id).limit(1)).one_or_none()


def versions_of(connection: Connection, app_id: str) -> list[Row[Any]]:
    query = select(versions).where(versions.c.app_id == app_id).order_by(versions.c.number.desc())
    return list(connection.execute(query).all())


def version_ids(connection: Connection) -> set[str]:
    """The versions of all apps."""
    return set(connection.execute(select(versions.c.id)).scalars())


def unfinished_turns(connection: Connection, app_id: str) -> list[str]:
    query = select(turns.c.id).join(sessions, sessions.c.id == turns.c.session_id)
    return list(connection.execute(query.where(sessions.c.app_id == app_id, turns.c.ended_at.is_(None))).scalars())


def version(connection: Connection, app_id: str, number: int) -> Row[Any] | None:
    query = (
        select(versions, apps.c.name, apps.c.workspace_id, apps.c.live_version)
        .join(apps, apps.c.id == versions.c.app_id)
        .where(versions.c.app_id == app_id, versions.c.number == number)
    )
    return connection.execute(query).one_or_none()


def activate(
    connection: Connection, workspace_id: str, version_id: str, entry: str, spec: AppSpec
) -> tuple[str, int, list[str]]:
    """Make a version the live one: the app's id, the version's number, and the ids of those that were live before."""
    now = time.time()
    row = app(connection, workspace_id, spec.name)
    app_id = row.id if row else _add_app(connection, workspace_id, spec.name, now)
    was_live = select(versions.c.id).where(versions.c.app_id == app_id, versions.c.state == "live")
    previous = list(connection.execute(was_live).scalars())
    highest = select(func.max(versions.c.number)).where(versions.c.app_id == app_id)
    number = (connection.execute(highest).scalar() or 0) + 1
    values = {
        "id": version_id,
        "app_id": app_id,
        "number": number,
        "state": "live",
        "entry": entry,
        "spec": msgspec.to_builtins(spec),
        "created_at": now,
    }
    retire = update(versions).where(versions.c.app_id == app_id, versions.c.state == "live")
    connection.execute(retire.values(state="retired"))
    connection.execute(versions.insert().values(values))
    connection.execute(update(apps).where(apps.c.id == app_id).values(live_version=number, updated_at=now))
    return app_id, number, previous


def _add_app(connection: Connection, workspace_id: str, name: str, now: float) -> str:
    app_id = new_id("app")
    row = {
        "id": app_id,
        "workspace_id": workspace_id,
        "name": name,
        "live_version": 0,
        "created_at": now,
        "updated_at": now,
    }
    connection.execute(apps.insert().values(row))
    return app_id


def remove_app(connection: Connection, app_id: str) -> None:
    connection.execute(delete(apps).where(apps.c.id == app_id))
