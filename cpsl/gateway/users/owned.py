"""What belongs to somebody, all of it, to be removed with them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from cpsl.gateway.db.schema import documents, files, log_lines, oauth_states, sessions, turns
from cpsl.gateway.users import store
from cpsl.gateway.users.moving import SCOPES


def remove(connection: Connection, app_id: str, user_id: str) -> list[str]:
    """Remove a user and every row that is theirs; the ids of their files, which lie on the disk still."""
    found = list(connection.execute(select(files.c.id).where(files.c.app_user_id == user_id)).scalars())
    talks = list(connection.execute(select(sessions.c.id).where(sessions.c.app_user_id == user_id)).scalars())
    keys = [*(f"{scope}/{user_id}" for scope in SCOPES), *(f"session/{each}" for each in talks)]
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        connection.execute(delete(documents).where(documents.c.app_id == app_id, documents.c.scope_key.in_(some)))
    for start in range(0, len(talks), _AT_ONCE):
        some = talks[start : start + _AT_ONCE]
        connection.execute(delete(log_lines).where(log_lines.c.app_id == app_id, log_lines.c.session_id.in_(some)))
    connection.execute(delete(oauth_states).where(oauth_states.c.app_user_id == user_id))
    connection.execute(delete(turns).where(turns.c.app_user_id == user_id))
    store.remove(connection, user_id)
    return found


_AT_ONCE = 500  # SQLite takes 32,766 values in one statement, PostgreSQL's driver as many
