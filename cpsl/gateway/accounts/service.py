"""Who asks, and what they may do."""

from __future__ import annotations

import hmac
import math
import re
import time

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from cpsl._version import __version__
from cpsl.errors import AuthError, Conflict, InvalidRequest, NotFound
from cpsl.gateway.accounts import store
from cpsl.gateway.accounts.tokens import hash_of, is_well_formed, new_token
from cpsl.gateway.db.database import Database
from cpsl.gateway.vault import Key, Vault
from cpsl.wire.accounts import Account, AccountCreate, Me, NewToken, Token, TokenCreate
from cpsl.wire.ids import new_id
from cpsl.wire.names import check_resource_name

_TRUSTED_SECONDS = 5.0
_LONGEST_LIFE_SECONDS = 10 * 366 * 24 * 3600
_NAME_LENGTH = 200
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}\Z")
OWNER_EMAIL = "owner@localhost"
WORKSPACE = "default"
REFUSAL = "the token is not valid for this gateway, or no longer"
REFUSAL_HINT = "Log in again: capsule login"


class Actor(msgspec.Struct, frozen=True):
    """The account and token behind a request."""

    account_id: str
    email: str
    role: str
    workspace_id: str
    workspace: str
    token_id: str

    @property
    def is_owner(self) -> bool:
        """Whether this account owns the gateway."""
        return self.role == "owner"


class Accounts:
    """Accounts and tokens of a gateway. ``bootstrap_secret`` is what its 0600 file holds."""

    def __init__(self, db: Database, vault: Vault, bootstrap_secret: str) -> None:
        self._db = db
        self._vault = vault
        self._bootstrap_hash = hash_of(bootstrap_secret)
        self._trusted: dict[bytes, tuple[float, Actor]] = {}
        self._revoked = 0

    async def set_up(self) -> None:
        """Make the first workspace and its owner; check that the master key opens what is there."""

        def work(connection: Connection) -> None:
            workspace = store.any_workspace(connection)
            if workspace is not None:
                self._vault.unlock(workspace.id, bytes(workspace.data_key))
                return
            self._add_account(connection, OWNER_EMAIL, WORKSPACE, "owner")

        await self._db.write(work)

    async def authenticate(self, token: str) -> Actor:
        """The actor behind a bearer token. Raises AuthError, the same for every reason a token is no good."""
        if not is_well_formed(token):
            raise _refused()
        key = hash_of(token)
        known = self._trusted.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        return await self._look_up(key)

    async def login_local(self, bootstrap_secret: str, name: str) -> NewToken:
        """A token of the owner, for whoever could read the bootstrap file. Raises AuthError."""
        if not hmac.compare_digest(hash_of(bootstrap_secret), self._bootstrap_hash):
            raise AuthError("this is not the gateway's bootstrap secret", hint="Log in on the gateway's own machine.")
        owner = await self._db.read(store.owner)
        return await self.issue(owner.id, name or "local login")

    async def issue(self, account_id: str, name: str, expires_in: int | None = None) -> NewToken:
        """Make a token for an account; the only time that it is seen. ``expires_in`` in seconds."""
        return await self._db.write(lambda connection: self.issue_in(connection, account_id, name, expires_in))

    @staticmethod
    def issue_in(connection: Connection, account_id: str, name: str, expires_in: int | None = None) -> NewToken:
        """The same as part of a larger write. Raises NotFound when the account is gone."""
        account = store.account(connection, account_id)
        if account is None:
            raise NotFound(f"no account {account_id[:80]!r} on this gateway")
        secret = new_token()
        expires_at = time.time() + expires_in if expires_in else None
        row = store.add_token(connection, account_id, hash_of(secret), printable(name), expires_at)
        return NewToken(secret, _token(row), account.workspace)

    async def create_token(self, actor: Actor, wanted: TokenCreate) -> NewToken:
        """A further token: for yourself, or (owner only) for another account of this gateway."""
        account_id = wanted.account_id or actor.account_id
        if account_id != actor.account_id:
            self._require_owner(actor)
        if wanted.expires_in is not None and not 1 <= wanted.expires_in <= _LONGEST_LIFE_SECONDS:
            raise InvalidRequest(
                f"expires_in must be between 1 and {_LONGEST_LIFE_SECONDS} seconds",
                hint="Leave it out for a token that does not expire.",
            )
        return await self.issue(account_id, wanted.name or "token", wanted.expires_in)

    async def tokens(self, actor: Actor) -> list[Token]:
        """The tokens of an account, oldest first, without what proves them."""
        rows = await self._db.read(lambda connection: store.tokens_of(connection, actor.account_id))
        return [_token(row) for row in rows]

    async def delete_token(self, actor: Actor, token_id: str) -> None:
        """Revoke a token of yours, at once. ``current`` is the one that asks."""
        token_id = actor.token_id if token_id == "current" else token_id
        deleted = await self._db.write(lambda connection: store.delete_token(connection, actor.account_id, token_id))
        self._revoked += 1
        self._trusted.clear()
        if not deleted:
            raise NotFound(f"no token {token_id[:80]!r}")

    async def add_account(self, actor: Actor, wanted: AccountCreate) -> Account:
        """Let someone else use this gateway, in your workspace or in one of their own (made if it is new)."""
        self._require_owner(actor)
        if not _EMAIL.match(wanted.email):
            raise InvalidRequest(f"{wanted.email!r} is not an e-mail address", code="invalid_email")
        workspace = check_resource_name(wanted.workspace or actor.workspace, "workspace")
        try:
            return await self._db.write(
                lambda connection: self._add_account(connection, wanted.email, workspace, "member")
            )
        except IntegrityError:
            raise Conflict(
                f"there is an account {wanted.email!r} already",
                code="account_exists",
                hint="Take another address, or make a token for that account.",
            ) from None

    async def me(self, actor: Actor) -> Me:
        """Who asks, and with which token. Raises AuthError when the token was revoked a moment ago."""
        token = next((token for token in await self.tokens(actor) if token.id == actor.token_id), None)
        if token is None:
            raise _refused()
        account = Account(actor.account_id, actor.email, actor.role, actor.workspace)
        return Me(account, token, actor.workspace, __version__)

    def workspace_key(self, connection: Connection, workspace_id: str) -> Key:
        """The key that seals a workspace's values."""
        return self._vault.unlock(workspace_id, store.workspace_key(connection, workspace_id))

    async def _look_up(self, key: bytes) -> Actor:
        revoked = self._revoked
        row = await self._db.read(lambda connection: store.token_with_account(connection, key))
        if row is None or (row.expires_at is not None and row.expires_at <= time.time()):
            raise _refused()
        actor = Actor(row.account_id, row.email, row.role, row.workspace_id, row.workspace, row.id)
        if revoked == self._revoked:  # else this very token may have been revoked after it was read
            left = (row.expires_at or math.inf) - time.time()
            self._trusted[key] = (time.monotonic() + min(_TRUSTED_SECONDS, left), actor)
        await self._db.write(lambda connection: store.touch_token(connection, row.id))
        return actor

    def _add_account(self, connection: Connection, email: str, workspace: str, role: str) -> Account:
        row = store.workspace_named(connection, workspace)
        workspace_id = row.id if row else new_id("wsp")
        if row is None:
            store.add_workspace(connection, workspace_id, workspace, self._vault.new_data_key(workspace_id))
        account_id = store.add_account(connection, workspace_id, email, role)
        return Account(account_id, email, role, workspace)

    @staticmethod
    def _require_owner(actor: Actor) -> None:
        if not actor.is_owner:
            raise AuthError("only the owner of this gateway may do that", code="forbidden", status=403)


def _refused() -> AuthError:
    return AuthError(REFUSAL, hint=REFUSAL_HINT)


def printable(name: str) -> str:
    """A name that someone gave, without what would move a terminal's cursor or break a line of a log."""
    return "".join(character for character in name if character.isprintable())[:_NAME_LENGTH]


def _token(row: store.AnyRow) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        account_id=row.account_id,
        created_at=row.created_at,
        scopes=list(row.scopes),
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
