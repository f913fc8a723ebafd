"""Who you are to a gateway, and how you prove it."""

from __future__ import annotations

import msgspec


class Bootstrap(msgspec.Struct, omit_defaults=True):
    """The 0600 file by which the owner of the machine proves that they own its gateway."""

    gateway_url: str
    bootstrap_secret: str

    def __repr__(self) -> str:
        return f"Bootstrap(gateway_url={self.gateway_url!r}, bootstrap_secret=[secure])"


class LocalLogin(msgspec.Struct, omit_defaults=True):
    """``POST /auth/local``: the content of the bootstrap file, for a token of the owner."""

    bootstrap_secret: str
    name: str = ""


class TokenCreate(msgspec.Struct, omit_defaults=True):
    """``POST /tokens``: ``expires_in`` seconds (never, if absent); ``account_id`` for an account that you own."""

    name: str = ""
    expires_in: int | None = None
    account_id: str | None = None


class Token(msgspec.Struct, omit_defaults=True):
    """A token as it may be listed: never the token itself. Times in seconds since the epoch."""

    id: str
    name: str
    account_id: str
    created_at: float
    scopes: list[str] = []
    expires_at: float | None = None
    last_used_at: float | None = None


class NewToken(msgspec.Struct):
    """A token just made: the only time that it is shown."""

    access_token: str
    token: Token
    workspace: str
    token_type: str = "Bearer"

    def __repr__(self) -> str:
        return f"NewToken(access_token=[secure], token={self.token!r})"


class TokenList(msgspec.Struct):
    """``GET /tokens``."""

    tokens: list[Token]


class AccountCreate(msgspec.Struct, omit_defaults=True):
    """``POST /accounts``: someone else who may use this gateway; ``workspace`` names theirs (yours, if absent)."""

    email: str
    workspace: str | None = None


class Account(msgspec.Struct, omit_defaults=True):
    """Someone with tokens. ``role`` is ``owner`` (of the gateway) or ``member``."""

    id: str
    email: str
    role: str
    workspace: str


NO_ISOLATION = "this gateway was started with --isolation none: apps can read and change all that it can itself"
"""What is said about such a gateway, every time."""


class Me(msgspec.Struct):
    """``GET /me``: who this token is, and to which gateway; ``isolation`` is how it keeps apps apart, or ``none``."""

    account: Account
    token: Token
    workspace: str
    gateway_version: str
    isolation: str = "namespaces"


class DeviceCode(msgspec.Struct):
    """RFC 8628 §3.2, the device authorization response. Times in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int

    def __repr__(self) -> str:
        return f"DeviceCode(device_code=[secure], user_code={self.user_code!r})"


class DeviceToken(msgspec.Struct):
    """RFC 8628 §3.5, the device access token response."""

    access_token: str
    token_type: str
    workspace: str

    def __repr__(self) -> str:
        return f"DeviceToken(access_token=[secure], workspace={self.workspace!r})"


class OAuthError(msgspec.Struct, omit_defaults=True):
    """RFC 6749 §5.2, the error that token endpoints answer with."""

    error: str
    error_description: str = ""
