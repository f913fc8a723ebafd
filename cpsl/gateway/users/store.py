"""Rows of app users and of the browsers they are signed in with."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from cpsl.gateway.db.schema import app_users, browser_sessions
from cpsl.wire.frames import AppUser
from cpsl.wire.ids import new_id

_UNKNOWN = ("visitor", "anonymous")  # kinds of users who did not say who they are


def app_user(connection: Connection, app_id: str, kind: str, subject: str, email: str | None) -> str:
    """The id of an app user, who is made when seen for the first time."""
    known = select(app_users.c.id).where(
        app_users.c.app_id == app_id, app_users.c.kind == kind, app_users.c.subject == subject
    )
    found = connection.execute(known).scalar()
    if found is not None:
        return str(found)
    user_id = new_id("usr")
    row = {
        "id": user_id,
        "app_id": app_id,
        "kind": kind,
        "subject": subject,
        "email": email,
        "created_at": time.time(),
    }
    connection.execute(app_users.insert().values(row))
    return user_id


def by_id(connection: Connection, app_user_id: str) -> Row[Any]:
    return connection.execute(select(app_users).where(app_users.c.id == app_user_id)).one()


def user_of(connection: Connection, app_user_id: str) -> AppUser:
    """A user as apps see them, by id."""
    row = by_id(connection, app_user_id)
    return AppUser(row.id, row.email, authenticated=row.kind not in _UNKNOWN)


def signed_in(connection: Connection, app_id: str, token_hash: bytes) -> Row[Any] | None:
    """The user of a browser session that has not expired, with the session's id; none who was disabled."""
    query: Select[Any] = (
        select(app_users.c.id, app_users.c.email, browser_sessions.c.id.label("browser_session_id"))
        .join(browser_sessions, browser_sessions.c.app_user_id == app_users.c.id)
        .where(
            app_users.c.app_id == app_id,
            app_users.c.disabled_at.is_(None),
            browser_sessions.c.hash == token_hash,
            browser_sessions.c.expires_at > time.time(),
        )
    )
    return connection.execute(query).one_or_none()
