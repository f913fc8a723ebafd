"""Rows of apps and versions."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, delete, exists, func, or_, select, update

from cpsl.errors import Conflict
from cpsl.gateway.db.schema import apps, deployments, sessions, turns, versions
from cpsl.wire.apps import AppSpec, ImageSpec
from cpsl.wire.ids import new_id

_with_live = select(
    apps,
    versions.c.id.label("version_id"),
    versions.c.spec,
    versions.c.entry,
    versions.c.created_at.label("deployed_at"),
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


def images(connection: Connection) -> list[ImageSpec]:
    """What the images are made of that versions name."""
    specs = connection.execute(select(versions.c.spec)).scalars()
    return [msgspec.convert(spec, AppSpec).image for spec in specs]


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


class Activated(NamedTuple):
    """What a deploy made: ``previous`` are the ids of the versions that were live before."""

    app_id: str
    number: int
    previous: list[str]
    created_at: float


def activate(
    connection: Connection, workspace_id: str, version_id: str, entry: str, spec: AppSpec, *, is_dev: bool
) -> Activated:
    """Add a version and make it the live one. Raises Conflict for a name that belongs to the other kind of app."""
    now = time.time()
    row = app(connection, workspace_id, spec.name)
    if row is not None and row.is_dev is not is_dev:
        raise _other_kind(spec.name, is_dev=is_dev)
    app_id = row.id if row else _add_app(connection, workspace_id, spec.name, now, is_dev=is_dev)
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
    previous = _retire(connection, app_id, now)
    connection.execute(versions.insert().values(values))
    connection.execute(update(apps).where(apps.c.id == app_id).values(live_version=number, updated_at=now))
    return Activated(app_id, number, previous, now)


def make_live(connection: Connection, app_id: str, number: int) -> list[str]:
    """Make a version that there is the live one; the ids of those that were."""
    now = time.time()
    previous = _retire(connection, app_id, now)
    wanted = update(versions).where(versions.c.app_id == app_id, versions.c.number == number)
    connection.execute(wanted.values(state="live", retired_at=None))
    connection.execute(update(apps).where(apps.c.id == app_id).values(live_version=number, updated_at=now))
    return previous


def live_before(connection: Connection, app_id: str) -> int | None:
    """The version that was live before the one that is."""
    query = select(versions.c.number).where(versions.c.app_id == app_id, versions.c.state == "retired")
    latest = func.coalesce(versions.c.retired_at, 0).desc()
    return connection.execute(query.order_by(latest, versions.c.number.desc()).limit(1)).scalar()


def superfluous(connection: Connection, keep: int) -> list[Row[Any]]:
    """Versions that are kept no longer: not live, and not of the last ``keep`` (under development: all of these).

    ``is_busy``: a turn that began in it has not ended.
    """
    newest_first = versions.c.number.desc()
    ranked = (
        select(
            *(versions.c.id, versions.c.app_id, versions.c.number, apps.c.is_dev, apps.c.live_version),
            func.row_number().over(partition_by=versions.c.app_id, order_by=newest_first).label("rank"),
        )
        .join(apps, apps.c.id == versions.c.app_id)
        .subquery()
    )
    running = select(turns.c.id).join(sessions, sessions.c.id == turns.c.session_id)
    running = running.where(
        sessions.c.app_id == ranked.c.app_id, turns.c.version == ranked.c.number, turns.c.ended_at.is_(None)
    )
    query = select(ranked.c.id, exists(running).label("is_busy"))
    too_old = or_(ranked.c.is_dev, ranked.c.rank > keep)
    return list(connection.execute(query.where(ranked.c.number != ranked.c.live_version, too_old)).all())


def remove_version(connection: Connection, version_id: str) -> bool:
    """Remove a version, unless it is live; tells whether it is gone."""
    live = select(apps.c.id).where(apps.c.id == versions.c.app_id, apps.c.live_version == versions.c.number)
    query = delete(versions).where(versions.c.id == version_id, ~exists(live))
    return connection.execute(query).rowcount > 0


def _retire(connection: Connection, app_id: str, now: float) -> list[str]:
    is_live = (versions.c.app_id == app_id) & (versions.c.state == "live")
    found = list(connection.execute(select(versions.c.id).where(is_live)).scalars())
    connection.execute(update(versions).where(is_live).values(state="retired", retired_at=now))
    return found


def _other_kind(name: str, *, is_dev: bool) -> Conflict:
    if is_dev:
        return Conflict(
            f"there is an app {name} that was not made by capsule serve",
            code="name_taken",
            hint=f"Rename your app, or delete that one: capsule app delete {name}",
        )
    return Conflict(
        f"{name} is an app under development, made by capsule serve",
        code="name_taken",
        hint=f"Choose another name, or delete it first: capsule app delete {name}",
    )


def _add_app(connection: Connection, workspace_id: str, name: str, now: float, *, is_dev: bool) -> str:
    app_id = new_id("app")
    row = {
        "id": app_id,
        "workspace_id": workspace_id,
        "name": name,
        "live_version": 0,
        "created_at": now,
        "updated_at": now,
        "is_dev": is_dev,
    }
    connection.execute(apps.insert().values(row))
    return app_id


def remove_app(connection: Connection, app_id: str) -> None:
    """Remove an app with all that is of it, also what became of its deploys: another may have its name."""
    same = (deployments.c.workspace_id == apps.c.workspace_id) & (deployments.c.app == apps.c.name)
    connection.execute(delete(deployments).where(exists(select(apps.c.id).where(apps.c.id == app_id, same))))
    connection.execute(delete(apps).where(apps.c.id == app_id))
