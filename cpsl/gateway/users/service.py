"""The people of each app: callers of its API, visitors of its pages, and those who signed in."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from cpsl.errors import AuthError, NotFound
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.db.database import Database
from cpsl.gateway.users import store
from cpsl.gateway.users.cookies import Signer
from cpsl.wire.frames import AppUser

_SEEN_SECONDS = 3600.0  # a browser that comes more often is not written down each time


class Users:
    """All app users of a gateway. ``signer`` signs what their browsers keep."""

    def __init__(self, db: Database, signer: Signer) -> None:
        self._db = db
        self.signer = signer
        self._known: dict[tuple[str, str], AppUser] = {}
        self._moved: dict[str, str] = {}
        self._changes = 0

    async def of_account(self, app_id: str, caller: Actor | None) -> AppUser:
        """The app user behind a caller of the API, or the one that stands for all who did not say who they are.

        Raises AuthError (``user_disabled``).
        """
        if caller is None:
            return await self._found(app_id, "anonymous", "", None)
        return await self._found(app_id, "account", caller.account_id, caller.email)

    async def of_cookie(self, app_id: str, value: str) -> AppUser | None:
        """The app user whose browser has this cookie; None for one that is not ours, has expired, or was revoked."""
        if value.startswith("s."):
            row = await self.signed_in(app_id, value)
            return store.shown(row) if row else None
        visitor = self.signer.visitor(app_id, value)
        return await self._found(app_id, "visitor", visitor, None) if visitor else None

    async def signed_in(self, app_id: str, value: str) -> Row[Any] | None:
        """The row of who is signed in with a browser that has this cookie."""
        row = await self._db.read(lambda connection: store.signed_in(connection, app_id, hash_of(value)))
        if row is not None and row.browser_seen_at < time.time() - _SEEN_SECONDS:
            await self._db.write(lambda connection: store.touch_browser(connection, row.browser_session_id, row.id))
        return row

    def moved(self, visitor_id: str, user_id: str) -> None:
        """What was a visitor's is a user's now; what still runs for the visitor runs on."""
        self._moved[visitor_id] = user_id
        self.forget(visitor_id)

    def now(self, user_id: str) -> str:
        """Whose it is what a runtime of a user does: another's, if that user was a visitor who has signed in since."""
        return self._moved.get(user_id, user_id)

    def forget(self, user_id: str) -> None:
        """Read a user anew: they were changed, or are gone."""
        self._changes += 1
        for key in [key for key, user in self._known.items() if user.id == user_id]:
            del self._known[key]

    async def _found(self, app_id: str, kind: str, subject: str, email: str | None) -> AppUser:
        """A user, made when seen for the first time. Raises NotFound when the app is gone, AuthError."""
        key = (app_id, f"{kind}/{subject}")
        known = self._known.get(key)
        if known is None:
            changes = self._changes
            known = await self._look_up(app_id, kind, subject, email)
            if changes == self._changes:  # what was read before a change must not be remembered after it
                self._known[key] = known
        return known

    async def _look_up(self, app_id: str, kind: str, subject: str, email: str | None) -> AppUser:
        try:
            row = await self._db.write(lambda c: store.app_user(c, app_id, kind, subject, email))
        except IntegrityError as error:
            raise NotFound("the app was deleted", code="app_not_found") from error
        if row.disabled_at is not None:
            raise disabled()
        return store.shown(row)


def disabled() -> AuthError:
    """The error for somebody whom an operator has disabled."""
    return AuthError(
        "you cannot use this app any more", code="user_disabled", status=403, hint="Ask whoever runs this app."
    )


def hash_of(value: str) -> bytes:
    """What the store keeps of a token that only its owner has."""
    return hashlib.sha256(value.encode(errors="replace")).digest()
