"""Rows of what users have connected, and of sign-ins at providers that are under way."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, false, select, update

from cpsl.gateway.db.prepared import Prepared
from cpsl.gateway.db.schema import apps, connections, oauth_states
from cpsl.wire.ids import new_id

_USABLE = Prepared(
    select(connections.c.integration, connections.c.sealed).where(
        connections.c.app_user_id == bindparam("app_user_id"), connections.c.needs_reconnect.is_(false())
    )
)


def usable(connection: Connection, app_user_id: str) -> list[tuple[str, bytes]]:
    """What a user has connected and is still good: its name, and what it gives, sealed."""
    return [(name, bytes(sealed)) for name, sealed in _USABLE.fetch(connection, {"app_user_id": app_user_id})]


def connections_of(connection: Connection, app_user_id: str) -> list[Row[Any]]:
    query = select(connections).where(connections.c.app_user_id == app_user_id)
    return list(connection.execute(query.order_by(connections.c.integration)).all())


def connection_of(connection: Connection, app_user_id: str, integration: str) -> Row[Any] | None:
    query = select(connections).where(_is(app_user_id, integration))
    return connection.execute(query).one_or_none()


def put_connection(
    connection: Connection, app_user_id: str, integration: str, sealed: bytes, account: str, scopes: list[str]
) -> None:
    """Keep a connection in place of the one that was there."""
    connection.execute(delete(connections).where(_is(app_user_id, integration)))
    now = time.time()
    row = {
        "id": new_id("con"),
        "app_user_id": app_user_id,
        "integration": integration,
        "sealed": sealed,
        "account": account,
        "scopes": scopes,
        "created_at": now,
        "updated_at": now,
    }
    connection.execute(connections.insert().values(row))


def renew_connection(connection: Connection, connection_id: str, sealed: bytes, scopes: list[str]) -> bool:
    """Keep what a connection gives now; False if it is there no more."""
    query = update(connections).where(connections.c.id == connection_id)
    return connection.execute(query.values(sealed=sealed, scopes=scopes, updated_at=time.time())).rowcount > 0


def mark_refused(connection: Connection, connection_id: str) -> None:
    query = update(connections).where(connections.c.id == connection_id)
    connection.execute(query.values(needs_reconnect=True))


def remove_connection(connection: Connection, connection_id: str) -> bool:
    return connection.execute(delete(connections).where(connections.c.id == connection_id)).rowcount > 0


class State(NamedTuple):
    """A sign-in at a provider that is under way, as it is stored: of its ``state`` only the SHA-256."""

    hash: bytes
    app_id: str
    app_user_id: str | None
    browser: bytes
    provider: str
    purpose: str
    turn_id: str | None
    prompt_id: str | None
    origin: str
    return_to: str
    sealed: bytes
    expires_at: float


def add_state(connection: Connection, state: State) -> None:
    """Keep it, and forget those that have expired."""
    connection.execute(delete(oauth_states).where(oauth_states.c.expires_at < time.time()))
    connection.execute(oauth_states.insert().values(state._asdict()))


def state(connection: Connection, state_hash: bytes) -> Row[Any] | None:
    return connection.execute(select(oauth_states).where(oauth_states.c.hash == state_hash)).one_or_none()


def workspace_of(connection: Connection, app_id: str) -> str:
    return str(connection.execute(select(apps.c.workspace_id).where(apps.c.id == app_id)).scalar_one())


def take_state(connection: Connection, state_hash: bytes) -> bool:
    """Use a state up; False for one that was used already."""
    return connection.execute(delete(oauth_states).where(oauth_states.c.hash == state_hash)).rowcount > 0


def _is(app_user_id: str, integration: str) -> Any:
    return (connections.c.app_user_id == app_user_id) & (connections.c.integration == integration)
