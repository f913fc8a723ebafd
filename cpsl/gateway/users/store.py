"""Rows of app users, of the browsers they are signed in with, and of the links that were mailed to them."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, or_, select, update

from cpsl.gateway.db.schema import app_users, browser_sessions, mail_links
from cpsl.wire.frames import AppUser
from cpsl.wire.ids import new_id

_UNKNOWN = ("visitor", "anonymous")  # kinds of users who did not say who they are
BROWSER_SECONDS = 30 * 24 * 3600.0
"""How long a browser stays signed in that does not come back."""


def app_user(connection: Connection, app_id: str, kind: str, subject: str, email: str | None) -> Row[Any]:
    """An app user, who is made when seen for the first time."""
    found = by_subject(connection, app_id, kind, subject)
    if found is not None:
        return found
    add(connection, app_id, kind, subject, email)
    return connection.execute(_of_subject(app_id, kind, subject)).one()


def add(connection: Connection, app_id: str, kind: str, subject: str, email: str | None, **more: Any) -> str:
    """Make an app user; its id. Raises IntegrityError when there is one, or the app is gone."""
    user_id = new_id("usr")
    row = {
        "id": user_id,
        "app_id": app_id,
        "kind": kind,
        "subject": subject,
        "email": email,
        "created_at": time.time(),
    }
    connection.execute(app_users.insert().values(row | more))
    return user_id


def by_subject(connection: Connection, app_id: str, kind: str, subject: str) -> Row[Any] | None:
    return connection.execute(_of_subject(app_id, kind, subject)).one_or_none()


def by_id(connection: Connection, user_id: str) -> Row[Any] | None:
    return connection.execute(select(app_users).where(app_users.c.id == user_id)).one_or_none()


def the_one(connection: Connection, user_id: str) -> Row[Any]:
    """A user who is known to be there."""
    return connection.execute(select(app_users).where(app_users.c.id == user_id)).one()


def user_of(connection: Connection, app_user_id: str) -> AppUser:
    """A user as apps see them, by id."""
    return shown(the_one(connection, app_user_id))


def shown(row: Row[Any]) -> AppUser:
    """A user as apps see them. Who an account or a provider vouches for has shown that the address is theirs."""
    is_known = row.kind not in _UNKNOWN
    return AppUser(row.id, row.email, authenticated=is_known, email_verified=bool(row.email and _is_verified(row)))


def _is_verified(row: Row[Any]) -> bool:
    return row.kind in ("account", "openid") or row.verified_at is not None


def change(connection: Connection, user_id: str, **values: Any) -> None:
    connection.execute(update(app_users).where(app_users.c.id == user_id).values(values))


def remove(connection: Connection, user_id: str) -> None:
    """Remove a user with all that hangs on their row: conversations, connections, files' rows, browsers."""
    connection.execute(delete(app_users).where(app_users.c.id == user_id))


def matching(connection: Connection, app_id: str, name: str) -> list[Row[Any]]:
    """The users of an app whom an operator means by ``name``: an id, or an e-mail address."""
    query = select(app_users).where(
        app_users.c.app_id == app_id, or_(app_users.c.id == name, app_users.c.email == name.lower())
    )
    return list(connection.execute(query.order_by(app_users.c.id)).all())


def page(
    connection: Connection, app_id: str, limit: int, after: str | None, *, visitors: bool = True
) -> list[Row[Any]]:
    """Users of an app, newest first; ``after`` is the last id of the page before."""
    query = select(app_users).where(app_users.c.app_id == app_id)
    if not visitors:
        query = query.where(app_users.c.kind.not_in(_UNKNOWN))
    if after is not None:
        query = query.where(app_users.c.id < after)
    return list(connection.execute(query.order_by(app_users.c.id.desc()).limit(limit)).all())


# --- browsers -----------------------------------------------------------------------------------------------------


def signed_in(connection: Connection, app_id: str, token_hash: bytes) -> Row[Any] | None:
    """The user of a browser session that has not expired, with what is known of the session; none who was disabled."""
    query: Select[Any] = (
        select(
            app_users,
            browser_sessions.c.id.label("browser_session_id"),
            browser_sessions.c.last_seen_at.label("browser_seen_at"),
        )
        .join(browser_sessions, browser_sessions.c.app_user_id == app_users.c.id)
        .where(
            app_users.c.app_id == app_id,
            app_users.c.disabled_at.is_(None),
            browser_sessions.c.hash == token_hash,
            browser_sessions.c.expires_at > time.time(),
        )
    )
    return connection.execute(query).one_or_none()


def add_browser(connection: Connection, user_id: str, token_hash: bytes, client_name: str) -> None:
    """Sign a browser in, and forget those of this user that were away for too long."""
    now = time.time()
    connection.execute(
        delete(browser_sessions).where(browser_sessions.c.app_user_id == user_id, browser_sessions.c.expires_at < now)
    )
    row = {
        "id": new_id("brs"),
        "app_user_id": user_id,
        "hash": token_hash,
        "client_name": client_name,
        "created_at": now,
        "last_seen_at": now,
        "expires_at": now + BROWSER_SECONDS,
    }
    connection.execute(browser_sessions.insert().values(row))
    change(connection, user_id, last_seen_at=now)


def touch_browser(connection: Connection, browser_id: str, user_id: str) -> None:
    """A browser was here: it stays signed in for as long again."""
    now = time.time()
    query = update(browser_sessions).where(browser_sessions.c.id == browser_id)
    connection.execute(query.values(last_seen_at=now, expires_at=now + BROWSER_SECONDS))
    change(connection, user_id, last_seen_at=now)


def browsers_of(connection: Connection, user_id: str) -> list[Row[Any]]:
    query = select(browser_sessions).where(
        browser_sessions.c.app_user_id == user_id, browser_sessions.c.expires_at > time.time()
    )
    return list(connection.execute(query.order_by(browser_sessions.c.last_seen_at.desc())).all())


def remove_browser(connection: Connection, user_id: str, browser_id: str) -> None:
    connection.execute(
        delete(browser_sessions).where(browser_sessions.c.app_user_id == user_id, browser_sessions.c.id == browser_id)
    )


def remove_browser_of(connection: Connection, token_hash: bytes) -> None:
    connection.execute(delete(browser_sessions).where(browser_sessions.c.hash == token_hash))


def remove_browsers(connection: Connection, user_id: str, but: bytes = b"") -> None:
    """Sign a user out everywhere; ``but`` is the hash of the browser that stays."""
    connection.execute(
        delete(browser_sessions).where(browser_sessions.c.app_user_id == user_id, browser_sessions.c.hash != but)
    )


# --- links --------------------------------------------------------------------------------------------------------


def add_link(connection: Connection, user_id: str, token_hash: bytes, purpose: str, email: str, seconds: float) -> None:
    """Keep what a link in a mail proves, in place of the one before it, and forget those that have expired."""
    now = time.time()
    connection.execute(
        delete(mail_links).where(
            or_(
                mail_links.c.expires_at < now,
                (mail_links.c.app_user_id == user_id) & (mail_links.c.purpose == purpose),
            )
        )
    )
    row = {
        "hash": token_hash,
        "app_user_id": user_id,
        "purpose": purpose,
        "email": email,
        "expires_at": now + seconds,
    }
    connection.execute(mail_links.insert().values(row))


def link(connection: Connection, app_id: str, token_hash: bytes, purpose: str) -> Row[Any] | None:
    """A link that can still be used, with the user it was mailed to."""
    query: Select[Any] = (
        select(app_users)
        .join(mail_links, mail_links.c.app_user_id == app_users.c.id)
        .where(
            app_users.c.app_id == app_id,
            app_users.c.disabled_at.is_(None),
            app_users.c.email == mail_links.c.email,
            mail_links.c.hash == token_hash,
            mail_links.c.purpose == purpose,
            mail_links.c.expires_at > time.time(),
        )
    )
    return connection.execute(query).one_or_none()


def remove_links(connection: Connection, user_id: str, purpose: str) -> None:
    connection.execute(delete(mail_links).where(mail_links.c.app_user_id == user_id, mail_links.c.purpose == purpose))


def _of_subject(app_id: str, kind: str, subject: str) -> Select[Any]:
    return select(app_users).where(
        app_users.c.app_id == app_id, app_users.c.kind == kind, app_users.c.subject == subject
    )
