"""Where the known providers are, and what is special about each.

An operator replaces endpoints with a TOML file (the setting ``providers_file``): one table for each provider, like
``[github]`` with ``authorize_url``, ``token_url``, ``revoke_url``, ``account_url``, ``issuer``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from cpsl.errors import ConfigError, InvalidRequest
from cpsl.wire.apps import IntegrationSpec
from cpsl.wire.integrations import PROVIDERS, endpoint_problem

_ENDPOINTS = ("authorize_url", "token_url", "revoke_url", "account_url", "issuer")


class Provider(msgspec.Struct, frozen=True):
    """An OAuth 2.0 authorization server.

    ``revoke_url`` as in RFC 7009, ``issuer`` as in RFC 9207. ``parameters`` are sent to ``authorize_url`` besides the
    usual ones; ``separator`` is between scopes there. ``account_url`` tells with a token whose it is, as JSON.
    ``client_auth``: how a client shows its secret (OpenID Connect Core §9).
    """

    authorize_url: str
    token_url: str
    revoke_url: str = ""
    account_url: str = ""
    issuer: str = ""
    parameters: dict[str, str] = {}
    separator: str = " "
    client_auth: str = "client_secret_post"

    def is_from(self, issuer: str) -> bool:
        """Whether an answer that names its ``issuer`` is this provider's; one of unknown name is of its origin."""
        if self.issuer:
            return issuer == self.issuer
        return not endpoint_problem(issuer) and _origin(issuer) == _origin(self.authorize_url)


# https://developers.google.com/identity/protocols/oauth2/web-server: a refresh token comes with offline access only,
# and for somebody who agreed before only when they are asked again.
_GOOGLE = Provider(
    "https://accounts.google.com/o/oauth2/v2/auth",
    "https://oauth2.googleapis.com/token",
    "https://oauth2.googleapis.com/revoke",
    issuer="https://accounts.google.com",
    parameters={"access_type": "offline", "prompt": "consent", "include_granted_scopes": "false"},
)
KNOWN: dict[str, Provider] = {
    **dict.fromkeys(("google", "gmail", "gcal", "gdrive"), _GOOGLE),
    # https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow: no endpoint to revoke a token.
    "outlook": Provider(
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        parameters={"prompt": "select_account"},
    ),
    # https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
    "github": Provider(
        "https://github.com/login/oauth/authorize",
        "https://github.com/login/oauth/access_token",
        account_url="https://api.github.com/user",
    ),
    # https://linear.app/developers/oauth-2-0-authentication
    "linear": Provider(
        "https://linear.app/oauth/authorize",
        "https://api.linear.app/oauth/token",
        "https://api.linear.app/oauth/revoke",
        parameters={"prompt": "consent"},
        separator=",",
    ),
}
"""The table of known providers."""


class Providers:
    """The providers of one gateway: the known ones with an operator's changes, and those that apps declare."""

    def __init__(self, changes: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._known = {**KNOWN, **{name: _changed(name, row) for name, row in (changes or {}).items()}}

    @classmethod
    def configured(cls, file: str) -> Providers:
        """The known ones as the TOML ``file`` changes them, if one is named. Raises ConfigError."""
        return cls(_changes(Path(file).expanduser())) if file else cls()

    def of(self, spec: IntegrationSpec) -> Provider:
        """Where an app's integration signs in. Raises InvalidRequest for endpoints that are not safe."""
        if spec.type in self._known:
            return self._known[spec.type]
        provider = Provider(
            spec.authorize_url,
            spec.token_url,
            spec.revoke_url,
            issuer=spec.issuer,
            client_auth="client_secret_basic",  # the one that every server has to take (RFC 6749 §2.3.1)
        )
        # What an app declares comes out of the app's own process: that it was checked there proves nothing here.
        for name in ("authorize_url", "token_url"):
            if problem := _problem(provider, name):
                raise InvalidRequest(f"{name} of {spec.type!r} {problem}", code="unsafe_endpoint")
        if problem := spec.revoke_url and _problem(provider, "revoke_url"):
            raise InvalidRequest(f"revoke_url of {spec.type!r} {problem}", code="unsafe_endpoint")
        return provider


def _problem(provider: Provider, name: str) -> str:
    return endpoint_problem(getattr(provider, name))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _changes(file: Path) -> dict[str, dict[str, str]]:
    try:
        return msgspec.convert(tomllib.loads(file.read_text()), dict[str, dict[str, str]])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _unusable(f"{file} cannot be used: {error}") from None


def _changed(name: str, changes: Mapping[str, str]) -> Provider:
    """A known provider with other endpoints. Those that are not named belong to another server: they are left out."""
    if name not in PROVIDERS or not set(changes) <= set(_ENDPOINTS):
        raise _unusable(f"providers_file: [{name}] may be one of {', '.join(PROVIDERS)}, with {', '.join(_ENDPOINTS)}")
    if not {"authorize_url", "token_url"} <= set(changes):
        raise _unusable(f"providers_file: [{name}] needs authorize_url and token_url")
    for endpoint, url in changes.items():
        if problem := endpoint_problem(url):
            raise _unusable(f"providers_file: {endpoint} of [{name}] {problem}")
    return msgspec.structs.replace(KNOWN[name], **{**dict.fromkeys(_ENDPOINTS, ""), **changes})


def _unusable(problem: str) -> ConfigError:
    return ConfigError(problem, code="invalid_setting", hint="docs/integrations.md shows how it is written.")
