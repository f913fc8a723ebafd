"""What a provider says: where it is (OpenID Connect Discovery 1.0), and who signed in (Core 1.0, §3.1.3.7)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, NamedTuple

import msgspec

from cpsl.errors import CapsuleError, ProviderFailed
from cpsl.gateway.integrations import oauth
from cpsl.gateway.integrations.oauth import Client, OAuthRefused
from cpsl.gateway.integrations.providers import Provider
from cpsl.gateway.people.openid.providers import OpenIdProvider
from cpsl.gateway.users.addresses import normalised
from cpsl.gateway.users.forms import FormError
from cpsl.wire.integrations import endpoint_problem

SCOPES = ["openid", "email"]
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Those by which only the provider can sign: none with a secret that others have, and not ``none``."""
_LEEWAY_SECONDS = 60
_LONGEST_SUBJECT = 255
_EMAIL_SECONDS = 3.0


class Metadata(msgspec.Struct):
    """A provider's ``/.well-known/openid-configuration``, as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])
    authorization_response_iss_parameter_supported: bool = False


class Person(NamedTuple):
    """Who signed in: ``subject`` is theirs at this provider for ever; of ``email`` the provider says it is theirs."""

    subject: str
    email: str | None


def client(known: OpenIdProvider, metadata: Metadata | None, url: str, timeout: float, **parameters: str) -> Client:
    """This gateway, as a provider knows it; its ``url`` is the gateway's. Without ``metadata`` only for discovery."""
    is_basic = metadata is None or "client_secret_basic" in metadata.token_endpoint_auth_methods_supported
    provider = Provider(
        metadata.authorization_endpoint if metadata else "",
        metadata.token_endpoint if metadata else "",
        issuer=known.issuer,
        parameters=parameters,
        client_auth="client_secret_basic" if is_basic else "client_secret_post",
    )
    callback = f"{url}/oauth/callback/{known.name}"
    return Client(known.title, provider, known.client_id, known.client_secret, callback, timeout)


async def discover(asking: Client) -> Metadata:
    """Where a provider's endpoints are. Raises ProviderFailed, also for those of somebody else."""
    found = await oauth.get_json(asking, f"{asking.provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    try:
        metadata = msgspec.convert(found, Metadata)
    except msgspec.ValidationError:
        raise _failed(asking, "does not say where it is") from None
    if metadata.issuer != asking.provider.issuer:
        raise _failed(asking, "says that it is another issuer")
    endpoints = [metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri]
    endpoints += [metadata.userinfo_endpoint] if metadata.userinfo_endpoint else []
    if any(endpoint_problem(each) for each in endpoints):
        raise _failed(asking, "has endpoints that are not safe")
    return metadata


async def identify(asking: Client, metadata: Metadata, code: str, verifier: str, nonce: str) -> Person:
    """Who a code stands for. Raises OAuthRefused (``invalid_id_token``), ProviderFailed."""
    async with oauth.talking(asking) as session:
        tokens = await session.fetch_token(
            metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
        )
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
    keys = await oauth.get_json(asking, metadata.jwks_uri)
    claims = _verified(asking, id_token, keys, nonce)
    email = claims if "email" in claims else await _userinfo(asking, metadata, access_token, claims["sub"])
    return Person(claims["sub"], _email(email))


def _verified(asking: Client, id_token: Any, keys: dict[str, Any], nonce: str) -> dict[str, Any]:
    """The claims of an ID token that is the provider's, for this gateway and this very sign-in, and still good."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        key_set = KeySet.import_key_set({"keys": [key for key in keys["keys"] if _signs(key)]})
        token = jwt.decode(str(id_token), key_set, algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": asking.provider.issuer},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(token.claims)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise _no_proof(asking) from None
    subject = token.claims.get("sub")
    if (
        not _is_for(asking.client_id, token.claims)
        or not isinstance(subject, str)
        or not 0 < len(subject) <= _LONGEST_SUBJECT
    ):
        raise _no_proof(asking)
    return token.claims


def _signs(key: Any) -> bool:
    return isinstance(key, dict) and key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig"


def _is_for(client_id: str, claims: dict[str, Any]) -> bool:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp", client_id if len(named) == 1 else None)
    return client_id in named and bool(party == client_id)


async def _userinfo(asking: Client, metadata: Metadata, access_token: Any, subject: str) -> dict[str, Any]:
    """What the provider tells of a person besides; nobody is kept out because it does not."""
    if not metadata.userinfo_endpoint or not isinstance(access_token, str):
        return {}
    with contextlib.suppress(CapsuleError, TimeoutError):
        async with asyncio.timeout(_EMAIL_SECONDS):
            found = await oauth.get_json(asking, metadata.userinfo_endpoint, access_token)
        return found if found.get("sub") == subject else {}
    return {}


def _email(claims: dict[str, Any]) -> str | None:
    """The address that a provider says is theirs; some write ``"true"``."""
    if claims.get("email_verified") not in (True, "true") or not isinstance(claims.get("email"), str):
        return None
    try:
        return normalised(claims["email"])
    except FormError:
        return None


def _failed(asking: Client, how: str) -> ProviderFailed:
    return ProviderFailed(f"{asking.name} {how}", hint="Try again in a moment.")


def _no_proof(asking: Client) -> OAuthRefused:
    return OAuthRefused(f"{asking.name} did not prove who you are", code="invalid_id_token", hint="Sign in again.")
