"""Which token goes to which gateway, and where each came from.

First wins: the argument (of the command line, ``--token-file``); ``CAPSULE_TOKEN``; ``CAPSULE_TOKEN_FILE``; the chosen
profile, of ``CAPSULE_PROFILE`` or the active one; the profile ``local``. A profile's token only ever goes to that
profile's gateway, so a changed URL cannot carry it off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cpsl import config, private_files
from cpsl.auth import store
from cpsl.errors import ConfigError, NotLoggedIn


@dataclass(frozen=True)
class Credentials:
    """A token, the gateway it is for, the ``profile`` (if any) and ``source``: where the token came from."""

    token: str = field(repr=False)
    gateway_url: str
    profile: str | None
    source: str


def resolve(token: str | None = None, gateway_url: str | None = None, profile: str | None = None) -> Credentials:
    """The credentials to use now.

    Raises NotLoggedIn when there is no token for the gateway, NotFound when the chosen profile does not exist, and
    ConfigError for an unusable token, URL or file (code ``insecure_gateway`` for plain http to another machine).
    """
    # A profile asked for by name is nearer than what lies in the environment.
    around: Mapping[str, str] = {} if profile else os.environ
    url = gateway_url or around.get("CAPSULE_GATEWAY_URL")
    if token is not None:
        return _given(token, "argument", url, profile)
    if lying := around.get("CAPSULE_TOKEN"):
        return _given(lying, "environment variable CAPSULE_TOKEN", url, profile)
    if path := around.get("CAPSULE_TOKEN_FILE"):
        return _given(_in_file(path), f"file {path}", url, profile)
    return _stored(_chosen_profile(profile), url)


def from_environment() -> str | None:
    """The variable that gives a token and so goes before every login; None if none does."""
    return next((name for name in ("CAPSULE_TOKEN", "CAPSULE_TOKEN_FILE") if os.environ.get(name)), None)


def token_name(profile: str) -> str:
    """The name under which the store keeps the token of a profile."""
    return f"token:{profile}"


def _chosen_profile(name: str | None) -> config.Profile | None:
    loaded = config.load()
    if explicit := name or os.environ.get("CAPSULE_PROFILE"):
        return loaded.profile(explicit)
    if loaded.active in loaded.profiles:
        return loaded.profiles[str(loaded.active)]
    return loaded.profiles.get(config.DEFAULT_PROFILE)


def _given(token: str, source: str, url: str | None, profile: str | None) -> Credentials:
    """Token and URL given are enough: then no config is read, so none has to exist."""
    if not url:
        chosen = _chosen_profile(profile)
        url = chosen.gateway_url if chosen else config.default_gateway_url()
    return Credentials(_checked(token, source), config.check_gateway_url(url), None, source)


def _in_file(path: str) -> str:
    """The token in a file that only its owner may read, as ``ssh`` wants its keys."""
    try:
        content = private_files.read(Path(path).expanduser().resolve())
        if content is not None:
            return content.decode()
    except (OSError, UnicodeDecodeError):
        pass
    raise ConfigError(
        f"The token file {path} cannot be read", code="no_token", hint="It comes from CAPSULE_TOKEN_FILE."
    )


def _stored(profile: config.Profile | None, url: str | None) -> Credentials:
    if profile is None:
        raise _not_logged_in(url)
    ours = config.check_gateway_url(profile.gateway_url)
    found = store.read(token_name(profile.name))
    if found is None or (url and config.check_gateway_url(url) != ours):
        raise _not_logged_in(url)
    value, where = found
    source = f"{'keyring' if where == store.KEYRING else f'file {where}'} (profile {profile.name})"
    return Credentials(_checked(value, source), ours, profile.name, source)


def _not_logged_in(url: str | None) -> NotLoggedIn:
    if url is None:
        return NotLoggedIn("You are not logged in", hint="Run 'capsule login', or set CAPSULE_TOKEN.")
    clean = config.check_gateway_url(url)
    return NotLoggedIn(
        f"There is no token for {clean}", hint=f"Run 'capsule login --gateway {clean}', or set CAPSULE_TOKEN."
    )


def _checked(token: str, source: str) -> str:
    """Whatever is not printable ASCII cannot be a token, and would break the header that carries it."""
    clean = token.strip()
    if clean and clean.isascii() and clean.isprintable() and " " not in clean:
        return clean
    raise ConfigError(
        f"The token from {source} is empty or holds characters that no token has",
        code="invalid_token",
        hint="Copy the token again, whole and without quotes.",
    )
