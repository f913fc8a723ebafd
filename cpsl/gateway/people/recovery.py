"""Links in mails: an address is confirmed, a forgotten password replaced. Each works once, and not for long."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Connection, Row, delete

from cpsl.engine.protocol import Engine
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import connections
from cpsl.gateway.people.signing import Browser, may_mail, new_token, verified_now
from cpsl.gateway.users import passwords, store
from cpsl.gateway.users.addresses import normalised
from cpsl.gateway.users.forms import FormError
from cpsl.gateway.users.letters import RESET_SECONDS, VERIFY_SECONDS, Letters
from cpsl.gateway.users.passwords import Passwords
from cpsl.gateway.users.rates import Rate, Rates
from cpsl.gateway.users.service import hash_of

FORGOTTEN = Rate("forgot", 30, 3600)


class Recovery:
    """Confirms addresses and replaces passwords."""

    def __init__(self, db: Database, engine: Engine, hasher: Passwords, letters: Letters, rates: Rates) -> None:
        self._db = db
        self._engine = engine
        self._hasher = hasher
        self._letters = letters
        self._rates = rates
        self._mailing: set[asyncio.Task[None]] = set()

    async def forgot(self, version: VersionRef, browser: Browser, email: str) -> str:
        """Mail a link to an address that has an account; the address. Raises FormError, RateLimited."""
        self._rates.spend(FORGOTTEN, version.app_id, browser.network)
        address, token = normalised(email), new_token()

        def work(connection: Connection) -> bool:
            row = store.by_subject(connection, version.app_id, "email", address)
            if row is None or row.disabled_at is not None:
                return False
            store.add_link(connection, row.id, hash_of(token), "reset", address, RESET_SECONDS)
            return True

        async def mail() -> None:
            if await self._db.write(work):
                self._letters.reset(version.app, address, token)

        if may_mail(self._rates, version, address):
            task = asyncio.create_task(mail())  # nobody can tell from the time whether there was something to write
            self._mailing.add(task)
            task.add_done_callback(self._mailing.discard)
        return address

    async def send_again(self, version: VersionRef, user: Row[Any]) -> None:
        """Mail one more link that confirms the address of who is signed in, in place of the one before."""
        token = new_token()
        if user.verified_at is None and may_mail(self._rates, version, user.email):
            await self._db.write(
                lambda c: store.add_link(c, user.id, hash_of(token), "verify", user.email, VERIFY_SECONDS)
            )
            self._letters.verify(version.app, user.email, token)

    async def verify(self, version: VersionRef, token: str) -> str:
        """Use a link that confirms an address; the address. Raises FormError (``link_used``)."""

        def work(connection: Connection) -> Row[Any]:
            row = _used(connection, version, token, "verify")
            store.change(connection, row.id, **verified_now())
            return row

        row = await self._db.write(work)
        self._engine.retire(row.id)  # what runs for them was started with an address that nobody had confirmed
        return str(row.email)

    async def reset(self, version: VersionRef, token: str, password: str) -> str:
        """Use a link to choose a password, which signs every browser out; the address. Raises FormError."""
        passwords.check(password)
        if await self._db.read(lambda c: store.link(c, version.app_id, hash_of(token), "reset")) is None:
            raise _link_used()
        kept = await self._hasher.hash(password)

        def work(connection: Connection) -> Row[Any]:
            row = _used(connection, version, token, "reset")
            store.change(connection, row.id, password=kept, **verified_now())
            store.remove_browsers(connection, row.id)
            if row.verified_at is None:
                # Whoever signed up with this address was not known to have it: what they connected is not its owner's.
                connection.execute(delete(connections).where(connections.c.app_user_id == row.id))
            return row

        row = await self._db.write(work)
        self._letters.changed(version.app, row.email)
        return str(row.email)


def _used(connection: Connection, version: VersionRef, token: str, purpose: str) -> Row[Any]:
    """Use a link up; the user it was mailed to."""
    row = store.link(connection, version.app_id, hash_of(token), purpose)
    if row is None:
        raise _link_used()
    store.remove_links(connection, row.id, purpose)
    return row


def _link_used() -> FormError:
    return FormError("", "This link was used already, or is too old.", code="link_used", status=410)
