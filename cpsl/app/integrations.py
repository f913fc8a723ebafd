"""Integrations: connections of the app's user to other services, and the credentials that come of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from cpsl.app.invalid import invalid
from cpsl.app.secret import Secret
from cpsl.errors import InvalidRequest
from cpsl.wire.apps import IntegrationSpec
from cpsl.wire.integrations import PROVIDERS, SECRET_FORMS, Credentials, digest, endpoint_problem
from cpsl.wire.names import check_resource_name


class Integration(StrEnum):
    """The integrations that Capsule knows by name."""

    GOOGLE = "google"
    GMAIL = "gmail"
    GCAL = "gcal"
    GDRIVE = "gdrive"
    OUTLOOK = "outlook"
    GITHUB = "github"
    LINEAR = "linear"
    TAILSCALE = "tailscale"
    AWS = "aws"


@dataclass(frozen=True)
class IntegrationConfig:
    """A declared integration. ``mode``: ``oauth`` or ``form``; empty: a form where fields are given or known.

    ``client_id`` and ``client_secret`` are references to secrets, never values. A provider that Capsule does not know
    needs ``authorize_url`` and ``token_url``; ``revoke_url`` (RFC 7009) and ``issuer`` (RFC 9207) where it has them.
    Nothing is checked before ``app.add_integration`` takes it.
    """

    type: str
    client_id: Secret | str = ""
    client_secret: Secret | str = ""
    scopes: list[str] = field(default_factory=list)
    fields: list[str] | None = None
    mode: str = ""
    authorize_url: str = ""
    token_url: str = ""
    revoke_url: str = ""
    issuer: str = ""

    def spec(self) -> IntegrationSpec:
        """The integration as it travels. Raises InvalidRequest (a ValueError), with the way out."""
        name = integration_name(self.type)
        if self.is_form:
            return _form_spec(name, self)
        return _oauth_spec(name, self)

    @property
    def is_form(self) -> bool:
        """True when the user fills in a form, false when they sign in with OAuth."""
        mode = "form" if self.mode == "secret" else self.mode  # "secret" is the published word for it
        if mode not in ("", "oauth", "form"):
            raise _invalid(f"mode cannot be {self.mode!r}", 'Use "oauth" or "form", or leave it out')
        return mode == "form" or (not mode and (self.fields is not None or str(self.type) in SECRET_FORMS))


@dataclass(repr=False)
class IntegrationCredentials:
    """What a connected integration gave: a token (OAuth), or the ``fields`` of a form. False when it gave neither.

    ``expires_at`` is in seconds since the epoch, 0 for never. The credentials stay in this object: nothing is put into
    the environment of the process, which other sessions share.
    """

    access_token: str = ""
    token_type: str = "Bearer"
    scopes: list[str] = field(default_factory=list)
    expires_at: float = 0
    fields: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, wire: Credentials) -> IntegrationCredentials:
        """The credentials that came over the link."""
        return cls(wire.access_token, wire.token_type, list(wire.scopes), wire.expires_at, dict(wire.fields))

    @property
    def expires_soon(self) -> bool:
        """Whether the token is good for less than a minute, if at all."""
        return bool(self.expires_at) and self.expires_at - time.time() < 60

    @property
    def digest(self) -> str:
        """Which credentials these are, without what they are."""
        return digest(self.access_token, self.fields)

    def __bool__(self) -> bool:
        return bool(self.access_token or self.fields)

    def __repr__(self) -> str:
        token = "[secure]" if self.access_token else "''"
        names = ", ".join(f"{name}: [secure]" for name in self.fields)
        return f"IntegrationCredentials(access_token={token}, scopes={self.scopes!r}, fields={{{names}}})"


def integration_name(kind: str | Integration | IntegrationConfig) -> str:
    """The name of an integration, however it was given. Raises InvalidRequest for what cannot be one."""
    name = kind.type if isinstance(kind, IntegrationConfig) else kind
    return check_resource_name(str(name) if isinstance(name, Integration) else name, "integration")


# The constructors are named like classes because apps write them like classes: cpsl.GitHub(client_id=…).


def Google(
    *, client_id: Secret | str, client_secret: Secret | str, scopes: list[str] | None = None
) -> IntegrationConfig:
    """Google by OAuth."""
    return IntegrationConfig(Integration.GOOGLE, client_id, client_secret, list(scopes or []))


def Gmail(
    *, client_id: Secret | str, client_secret: Secret | str, scopes: list[str] | None = None
) -> IntegrationConfig:
    """Gmail by OAuth."""
    return IntegrationConfig(Integration.GMAIL, client_id, client_secret, list(scopes or []))


def GoogleCalendar(
    *, client_id: Secret | str, client_secret: Secret | str, scopes: list[str] | None = None
) -> IntegrationConfig:
    """Google Calendar by OAuth."""
    return IntegrationConfig(Integration.GCAL, client_id, client_secret, list(scopes or []))


def GoogleDrive(
    *, client_id: Secret | str, client_secret: Secret | str, scopes: list[str] | None = None
) -> IntegrationConfig:
    """Google Drive by OAuth."""
    return IntegrationConfig(Integration.GDRIVE, client_id, client_secret, list(scopes or []))


def GitHub(
    *, client_id: Secret | str, client_secret: Secret | str, scopes: list[str] | None = None
) -> IntegrationConfig:
    """GitHub by OAuth."""
    return IntegrationConfig(Integration.GITHUB, client_id, client_secret, list(scopes or []))


def Linear(
    *, client_id: Secret | str, client_secret: Secret | str, scopes: list[str] | None = None
) -> IntegrationConfig:
    """Linear by OAuth."""
    return IntegrationConfig(Integration.LINEAR, client_id, client_secret, list(scopes or []))


def Outlook(
    *, client_id: Secret | str, client_secret: Secret | str, scopes: list[str] | None = None
) -> IntegrationConfig:
    """Outlook by OAuth. ``offline_access`` is added to the scopes: without it there is no refresh."""
    wanted = list(scopes or [])
    offline = [] if "offline_access" in wanted else ["offline_access"]
    return IntegrationConfig(Integration.OUTLOOK, client_id, client_secret, wanted + offline)


def AWS() -> IntegrationConfig:
    """AWS by a form: ``access_key_id``, ``secret_access_key``, ``region``."""
    return IntegrationConfig(Integration.AWS)


def Tailscale(*, advertise_tags: bool = False) -> IntegrationConfig:
    """Tailscale by a form: ``auth_key``, and ``advertise_tags`` if wanted."""
    fields = ["auth_key", "advertise_tags"] if advertise_tags else None
    return IntegrationConfig(Integration.TAILSCALE, fields=fields)


def _form_spec(name: str, config: IntegrationConfig) -> IntegrationSpec:
    if config.client_id or config.client_secret or config.scopes or any(_endpoints(config).values()):
        raise _invalid(
            f"client_id, client_secret, scopes and URLs make no sense for {name!r}, which is a form",
            f'Leave them out: app.add_integration("{name}")',
        )
    fields = _texts(config.fields or [], "fields")
    if not fields and name not in SECRET_FORMS:
        raise _invalid(
            f"The form {name!r} has no fields",
            f'Name what the user has to fill in: app.add_integration("{name}", fields=["api_key"])',
        )
    return IntegrationSpec(name, "form", fields=[_field_name(field) for field in fields])


def _oauth_spec(name: str, config: IntegrationConfig) -> IntegrationSpec:
    if config.fields:
        raise _invalid(f"{name!r} has fields and mode='oauth'", "Leave out either")
    endpoints = _checked_endpoints(name, config)
    has_secret = config.client_secret or not endpoints  # with endpoints of its own it may be public (RFC 8252 §8.4)
    spec = IntegrationSpec(
        name,
        "oauth",
        client_id=_secret_name(name, "client_id", config.client_id),
        client_secret=_secret_name(name, "client_secret", config.client_secret) if has_secret else "",
        scopes=_texts(config.scopes, "scopes"),
    )
    return msgspec.structs.replace(spec, **endpoints)


def _endpoints(config: IntegrationConfig) -> dict[str, str]:
    names = ("authorize_url", "token_url", "revoke_url", "issuer")
    return {name: getattr(config, name) for name in names}


def _checked_endpoints(name: str, config: IntegrationConfig) -> dict[str, str]:
    given = {parameter: url for parameter, url in _endpoints(config).items() if url}
    if name in PROVIDERS and given:
        raise _invalid(f"Capsule knows where {name!r} is", "Leave the URLs out, or choose another name")
    if name not in PROVIDERS and not {"authorize_url", "token_url"} <= set(given):
        raise _invalid(
            f"{name!r} is no integration that Capsule knows",
            f"Use one of {', '.join(sorted([*PROVIDERS, *SECRET_FORMS]))}; give authorize_url=… and token_url=…; "
            "or declare a form of your own with fields=[…]",
        )
    for parameter, url in given.items():
        if problem := endpoint_problem(url) if isinstance(url, str) else "is no text":
            raise _invalid(f"{parameter} {problem}", f'Write it like {parameter}="https://acme.example/oauth"')
    return given


def _secret_name(name: str, parameter: str, value: Secret | str) -> str:
    # What is no Secret may be the credential itself: it is neither kept nor shown.
    if isinstance(value, Secret):
        return value.name
    problem = f"has a plain string as {parameter}" if value else f"needs {parameter}"
    raise _invalid(
        f"The integration {name!r} {problem}",
        f'Store it with `capsule secret create` and pass {parameter}=cpsl.Secret.from_name("NAME")',
    )


def _texts(values: Iterable[str], parameter: str) -> list[str]:
    items = [] if isinstance(values, str) else list(values)
    if isinstance(values, str) or not all(isinstance(item, str) and item.strip() for item in items):
        raise _invalid(f"{parameter} must be a list of text", f'Write it like {parameter}=["one", "two"]')
    if len(set(items)) < len(items):
        raise _invalid(f"{parameter} names something twice", "Name each once")
    return items


def _field_name(name: str) -> str:
    if name.isidentifier() and len(name) <= 64:
        return name
    raise _invalid(f"A field cannot be called {name!r}", "Use letters, digits and underscores, like 'api_key'")


def _invalid(problem: str, hint: str) -> InvalidRequest:
    return invalid(problem, hint, "invalid_integration")
