"""Where people of apps may sign in, as the operator's TOML file says (the setting ``sign_in_file``).

One table for each provider, whose name is part of URLs: ``[corp]`` with ``issuer`` and ``client_id``, the client's
secret as ``client_secret_file`` or ``client_secret_env``, and what the button says as ``title``.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import msgspec

from cpsl.errors import ConfigError, NotFound
from cpsl.wire.integrations import endpoint_problem

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LONGEST_ISSUER = 140


class OpenIdProvider(msgspec.Struct, frozen=True):
    """A provider, and this gateway as its client. The repr leaves out the secret."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OpenIdProvider({self.name!r}, {self.issuer!r})"


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    issuer: str
    client_id: str
    client_secret_file: str = ""
    client_secret_env: str = ""
    title: str = ""


class OpenIdProviders:
    """Those of one gateway, in the order of the file."""

    def __init__(self, known: list[OpenIdProvider]) -> None:
        self._known = {each.name: each for each in known}

    @classmethod
    def configured(cls, file: str) -> OpenIdProviders:
        """Those of the TOML ``file``, if one is named. Raises ConfigError."""
        tables = _read(Path(file).expanduser()) if file else {}
        return cls([_provider(name, table) for name, table in tables.items()])

    @property
    def all(self) -> list[OpenIdProvider]:
        """All of them."""
        return list(self._known.values())

    def get(self, name: str) -> OpenIdProvider:
        """One, by name. Raises NotFound."""
        if name not in self._known:
            raise NotFound(f"nobody signs in with {name[:80]!r} here", code="unknown_sign_in")
        return self._known[name]


def _read(file: Path) -> dict[str, _Table]:
    try:
        return msgspec.convert(tomllib.loads(file.read_text()), dict[str, _Table])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _unusable(f"{file} cannot be used: {error}") from None


def _provider(name: str, table: _Table) -> OpenIdProvider:
    if not _NAME.fullmatch(name):
        raise _unusable(f"sign_in_file: [{name}] is no name: use a-z, 0-9 and -, 40 at most")
    if problem := endpoint_problem(table.issuer):
        raise _unusable(f"sign_in_file: issuer of [{name}] {problem}")
    if len(table.issuer) > _LONGEST_ISSUER or not table.client_id:
        raise _unusable(
            f"sign_in_file: [{name}] needs a client_id, and an issuer of {_LONGEST_ISSUER} characters at most"
        )
    return OpenIdProvider(name, table.title or name.title(), table.issuer, table.client_id, _secret(name, table))


def _secret(name: str, table: _Table) -> str:
    """The client's secret; empty for a client that has none, which PKCE protects all the same."""
    if table.client_secret_env:
        if not os.environ.get(table.client_secret_env):
            raise _unusable(f"sign_in_file: [{name}] names the variable {table.client_secret_env}, which is not set")
        return os.environ[table.client_secret_env]
    if not table.client_secret_file:
        return ""
    try:
        return Path(table.client_secret_file).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(f"sign_in_file: client_secret_file of [{name}] cannot be read: {error}") from None


def _unusable(problem: str) -> ConfigError:
    return ConfigError(problem, code="invalid_setting", hint="docs/sign-in.md shows how it is written.")
