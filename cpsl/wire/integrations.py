"""Integrations: the table of those we know, and credentials as they reach the app."""

from __future__ import annotations

import hashlib
import ipaddress
from urllib.parse import urlsplit

import msgspec

from cpsl.wire.events import PromptField

SECRET_FORMS: dict[str, tuple[PromptField, ...]] = {
    "aws": (
        PromptField("access_key_id", "Access key ID", secret=False),
        PromptField("secret_access_key", "Secret access key"),
        PromptField("region", "Region", secret=False),
    ),
    "tailscale": (PromptField("auth_key", "Auth key"),),
}
"""Integrations that are a form, and its fields."""

TITLES = {
    "aws": "AWS",
    "gcal": "Google Calendar",
    "gdrive": "Google Drive",
    "github": "GitHub",
    "gmail": "Gmail",
    "google": "Google",
    "linear": "Linear",
    "outlook": "Outlook",
    "tailscale": "Tailscale",
}
"""How known integrations are called in front of people."""

PROVIDERS = tuple(name for name in TITLES if name not in SECRET_FORMS)
"""The integrations whose OAuth endpoints the gateway knows."""


class Credentials(msgspec.Struct, omit_defaults=True):
    """What a connected integration gives the app. ``expires_at`` in seconds since the epoch, 0 for never."""

    access_token: str = ""
    token_type: str = "Bearer"
    scopes: list[str] = []
    expires_at: float = 0
    fields: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Credentials(access_token=[secure], scopes={self.scopes!r}, fields={{{', '.join(self.fields)}}})"


def digest(access_token: str, fields: dict[str, str]) -> str:
    """A SHA-256 (hex) that tells credentials apart."""
    return hashlib.sha256(msgspec.json.encode([access_token, fields], order="sorted")).hexdigest()


class Connection(msgspec.Struct, omit_defaults=True):
    """What a user has connected, without what it gives. Times in seconds since the epoch.

    ``account`` is whose it is at the provider, where that is known; ``scopes`` were granted, ``missing_scopes`` were
    asked for and not. One that ``needs_reconnect`` is of no use any more: its provider refused to renew it.
    """

    integration: str
    title: str
    mode: str
    account: str = ""
    scopes: list[str] = []
    missing_scopes: list[str] = []
    connected_at: float = 0
    needs_reconnect: bool = False


class ConnectionList(msgspec.Struct):
    """``GET /app/{app}/connections``: what you have connected, by name."""

    connections: list[Connection]


def endpoint_problem(url: str) -> str:
    """What is wrong with the URL of an OAuth endpoint, or nothing: https, to this machine also http (RFC 9700 §2.6)."""
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0  # asking for the port also checks it
    except ValueError:
        usable = None
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        return "is not a URL"
    if "@" in parts.netloc or parts.fragment:
        return "has a user name or a fragment in it"
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(str(parts.hostname))):
        return "does not begin with https://"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def title(integration: str) -> str:
    """The name of an integration for people, like ``GitHub``."""
    return TITLES.get(integration, integration)


def form_fields(integration: str, declared: list[str]) -> list[PromptField]:
    """The fields of a secret form: those the app declared, else those we know."""
    known = {field.name: field for field in SECRET_FORMS.get(integration, ())}
    if not declared:
        return list(known.values())
    return [known.get(name) or PromptField(name, name.replace("_", " ").capitalize()) for name in declared]
