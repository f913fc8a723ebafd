"""OAuth 2.0 as a client: the authorization code flow with PKCE (RFC 6749, RFC 7636), renewal and revocation (RFC 7009).

Authlib does the protocol. Its answers are read with care here: providers answer with HTML, with an error and the
status 200, with numbers as text, and with scopes between spaces, between commas or as a list.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import time
import warnings
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cpsl.errors import CapsuleError, ProviderFailed
from cpsl.gateway.integrations.providers import Provider
from cpsl.wire.integrations import Credentials

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

log = logging.getLogger("cpsl.gateway.integrations")
_ACCOUNT_SECONDS = 3.0
_MARGIN_SECONDS = 60.0
_LONGEST_TOKEN = 64 * 1024
_NAMES = ("email", "preferred_username", "login", "name")


class OAuthRefused(CapsuleError):
    """The provider said no: to this code, or to renew a token. The user has to connect again."""

    default_code = "oauth_refused"
    default_status = 400


class Client(msgspec.Struct, frozen=True):
    """An app as a provider knows it. The provider has ``timeout`` seconds to answer. The repr leaves out the secret."""

    name: str
    provider: Provider
    client_id: str
    client_secret: str
    redirect_uri: str
    timeout: float

    def __repr__(self) -> str:
        return f"Client({self.name!r})"


class Grant(Credentials, omit_defaults=True):
    """What a provider gave, as it is kept: the app gets no ``refresh_token``. ``asked``: the scopes asked for."""

    refresh_token: str = ""
    asked: list[str] = []
    account: str = ""

    def __repr__(self) -> str:
        return f"Grant(scopes={self.scopes!r})"

    def has(self, scopes: set[str]) -> bool:
        """Whether it is for all of ``scopes``: granted, or refused by a person who was asked."""
        return bool(self.fields) or scopes <= {*self.scopes, *self.asked}

    @property
    def missing(self) -> list[str]:
        """The scopes that were asked for and not granted."""
        return [scope for scope in self.asked if scope not in self.scopes]

    @property
    def credentials(self) -> Credentials:
        """The part of it that is the app's."""
        return Credentials(self.access_token, self.token_type, self.scopes, self.expires_at, self.fields)


def expires_soon(credentials: Credentials) -> bool:
    """Whether they are good for less than a minute, if at all."""
    return bool(credentials.expires_at) and credentials.expires_at - time.time() < _MARGIN_SECONDS


def authorization_url(client: Client, scopes: list[str], state: str, verifier: str) -> str:
    """Where a person agrees, or not. ``verifier`` is what the challenge (S256) is made of."""
    challenge = {"code_verifier": verifier, "scope": client.provider.separator.join(scopes) or None}
    url, _ = _client(client).create_authorization_url(
        client.provider.authorize_url, state=state, **challenge, **client.provider.parameters
    )
    return str(url)


async def exchange(client: Client, scopes: list[str], code: str, verifier: str) -> Grant:
    """Tokens for a code. Raises OAuthRefused, ProviderFailed."""
    async with talking(client) as session:
        token = await session.fetch_token(
            client.provider.token_url, grant_type="authorization_code", code=code, code_verifier=verifier
        )
    grant = _grant(client, token, scopes, Grant(scopes=scopes))
    grant.account = _named(_claims(token)) or await _account(client, grant)
    return grant


async def renew(client: Client, old: Grant) -> Grant:
    """Tokens for a refresh token; the same one stays good unless another comes. Raises OAuthRefused, ProviderFailed."""
    async with talking(client) as session:
        token = await session.refresh_token(client.provider.token_url, refresh_token=old.refresh_token)
    grant = _grant(client, token, old.asked, old)
    grant.account = old.account
    return grant


async def revoke(client: Client, grant: Grant) -> None:
    """Tell the provider that a grant is over. Raises OAuthRefused, ProviderFailed."""
    kind = "refresh_token" if grant.refresh_token else "access_token"
    async with talking(client) as session:
        answer = await session.revoke_token(
            client.provider.revoke_url, token=getattr(grant, kind), token_type_hint=kind
        )
        answer.raise_for_status()


async def get_json(client: Client, url: str, access_token: str = "") -> dict[str, Any]:
    """The JSON object at a URL of the provider. Raises ProviderFailed."""
    headers = {"Accept": "application/json"}
    if access_token:
        headers["Authorization"] = f"Bearer {access_token}"
    async with talking(client) as session:
        answer = await session.request("GET", url, headers=headers, withhold_token=True)  # its ``get`` takes no such
        found = answer.raise_for_status().json()
    if not isinstance(found, dict):
        raise _failed(client, "answered with something that is no JSON object")
    return found


def _client(client: Client) -> AsyncOAuth2Client:
    import authlib.deprecate  # it sets a filter for its warnings, which ours has to come after

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)  # httpx is the one we have
        from authlib.integrations.httpx_client import AsyncOAuth2Client
    method = client.provider.client_auth if client.client_secret else "none"
    return AsyncOAuth2Client(
        client.client_id,
        client.client_secret or None,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        redirect_uri=client.redirect_uri,
        code_challenge_method="S256",
        timeout=client.timeout,
    )


@contextlib.asynccontextmanager
async def talking(client: Client) -> AsyncIterator[AsyncOAuth2Client]:
    """A client for one conversation. What goes wrong in it is told without anything that was sent or answered."""
    import httpx
    from authlib.common.errors import AuthlibBaseError

    try:
        async with asyncio.timeout(client.timeout), _client(client) as session:
            yield session
    except AuthlibBaseError as error:
        raise _refused(client, error.error) from None
    except TimeoutError:
        raise _failed(client, f"did not answer within {client.timeout:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _failed(client, f"could not be talked to ({type(error).__name__})") from None
    except (ValueError, TypeError, RecursionError):
        raise _failed(client, "answered with something that is no token") from None


def _refused(client: Client, code: str | None) -> CapsuleError:
    """The error for an OAuth error (RFC 6749 §5.2). Only a grant that is no good is for the user to do again."""
    log.warning("%s refused: %s", client.name, ascii(code)[:100])
    if code in ("invalid_grant", "bad_verification_code", "bad_refresh_token"):  # the others: GitHub
        return OAuthRefused(f"{client.name} refused, and has to be connected again")
    return _failed(client, "does not accept this app, or cannot answer now")


def _failed(client: Client, how: str) -> ProviderFailed:
    log.warning("%s %s", client.name, how)
    return ProviderFailed(f"{client.name} {how}", hint="Try again in a moment.")


def _grant(client: Client, token: Mapping[str, Any], asked: list[str], before: Grant) -> Grant:
    """What an answer says; what it leaves out is as before (RFC 6749 §5.1, §6)."""
    access, refresh = token.get("access_token"), token.get("refresh_token") or before.refresh_token
    kind = token.get("token_type") or "Bearer"
    if not all(isinstance(each, str) and len(each) <= _LONGEST_TOKEN for each in (access, refresh, kind)) or not access:
        raise _failed(client, "answered with something that is no token")
    return Grant(
        access_token=access,
        token_type=kind,
        scopes=_scopes(token.get("scope"), before.scopes),
        expires_at=_expiry(token.get("expires_in")),
        refresh_token=refresh,
        asked=asked,
    )


def _scopes(given: Any, before: list[str]) -> list[str]:
    if isinstance(given, str):
        given = given.replace(",", " ").split()
    if not isinstance(given, list):
        return before
    return [scope for scope in given if isinstance(scope, str)]


def _expiry(seconds: Any) -> float:
    try:
        left = float(seconds)
    except (TypeError, ValueError):
        return 0
    return time.time() + left if 0 < left < 1e10 else 0


def _claims(token: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an ID token says, unverified: it is only shown, and came straight from the provider."""
    try:
        payload = str(token.get("id_token", "")).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


async def _account(client: Client, grant: Grant) -> str:
    """Whose account it is, where the provider tells; nothing fails because it does not."""
    if not client.provider.account_url:
        return ""
    with contextlib.suppress(CapsuleError, TimeoutError):
        async with asyncio.timeout(_ACCOUNT_SECONDS):
            return _named(await get_json(client, client.provider.account_url, grant.access_token))
    return ""


def _named(facts: Mapping[str, Any]) -> str:
    found = (str(facts[name]) for name in _NAMES if facts.get(name))
    return "".join(mark for mark in next(found, "") if mark.isprintable())[:320]
