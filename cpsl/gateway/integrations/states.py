"""Sign-ins at providers that are under way: stored, single use, for ten minutes, for one browser and one user.

What travels is 256 random bits; the store has their SHA-256. The PKCE verifier is sealed beside it. Where a sign-in
began and where it comes back to is in the row, never in a query: there is no redirect to anywhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from cpsl.errors import InvalidRequest
from cpsl.gateway.accounts.service import Accounts
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations import store
from cpsl.gateway.integrations.store import State

LIFE_SECONDS = 600.0


class Begun(msgspec.Struct):
    """A sign-in that begins. ``purpose`` and ``provider`` say what for; ``browser`` is what only this browser has.

    ``origin`` and ``return_to`` (a path) are where it comes back to; ``details`` are kept, sealed.
    """

    app_id: str
    workspace_id: str
    provider: str
    purpose: str
    browser: str
    origin: str
    return_to: str
    app_user_id: str | None = None
    turn_id: str | None = None
    prompt_id: str | None = None
    details: dict[str, Any] = {}


class Taken(msgspec.Struct):
    """A sign-in that came back, used up. The repr leaves out its ``verifier``."""

    app_id: str
    app_user_id: str | None
    turn_id: str | None
    prompt_id: str | None
    verifier: str
    details: dict[str, Any]

    def __repr__(self) -> str:
        return f"Taken({self.app_id!r}, {self.app_user_id!r})"


class States:
    """The sign-ins of a gateway."""

    def __init__(self, db: Database, accounts: Accounts) -> None:
        self._db = db
        self._accounts = accounts

    async def begin(self, begun: Begun) -> tuple[str, str]:
        """Keep a sign-in that begins; its state and its PKCE verifier (RFC 7636 §4.1)."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        await self._db.write(lambda connection: self._add(connection, begun, hash_of(state), verifier))
        return state, verifier

    async def where(self, provider: str, state: str) -> str:
        """The URL, without query, at which a sign-in goes on. Raises InvalidRequest for one that is not under way."""
        row = await self._db.read(lambda connection: _current(connection, provider, state))
        return f"{row.origin}{row.return_to}"

    async def take(self, provider: str, purpose: str, state: str, browser: str) -> Taken:
        """Use up a sign-in that came back to the browser it began in. Raises InvalidRequest, the same for all else.

        That of another browser is left for the one it belongs to.
        """

        def work(connection: Connection) -> Taken:
            row = _current(connection, provider, state)
            if row.purpose != purpose or not browser or not hmac.compare_digest(row.browser, hash_of(browser)):
                raise _not_under_way()
            if not store.take_state(connection, row.hash):
                raise _not_under_way()
            return self._opened(connection, row)

        return await self._db.write(work)

    def _add(self, connection: Connection, begun: Begun, hashed: bytes, verifier: str) -> None:
        key = self._accounts.workspace_key(connection, begun.workspace_id)
        plain = msgspec.json.encode([verifier, begun.details])
        state = State(
            hash=hashed,
            app_id=begun.app_id,
            app_user_id=begun.app_user_id,
            browser=hash_of(begun.browser),
            provider=begun.provider,
            purpose=begun.purpose,
            turn_id=begun.turn_id,
            prompt_id=begun.prompt_id,
            origin=begun.origin,
            return_to=begun.return_to,
            sealed=key.seal(plain, _context(hashed)),
            expires_at=time.time() + LIFE_SECONDS,
        )
        store.add_state(connection, state)

    def _opened(self, connection: Connection, row: Row[Any]) -> Taken:
        key = self._accounts.workspace_key(connection, store.workspace_of(connection, row.app_id))
        plain = key.open(bytes(row.sealed), _context(bytes(row.hash)))
        verifier, details = msgspec.json.decode(plain)
        return Taken(row.app_id, row.app_user_id, row.turn_id, row.prompt_id, verifier, details)


def hash_of(secret: str) -> bytes:
    """What the store keeps of a value that only a browser has."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def _current(connection: Connection, provider: str, state: str) -> Row[Any]:
    row = store.state(connection, hash_of(state)) if state else None
    if row is None or row.provider != provider or row.expires_at <= time.time():
        raise _not_under_way()
    return row


def _not_under_way() -> InvalidRequest:
    return InvalidRequest(
        "this sign-in is not under way in this browser: it was used already, took too long, or began elsewhere",
        code="invalid_oauth_state",
        status=400,
        hint="Go back to the app and connect again.",
    )


def _context(hashed: bytes) -> str:
    return f"oauth_state/{hashed.hex()}"
