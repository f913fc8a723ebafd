"""Signing up, in and out with e-mail and password.

Nothing here tells a stranger whether an address has an account: the answer is the same, and takes as long
(https://cheatsheetseries.owasp.org, Authentication: "Authentication and Error Messages").
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from cpsl.gateway.accounts.service import Accounts
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.db.database import Database
from cpsl.gateway.users import passwords, store
from cpsl.gateway.users.addresses import normalised
from cpsl.gateway.users.forms import FormError
from cpsl.gateway.users.letters import VERIFY_SECONDS, Letters
from cpsl.gateway.users.moving import move
from cpsl.gateway.users.passwords import Passwords
from cpsl.gateway.users.rates import Rate, Rates
from cpsl.gateway.users.service import Users, disabled, hash_of
from cpsl.wire.frames import AppUser

SIGN_UPS = Rate("sign-up", 100, 3600)
MAILS = Rate("mail", 3, 3600)
LEAVINGS = Rate("leaving", 100, 900)
GUESSES = Rate("guess", 10, 900)
GUESSES_OF_CLIENT = Rate("guess-of-client", 100, 900)
GUESSES_OF_ACCOUNT = Rate("guess-of-account", 100, 3600)


class Browser(msgspec.Struct, frozen=True):
    """A browser that asks: the ``value`` of its cookie and whose that is, its name, and the network it is in.

    ``known`` is what it was given when it last signed in, to show that it is no stranger. Not in the repr: the secrets.
    """

    value: str
    user: AppUser | None
    name: str
    network: str
    known: str = ""

    def __repr__(self) -> str:
        return f"Browser({self.user!r}, {self.name!r}, {self.network!r})"


class Signing:
    """Signs people up, in and out."""

    def __init__(
        self, db: Database, users: Users, accounts: Accounts, runner: Runner, letters: Letters, rates: Rates
    ) -> None:
        self._db = db
        self._users = users
        self._accounts = accounts
        self._runner = runner
        self._letters = letters
        self._rates = rates
        self.passwords = Passwords()

    async def sign_up(self, version: VersionRef, browser: Browser, email: str, password: str) -> str:
        """Make an account, and mail a link to its address; the address as it is kept.

        For one that has an account it says the same, and mails that. Raises FormError, RateLimited.
        """
        self._rates.spend(SIGN_UPS, version.app_id, browser.network)
        address = normalised(email)
        passwords.check(password)
        kept = await self.passwords.hash(password)
        token = new_token()

        def work(connection: Connection) -> bool:
            known = store.by_subject(connection, version.app_id, "email", address)
            if known is not None:
                store.change(connection, known.id, email=address)  # as it is: to write nothing would be faster
                return False
            user_id = store.add(connection, version.app_id, "email", address, address, password=kept)
            store.add_link(connection, user_id, hash_of(token), "verify", address, VERIFY_SECONDS)
            return True

        try:
            is_new = await self._db.write(work)
        except IntegrityError:  # the same moment, at another replica of this gateway
            is_new = False
        if may_mail(self._rates, version, address):
            if is_new:
                self._letters.verify(version.app, address, token)
            else:
                self._letters.known(version.app, address)
        return address

    def leaves(self, version: VersionRef, browser: Browser) -> None:
        """A browser goes to sign in at a provider. Raises RateLimited: each time the store has a row more."""
        self._rates.spend(LEAVINGS, version.app_id, browser.network)

    async def sign_in(self, version: VersionRef, browser: Browser, email: str, password: str) -> tuple[str, str]:
        """Sign a browser in, with all that it did as a visitor: the new value of its cookie, and of its ``known``.

        Raises FormError (``wrong_password``), RateLimited, AuthError (``user_disabled``, to who knows the password).
        """
        address = _address(email)
        self._spend_guess(version, browser, address)
        row = await self._db.read(lambda c: store.by_subject(c, version.app_id, "email", address))
        if not await self.passwords.fits(row.password if row else None, password) or row is None:
            raise FormError("", "The e-mail address or the password is not right.", code="wrong_password")
        self._guessed(version, browser, address)
        renewed = await self.passwords.hash(password) if self.passwords.is_outdated(row.password) else row.password
        value = await self.let_in(version, browser, row, {"password": renewed})
        return value, self.known_sign(version, address)

    async def let_in(
        self, version: VersionRef, browser: Browser, user: Row[Any], changes: dict[str, Any] | None = None
    ) -> str:
        """Sign a browser in as a user who has shown who they are; the new value of its cookie.

        Raises AuthError (``user_disabled``), FormError when the user is gone or has another password meanwhile.
        """
        value = f"s.{secrets.token_urlsafe(32)}"
        visitor = browser.user if browser.user and not browser.user.authenticated else None

        def work(connection: Connection) -> AppUser:
            row = store.by_id(connection, user.id)
            if row is None or row.password != user.password:
                raise FormError("", "The e-mail address or the password is not right.", code="wrong_password")
            if row.disabled_at is not None:
                raise disabled()
            if changes:
                store.change(connection, row.id, **changes)
            if visitor is not None and store.by_id(connection, visitor.id) is not None:
                key = self._accounts.workspace_key(connection, version.workspace_id)
                move(connection, key, visitor.id, row.id)
            store.remove_browser_of(connection, hash_of(browser.value))
            store.add_browser(connection, row.id, hash_of(value), browser.name)
            return store.shown(row)

        entered = await self._db.write(work)
        if visitor is not None:
            self._users.moved(visitor.id, entered.id)
            self._runner.move(visitor.id, entered.id)
        return value

    async def change_password(self, version: VersionRef, browser: Browser, user: Row[Any], password: str) -> str:
        """Take another password of who is signed in, and sign all other browsers out; the cookie's new value."""
        kept = await self.passwords.hash(password)

        def work(connection: Connection) -> None:
            store.remove_browsers(connection, user.id)
            store.remove_links(connection, user.id, "reset")

        await self._db.write(work)
        value = await self.let_in(version, browser, user, {"password": kept})
        self._letters.changed(version.app, user.email)
        return value

    async def sign_out(self, browser: Browser) -> None:
        """Forget that a browser is signed in."""
        await self._db.write(lambda connection: store.remove_browser_of(connection, hash_of(browser.value)))

    # --- guesses ------------------------------------------------------------------------------------------------------

    def known_sign(self, version: VersionRef, address: str) -> str:
        """What a browser keeps to show that its owner has signed in with it before."""
        return self._users.signer.sign("known", f"{version.app_id}/{address}")

    async def check_password(
        self, version: VersionRef, browser: Browser, user: Row[Any], password: str, field: str = "password"
    ) -> None:
        """Raise FormError unless it is the password of who is signed in. Raises RateLimited, too."""
        self._spend_guess(version, browser, user.subject)
        if not await self.passwords.fits(user.password, password):
            raise FormError(field, "This is not your password.", code="wrong_password")
        self._guessed(version, browser, user.subject)

    def _spend_guess(self, version: VersionRef, browser: Browser, address: str) -> None:
        """Count a guess, before anything is looked up: many at once are counted, too.

        One client has few guesses for an account. Of all clients together an account takes more, and a browser that
        it was signed in with before is not among them: strangers cannot lock its owner out.
        """
        app_id = version.app_id
        self._rates.spend(GUESSES_OF_CLIENT, app_id, browser.network)
        self._rates.spend(GUESSES, app_id, address, browser.network)
        if not self._users.signer.fits("known", f"{app_id}/{address}", browser.known):
            self._rates.spend(GUESSES_OF_ACCOUNT, app_id, address)

    def _guessed(self, version: VersionRef, browser: Browser, address: str) -> None:
        """It was right: it does not count."""
        self._rates.give_back(GUESSES_OF_CLIENT, version.app_id, browser.network)
        self._rates.forget(GUESSES, version.app_id, address, browser.network)


def may_mail(rates: Rates, version: VersionRef, address: str) -> bool:
    """Whether an address gets one more mail: nobody can have somebody else's box filled."""
    is_fine = rates.has_left(MAILS, version.app_id, address)
    if is_fine:
        rates.spend(MAILS, version.app_id, address)
    return is_fine


def new_token() -> str:
    """256 random bits, for a link."""
    return secrets.token_urlsafe(32)


def verified_now() -> dict[str, Any]:
    """What changes when somebody has shown that their address is theirs."""
    return {"verified_at": time.time()}


def _address(email: str) -> str:
    """The address that somebody signs in with; what is none belongs to nobody."""
    try:
        return normalised(email)
    except FormError:
        return email.strip().lower()[:320]
