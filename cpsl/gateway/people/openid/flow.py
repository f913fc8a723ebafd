"""Signing in at a provider: from the button to the cookie."""

from __future__ import annotations

import secrets
import time
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations import oauth
from cpsl.gateway.integrations.flows import Answer
from cpsl.gateway.integrations.oauth import Client, OAuthRefused
from cpsl.gateway.integrations.states import Begun, States
from cpsl.gateway.people.openid import protocol
from cpsl.gateway.people.openid.protocol import Metadata, Person
from cpsl.gateway.people.openid.providers import OpenIdProvider, OpenIdProviders
from cpsl.gateway.people.signing import Browser, Signing
from cpsl.gateway.settings import Settings
from cpsl.gateway.users import store

PURPOSE = "sign_in"
_METADATA_SECONDS = 600.0


class SignedIn(NamedTuple):
    """Somebody is signed in: the new value of the browser's cookie, and the path of the page that they wanted."""

    cookie: str
    wanted: str


class OpenIdSignIn:
    """Sign-ins of a gateway's people at the providers that its operator chose."""

    def __init__(
        self, db: Database, states: States, signing: Signing, providers: OpenIdProviders, settings: Settings
    ) -> None:
        self._db = db
        self._states = states
        self._signing = signing
        self._providers = providers
        self._settings = settings
        self._metadata: dict[str, tuple[float, Metadata]] = {}

    @property
    def offered(self) -> list[OpenIdProvider]:
        """Those that a sign-in page has buttons for."""
        return self._providers.all

    async def begin(
        self, version: VersionRef, name: str, browser: str, origin: str, return_to: str, wanted: str
    ) -> str:
        """The URL at the provider where somebody signs in.

        ``browser`` is what only this browser has; it comes back to ``return_to`` (a path) of ``origin``, and goes on to
        ``wanted``. Raises NotFound, ProviderFailed.
        """
        known = self._providers.get(name)
        metadata = await self._discovered(known)
        nonce = secrets.token_urlsafe(32)
        begun = Begun(
            app_id=version.app_id,
            workspace_id=version.workspace_id,
            provider=name,
            purpose=PURPOSE,
            browser=browser,
            origin=origin,
            return_to=return_to,
            details={"nonce": nonce, "wanted": wanted, "issuer": known.issuer},
        )
        state, verifier = await self._states.begin(begun)
        asking = self._client(known, metadata, nonce=nonce)
        return oauth.authorization_url(asking, protocol.SCOPES, state, verifier)

    async def finish(self, version: VersionRef, name: str, secret: str, browser: Browser, answer: Answer) -> SignedIn:
        """Sign in a browser that came back; ``secret`` is what only this browser has.

        Raises NotFound, InvalidRequest (``invalid_oauth_state``), OAuthRefused (``access_denied``,
        ``issuer_mismatch``, ``invalid_id_token``), ProviderFailed, AuthError (``user_disabled``).
        """
        known = self._providers.get(name)
        taken = await self._states.take(name, PURPOSE, answer.state, secret)
        if taken.app_id != version.app_id or taken.details["issuer"] != known.issuer:
            raise OAuthRefused("this sign-in began elsewhere", code="invalid_oauth_state")
        metadata = await self._discovered(known)
        _check(answer, known, metadata)
        asking = self._client(known, metadata)
        person = await protocol.identify(asking, metadata, answer.code, taken.verifier, taken.details["nonce"])
        row = await self._user(version, known, person)
        cookie = await self._signing.let_in(version, browser, row, {"email": person.email})
        return SignedIn(cookie, taken.details["wanted"])

    async def _user(self, version: VersionRef, known: OpenIdProvider, person: Person) -> Row[Any]:
        subject = f"{known.issuer}|{person.subject}"
        try:
            return await self._db.write(lambda c: store.app_user(c, version.app_id, "openid", subject, person.email))
        except IntegrityError:  # the same moment, in another browser
            return await self._db.write(lambda c: store.app_user(c, version.app_id, "openid", subject, person.email))

    async def _discovered(self, known: OpenIdProvider) -> Metadata:
        read_at, metadata = self._metadata.get(known.name, (0.0, None))
        if metadata is None or time.monotonic() - read_at > _METADATA_SECONDS:
            metadata = await protocol.discover(self._client(known, None))
            self._metadata[known.name] = (time.monotonic(), metadata)
        return metadata

    def _client(self, known: OpenIdProvider, metadata: Metadata | None, **parameters: str) -> Client:
        settings = self._settings
        return protocol.client(known, metadata, settings.url, settings.provider_timeout, **parameters)


def _check(answer: Answer, known: OpenIdProvider, metadata: Metadata) -> None:
    """Raise OAuthRefused for an answer that brings no code, or comes from another provider (RFC 9207)."""
    is_named = bool(answer.iss) or metadata.authorization_response_iss_parameter_supported
    if is_named and answer.iss != known.issuer:
        raise OAuthRefused("another provider answered than the one that was asked", code="issuer_mismatch")
    if answer.error == "access_denied":
        raise OAuthRefused(f"you did not sign in at {known.title}", code="access_denied")
    if answer.error or not answer.code:
        raise OAuthRefused(f"{known.title} did not sign you in")
