"""Integrations: the table of those we know, and credentials as they reach the app."""

from __future__ import annotations

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


class Credentials(msgspec.Struct, omit_defaults=True):
    """What a connected integration gives the app. ``expires_at`` in seconds since the epoch, 0 for never."""

    access_token: str = ""
    token_type: str = "Bearer"
    scopes: list[str] = []
    expires_at: float = 0
    fields: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Credentials(access_token=[secure], scopes={self.scopes!r}, fields={{{', '.join(self.fields)}}})"


def title(integration: str) -> str:
    """The name of an integration for people, like ``GitHub``."""
    return TITLES.get(integration, integration)


def form_fields(integration: str, declared: list[str]) -> list[PromptField]:
    """The fields of a secret form: those the app declared, else those we know."""
    known = {field.name: field for field in SECRET_FORMS.get(integration, ())}
    if not declared:
        return list(known.values())
    return [known.get(name) or PromptField(name, name.replace("_", " ").capitalize()) for name in declared]
