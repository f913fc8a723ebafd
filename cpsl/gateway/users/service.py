"""The people of each app: callers of its API, visitors of its pages, and those who signed in."""

from __future__ import annotations

import hashlib

from sqlalchemy.exc import IntegrityError

from cpsl.errors import NotFound
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.db.database import Database
from cpsl.gateway.users import store
from cpsl.gateway.users.cookies import Signer
from cpsl.wire.frames import AppUser


class Users:
    """All app users of a gateway. ``signer`` signs what their browsers keep."""

    def __init__(self, db: Database, signer: Signer) -> None:
        self._db = db
        self.signer = signer
        self._known: dict[tuple[str, str], str] = {}

    async def of_account(self, app_id: str, caller: Actor | None) -> AppUser:
        """The app user behind a caller of the API, or the one that stands for all who did not say who they are."""
        if caller is None:
            return AppUser(await self._found(app_id, "anonymous", "", None), authenticated=False)
        user_id = await self._found(app_id, "account", caller.account_id, caller.email)
        return AppUser(user_id, caller.email)

    async def of_cookie(self, app_id: str, value: str) -> AppUser | None:
        """The app user whose browser has this cookie; None for one that is not ours, has expired, or was revoked."""
        if value.startswith("s."):
            return await self._signed_in(app_id, value)
        visitor = self.signer.visitor(app_id, value)
        if visitor is None:
            return None
        return AppUser(await self._found(app_id, "visitor", visitor, None), authenticated=False)

    async def _signed_in(self, app_id: str, value: str) -> AppUser | None:
        row = await self._db.read(lambda connection: store.signed_in(connection, app_id, hash_of(value)))
        return AppUser(row.id, row.email) if row else None

    async def _found(self, app_id: str, kind: str, subject: str, email: str | None) -> str:
        """The id of a user, made when seen for the first time. Raises NotFound when the app is gone."""
        key = (app_id, f"{kind}/{subject}")
        if key not in self._known:
            try:
                self._known[key] = await self._db.write(lambda c: store.app_user(c, app_id, kind, subject, email))
            except IntegrityError as error:
                raise NotFound("the app was deleted", code="app_not_found") from error
        return self._known[key]


def hash_of(value: str) -> bytes:
    """What the store keeps of a token that only its owner has."""
    return hashlib.sha256(value.encode(errors="replace")).digest()
