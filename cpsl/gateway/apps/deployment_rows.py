"""Rows of deployments: what became of each deploy."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, delete, select, update

from cpsl.gateway.db.schema import apps, deployments, versions
from cpsl.gateway.http.repeats import reused
from cpsl.wire.apps import DeployDone, DeployError

KEPT = 500
"""Of so many deploys of a workspace it is known what became of them."""
_LONGEST_TRACEBACK = 20_000  # characters: of an endless recursion the end is enough


class NewDeployment(NamedTuple):
    """Who deploys what; ``key`` is the caller's, ``fingerprint`` that of all they sent."""

    workspace_id: str
    account_id: str
    app: str
    entry: str
    key: str | None
    fingerprint: bytes


def begin(connection: Connection, id: str, new: NewDeployment) -> str:
    """Add a deployment; the id of the one that came with this key before, else ``id``.

    Raises InvalidRequest (``idempotency_key_reused``) for a key of something else.
    """
    known = _by_key(connection, new)
    if known is not None:
        if known.fingerprint != new.fingerprint:
            raise reused()
        return str(known.id)
    row = {
        "id": id,
        "workspace_id": new.workspace_id,
        "account_id": new.account_id,
        "app": new.app,
        "entry": new.entry,
        "state": "running",
        "idempotency_key": new.key,
        "fingerprint": new.fingerprint,
        "created_at": time.time(),
    }
    connection.execute(deployments.insert().values(row))
    _forget_old(connection, new.workspace_id)
    return id


def _by_key(connection: Connection, new: NewDeployment) -> Row[Any] | None:
    if new.key is None:
        return None
    mine = deployments.c.account_id == new.account_id, deployments.c.idempotency_key == new.key
    return connection.execute(select(deployments).where(*mine)).one_or_none()


def _forget_old(connection: Connection, workspace_id: str) -> None:
    of_workspace = deployments.c.workspace_id == workspace_id
    newest = select(deployments.c.id).where(of_workspace).order_by(deployments.c.id.desc())
    too_old = list(connection.execute(newest.offset(KEPT)).scalars())
    ended = deployments.c.ended_at.is_not(None)
    connection.execute(delete(deployments).where(deployments.c.id.in_(too_old), ended))


def end(connection: Connection, id: str, last: DeployDone | DeployError) -> None:
    """Keep how a deploy ended."""
    made: dict[str, Any] = {"state": "failed", "error": msgspec.to_builtins(last)}
    if isinstance(last, DeployDone):
        made = {"state": "done", "app": last.app, "version": last.version}
    else:
        made["error"]["traceback"] = last.traceback[-_LONGEST_TRACEBACK:]
    connection.execute(update(deployments).where(deployments.c.id == id).values(**made, ended_at=time.time()))


def one(connection: Connection, workspace_id: str, id: str) -> Row[Any] | None:
    """One deployment."""
    query = select(deployments).where(deployments.c.workspace_id == workspace_id, deployments.c.id == id)
    return connection.execute(query).one_or_none()


def of_app(connection: Connection, workspace_id: str, app: str) -> list[Row[Any]]:
    """The deployments of an app, newest first."""
    of_it = deployments.c.workspace_id == workspace_id, deployments.c.app == app
    return list(connection.execute(select(deployments).where(*of_it).order_by(deployments.c.id.desc())).all())


def end_all(connection: Connection, interrupted: DeployError) -> None:
    """Keep how those ended that a gateway left running: those whose version is there ended well."""
    went_live = (
        select(deployments.c.id, apps.c.name, versions.c.number)
        .join(versions, versions.c.id == deployments.c.id)
        .join(apps, apps.c.id == versions.c.app_id)
        .where(deployments.c.ended_at.is_(None))
    )
    for row in connection.execute(went_live).all():
        end(connection, row.id, DeployDone(row.name, row.number, ""))
    left = select(deployments.c.id).where(deployments.c.ended_at.is_(None))
    for id in connection.execute(left).scalars().all():
        end(connection, id, interrupted)
