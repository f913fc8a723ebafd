"""Somebody signs in: what they said and did as a visitor becomes theirs, in one transaction.

Where both have the same thing, what the user had stays: a connection to the same integration, a document of the same
id, a turn under the same Idempotency-Key.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, delete, select, update

from cpsl.gateway.db.schema import connections, documents, files, oauth_states, sessions, turns
from cpsl.gateway.users import store
from cpsl.gateway.vault import Key

_OWNED: tuple[Table, ...] = (sessions, turns, files, oauth_states)
SCOPES = ("user", "owner")
"""Scopes of collections whose documents belong to one app user."""


def move(connection: Connection, key: Key, visitor_id: str, user_id: str) -> None:
    """Make all that is the visitor's the user's, and forget the visitor. ``key`` is that of the app's workspace."""
    _free_keys(connection, visitor_id, user_id)
    for table in _OWNED:
        query = update(table).where(table.c.app_user_id == visitor_id)
        connection.execute(query.values(app_user_id=user_id))
    _move_connections(connection, key, visitor_id, user_id)
    for scope in SCOPES:
        _move_documents(connection, f"{scope}/{visitor_id}", f"{scope}/{user_id}")
    store.remove(connection, visitor_id)


def _free_keys(connection: Connection, visitor_id: str, user_id: str) -> None:
    """An Idempotency-Key that both have used stays with the user's own turn."""
    used = select(turns.c.idempotency_key).where(turns.c.app_user_id == user_id, turns.c.idempotency_key.is_not(None))
    query = update(turns).where(turns.c.app_user_id == visitor_id, turns.c.idempotency_key.in_(used))
    connection.execute(query.values(idempotency_key=None))


def _move_connections(connection: Connection, key: Key, visitor_id: str, user_id: str) -> None:
    """Credentials are sealed for their row, so they are opened and sealed again."""
    mine = connections.c.app_user_id == visitor_id
    theirs = select(connections.c.integration).where(connections.c.app_user_id == user_id)
    connection.execute(delete(connections).where(mine, connections.c.integration.in_(theirs)))
    for row in connection.execute(select(connections).where(mine)).all():
        plain = key.open(bytes(row.sealed), f"connection/{visitor_id}/{row.integration}")
        sealed = key.seal(plain, f"connection/{user_id}/{row.integration}")
        query = update(connections).where(connections.c.id == row.id)
        connection.execute(query.values(app_user_id=user_id, sealed=sealed))


def _move_documents(connection: Connection, scope_key: str, new_key: str) -> None:
    """Documents belong to no row of a user: their scope says whose they are."""
    mine = documents.c.scope_key == scope_key
    for row in connection.execute(select(documents).where(mine)).all():
        there = select(documents.c.position).where(
            documents.c.app_id == row.app_id,
            documents.c.collection == row.collection,
            documents.c.scope_key == new_key,
            documents.c.id == row.id,
        )
        if connection.execute(there).first() is not None:
            connection.execute(delete(documents).where(documents.c.position == row.position))
    connection.execute(update(documents).where(mine).values(scope_key=new_key))
