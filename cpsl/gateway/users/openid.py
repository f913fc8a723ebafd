"""Signing in by a provider of the operator's choice (https://openid.net/specs/openid-connect-core-1_0.html, §3.1).

The providers are in a TOML file (the setting ``openid_file``), one table for each::

    [google]
    title = "Google"
    issuer = "https://accounts.google.com"
    client_id = "…"
    client_secret_file = "/run/secrets/google"     # or client_secret_env = "GOOGLE_SECRET"

``{gateway}/oauth/callback/google`` is the redirect URI to register there.
"""

from __future__ import annotations

import os
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from cpsl.errors import ConfigError, InvalidRequest, NotFound, ProviderFailed
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations import oauth
from cpsl.gateway.integrations.flows import Answer
from cpsl.gateway.integrations.oauth import Client, OAuthRefused
from cpsl.gateway.integrations.providers import Provider
from cpsl.gateway.integrations.states import Begun, States
from cpsl.gateway.settings import Settings
from cpsl.gateway.users import store
from cpsl.gateway.users.signing import Browser, new_token
from cpsl.wire.integrations import endpoint_problem

PURPOSE = "sign_in"
_SCOPES = ["openid", "email"]
_KEPT_SECONDS = 3600.0
_LEEWAY_SECONDS = 60
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_LONGEST_SUBJECT = 400


class Configured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider as the operator's file has it."""

    issuer: str
    client_id: str
    title: str = ""
    client_secret_file: str = ""
    client_secret_env: str = ""


class Claims(msgspec.Struct, frozen=True):
    """Who signed in, as a provider vouches for. ``email`` only where it has made sure of that, too."""

    subject: str
    email: str | None


class OpenId:
    """Sign-ins at the providers of a gateway, each with the secret that it gave to the gateway."""

    def __init__(self, providers: dict[str, tuple[Configured, str]], db: Database, states: States, settings: Settings):
        self._providers = providers
        self._db = db
        self._states = states
        self._settings = settings
        self._published: dict[str, tuple[float, Client, str]] = {}
        self._keys: dict[str, tuple[float, dict[str, Any]]] = {}

    @classmethod
    def configured(cls, settings: Settings, db: Database, states: States) -> OpenId:
        """The providers of ``openid_file``. Raises ConfigError."""
        known = _read(Path(settings.openid_file).expanduser()) if settings.openid_file else {}
        return cls({name: (each, _secret(name, each)) for name, each in known.items()}, db, states, settings)

    @property
    def names(self) -> list[tuple[str, str]]:
        """What the providers are called in links, and by people."""
        return [(name, each.title or name.capitalize()) for name, (each, _) in self._providers.items()]

    async def begin(self, name: str, version: VersionRef, browser: str, origin: str, base: str, to: str) -> str:
        """Where a browser signs in. It comes back to ``base`` at ``origin``, then goes on to the path ``to``.

        Raises NotFound, ProviderFailed.
        """
        client, _ = await self._client(name)
        nonce = new_token()
        begun = Begun(
            app_id=version.app_id,
            workspace_id=version.workspace_id,
            provider=name,
            purpose=PURPOSE,
            browser=browser,
            origin=origin,
            return_to=f"{base}/sign-in/{name}/complete",
            details={"nonce": nonce, "to": to},
        )
        state, verifier = await self._states.begin(begun)
        asked = msgspec.structs.replace(client.provider, parameters={"nonce": nonce})
        return oauth.authorization_url(msgspec.structs.replace(client, provider=asked), _SCOPES, state, verifier)

    async def finish(self, name: str, version: VersionRef, browser: Browser, answer: Answer) -> tuple[Row[Any], str]:
        """Who came back, and where they go on to. Raises InvalidRequest, OAuthRefused, ProviderFailed."""
        client, jwks_url = await self._client(name)
        taken = await self._states.take(name, PURPOSE, answer.state, browser.value)
        if taken.app_id != version.app_id:
            raise InvalidRequest("this sign-in began in another app", code="invalid_oauth_state", status=400)
        if answer.iss and answer.iss != client.provider.issuer:
            raise OAuthRefused("another provider answered than the one that was asked", code="issuer_mismatch")
        if answer.error or not answer.code:
            raise OAuthRefused("you were not signed in", code="access_denied", hint="Try again, or sign in otherwise.")
        token = await oauth.id_token(client, answer.code, taken.verifier)
        claims = await self._claims(client, jwks_url, token, taken.details["nonce"])
        row = await self._db.write(lambda connection: _user(connection, version.app_id, claims))
        return row, str(taken.details["to"])

    async def _claims(self, client: Client, jwks_url: str, token: str, nonce: str) -> Claims:
        """What an ID token says, if it is from this provider, for this gateway, and for this sign-in (§3.1.3.7)."""
        keys = await self._jwks(client, jwks_url, anew=False)
        found = _verified(client, token, keys, nonce)
        if found is None:  # keys change: those that are published now may be others
            found = _verified(client, token, await self._jwks(client, jwks_url, anew=True), nonce)
        if found is None:
            raise ProviderFailed(f"what {client.name} says of you cannot be trusted", code="invalid_id_token")
        subject = f"{client.provider.issuer}|{found['sub']}"
        if len(subject) > _LONGEST_SUBJECT:
            raise ProviderFailed(f"{client.name} names you in too many words", code="invalid_id_token")
        return Claims(subject, _email(found))

    async def _jwks(self, client: Client, url: str, *, anew: bool) -> dict[str, Any]:
        known = self._keys.get(url)
        if known is None or anew or known[0] < time.monotonic():
            known = self._keys[url] = (time.monotonic() + _KEPT_SECONDS, await oauth.document(client, url))
        return known[1]

    async def _client(self, name: str) -> tuple[Client, str]:
        """This gateway as a provider knows it, and where the provider's keys are. Raises NotFound, ProviderFailed."""
        if name not in self._providers:
            raise NotFound("there is no such way to sign in", code="provider_not_found")
        known = self._published.get(name)
        if known is None or known[0] < time.monotonic():
            client, jwks_url = await self._discover(name)
            known = self._published[name] = (time.monotonic() + _KEPT_SECONDS, client, jwks_url)
        return known[1], known[2]

    async def _discover(self, name: str) -> tuple[Client, str]:
        """What a provider says of itself (OpenID Connect Discovery §4)."""
        configured, secret = self._providers[name]
        callback = f"{self._settings.url}/oauth/callback/{name}"
        issuer = configured.issuer
        client = Client(name, Provider("", ""), configured.client_id, secret, callback, self._settings.provider_timeout)
        told = await oauth.document(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        urls = [told.get(key) for key in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if told.get("issuer") != issuer or any(not isinstance(url, str) or endpoint_problem(url) for url in urls):
            raise ProviderFailed(f"{name} does not describe itself as OpenID Connect says", code="invalid_provider")
        methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        provider = Provider(str(urls[0]), str(urls[1]), issuer=issuer, client_auth=method)
        return msgspec.structs.replace(client, provider=provider), str(urls[2])


def _verified(client: Client, token: str, keys: dict[str, Any], nonce: str) -> dict[str, Any] | None:
    """The claims of an ID token; None for one that is not good."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    registry = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": client.provider.issuer},
        aud={"essential": True, "value": client.client_id},
        nonce={"essential": True, "value": nonce},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS).claims  # type: ignore[arg-type]
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    is_for_others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (is_for_others or "azp" in claims) and claims.get("azp") != client.client_id:
        return None
    return claims if isinstance(claims["sub"], str) and claims["sub"] else None


def _email(claims: dict[str, Any]) -> str | None:
    email = claims.get("email")
    if isinstance(email, str) and claims.get("email_verified") is True and len(email) <= 320 and email.isprintable():
        return email.lower()
    return None


def _user(connection: Connection, app_id: str, claims: Claims) -> Row[Any]:
    row = store.app_user(connection, app_id, "openid", claims.subject, claims.email)
    if row.email != claims.email:
        store.change(connection, row.id, email=claims.email)
    return row


def _read(file: Path) -> dict[str, Configured]:
    try:
        found = msgspec.convert(tomllib.loads(file.read_text()), dict[str, Configured])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _unusable(f"{file} cannot be used: {error}") from None
    for name, each in found.items():
        if not re.fullmatch(r"[a-z0-9-]{1,50}", name):
            raise _unusable(f"openid_file: {name!r} is no name for a provider: use a-z, 0-9 and -")
        if problem := endpoint_problem(each.issuer):
            raise _unusable(f"openid_file: issuer of [{name}] {problem}")
    return found


def _secret(name: str, provider: Configured) -> str:
    if provider.client_secret_env:
        return os.environ.get(provider.client_secret_env, "")
    if not provider.client_secret_file:
        return ""
    try:
        return Path(provider.client_secret_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(f"client_secret_file of [{name}] cannot be read: {type(error).__name__}") from None


def _unusable(problem: str) -> ConfigError:
    return ConfigError(problem, code="invalid_setting", hint="docs/users.md shows how it is written.")
