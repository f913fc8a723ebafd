"""Log in on a machine without a browser: the device authorization grant, RFC 8628."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict, deque

from sqlalchemy import Connection

from cpsl.errors import CapsuleError, NotFound, RateLimited
from cpsl.gateway.accounts import store
from cpsl.gateway.accounts.service import Accounts, Actor, printable
from cpsl.gateway.accounts.tokens import hash_of
from cpsl.gateway.db.database import Database
from cpsl.wire.accounts import DeviceCode, DeviceToken

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words; 20^8 is 34 bits
_LIFE_SECONDS = 600
_INTERVAL = 5
_GUESSES, _GUESS_WINDOW = 5, 60.0
_MOST_WAITING = 1000


class TokenRefused(CapsuleError):
    """An answer of the token endpoint, in the shape of RFC 6749 §5.2; ``code`` is its ``error``."""

    default_status = 400


class Devices:
    """Device codes: made by a client, decided by a person, exchanged once."""

    def __init__(self, db: Database, accounts: Accounts, url: str) -> None:
        self._db = db
        self._accounts = accounts
        self._url = url
        self._misses: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_GUESSES))

    async def begin(self, client_name: str) -> DeviceCode:
        """Codes for a client that wants to log in. Raises RateLimited while very many wait already."""
        device_code = secrets.token_urlsafe(32)
        letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
        row = {
            "hash": hash_of(device_code),
            "user_code": letters,
            "client_name": printable(client_name),
            "state": "pending",
            "interval": _INTERVAL,
            "expires_at": time.time() + _LIFE_SECONDS,
        }

        def work(connection: Connection) -> None:
            if store.forget_old_devices(connection) >= _MOST_WAITING:
                raise RateLimited("too many logins wait for approval", retry_after=_LIFE_SECONDS / 10)
            store.add_device_code(connection, row)

        await self._db.write(work)
        shown = f"{letters[:4]}-{letters[4:]}"
        page = f"{self._url}/device"
        return DeviceCode(device_code, shown, page, f"{page}?user_code={shown}", _LIFE_SECONDS, _INTERVAL)

    async def waiting(self, actor: Actor, user_code: str) -> store.AnyRow:
        """The pending login behind a code that ``actor`` typed. Raises NotFound, or RateLimited for guessing."""
        misses = self._misses[actor.account_id]
        recent = [miss for miss in misses if miss > time.monotonic() - _GUESS_WINDOW]
        if len(recent) >= _GUESSES:
            raise RateLimited("too many wrong codes", retry_after=_GUESS_WINDOW, hint="Wait a minute, then try again.")
        letters = "".join(character for character in user_code[:32].upper() if character in _LETTERS)
        row = await self._db.read(lambda connection: store.device_by_user_code(connection, letters))
        if row is None or row.state != "pending" or row.expires_at <= time.time():
            misses.append(time.monotonic())
            raise NotFound("no login waits for this code", hint="Check the code in your terminal, or start again.")
        return row

    async def decide(self, actor: Actor, user_code: str, *, approve: bool) -> None:
        """Approve or deny a pending login as ``actor``. Of two decisions at once, one wins; NotFound for the other."""
        row = await self.waiting(actor, user_code)
        values = {"state": "approved" if approve else "denied", "account_id": actor.account_id}
        changed = await self._db.write(
            lambda connection: store.change_device(connection, bytes(row.hash), "pending", **values)
        )
        if not changed:
            raise NotFound("this login was decided already")

    async def exchange(self, grant_type: str, device_code: str) -> DeviceToken:
        """The token, once, after approval. Raises TokenRefused with the codes of RFC 8628 §3.5."""
        if grant_type != GRANT_TYPE:
            raise TokenRefused(f"this endpoint takes the grant type {GRANT_TYPE}", code="unsupported_grant_type")
        if not device_code:
            raise TokenRefused("device_code is missing", code="invalid_request")
        key = hash_of(device_code)
        row = await self._db.read(lambda connection: store.device_code(connection, key))
        if row is None or row.state == "used":
            raise _used_or_unknown()
        if row.expires_at <= time.time():
            raise TokenRefused("the code has expired", code="expired_token")
        if row.state == "pending":
            await self._refuse_poll(row)
        if row.state != "approved":
            raise TokenRefused("the login was denied", code="access_denied")
        return await self._db.write(lambda connection: self._redeem(connection, row))

    def _redeem(self, connection: Connection, row: store.AnyRow) -> DeviceToken:
        # In one transaction: a code that is used up has given its token, however the gateway ends.
        if not store.change_device(connection, bytes(row.hash), "approved", state="used"):
            raise _used_or_unknown()
        issued = self._accounts.issue_in(connection, row.account_id, row.client_name or "device login")
        return DeviceToken(issued.access_token, "Bearer", issued.workspace)

    async def _refuse_poll(self, row: store.AnyRow) -> None:
        now = time.time()
        # A second of grace: the network may bring two well-spaced polls closer together.
        too_fast = row.last_poll_at is not None and now - row.last_poll_at < row.interval - 1
        interval = row.interval + 5 if too_fast else row.interval

        def work(connection: Connection) -> None:
            store.change_device(connection, bytes(row.hash), "pending", last_poll_at=now, interval=interval)

        await self._db.write(work)
        if too_fast:
            raise TokenRefused(f"poll every {interval} seconds", code="slow_down")
        raise TokenRefused("nobody has approved this login yet", code="authorization_pending")


def _used_or_unknown() -> TokenRefused:
    return TokenRefused("this device code is not known, or was used already", code="invalid_grant")
