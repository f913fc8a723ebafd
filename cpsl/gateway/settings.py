"""What the operator of a gateway may choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL

from cpsl import config
from cpsl.wire.apps import MAX_BUNDLE_BYTES

_STORED = (
    "public_url",
    "database_url",
    "providers_file",
    "provider_timeout",
    "sign_in_file",
    "smtp_host",
    "smtp_port",
    "smtp_user",
    "smtp_password_file",
    "smtp_from",
    "smtp_tls",
    "behind_proxy",
    "turn_timeout",
    "keep_versions",
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The choices of one gateway.

    ``host`` and ``port`` to listen on; ``data_dir`` holds everything that it keeps; ``database_url`` (SQLAlchemy)
    replaces the SQLite file in it; ``public_url`` is how browsers reach it, when that differs from host and port.
    ``isolation`` of runtimes: ``namespaces``, or ``none`` as an explicit choice. Times in seconds, sizes in bytes.
    ``providers_file``: TOML with other OAuth endpoints than the known ones, as ``integrations/providers.py`` says.
    ``sign_in_file``: TOML with OpenID providers for people of apps, as ``people/openid/providers.py`` says.
    ``keep_versions``: how many versions of an app are kept for a rollback, besides the live one.
    ``smtp_…``: the server that sends the mails to people of apps. ``behind_proxy``: the address of a client is what the
    proxy in front says last (X-Forwarded-For).
    The repr leaves ``database_url`` out: it may hold a password.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 1980
    public_url: str = ""
    database_url: str = ""
    providers_file: str = ""
    sign_in_file: str = ""
    provider_timeout: float = 10.0
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password_file: str = ""
    smtp_from: str = ""
    smtp_tls: str = "starttls"
    behind_proxy: bool = False
    isolation: str = "namespaces"
    drain_timeout: float = 10.0
    start_timeout: float = 30.0
    idle_timeout: float = 60.0
    turn_timeout: float = 900.0
    keep_versions: int = 10
    heartbeat: float = 15.0
    max_bundle_bytes: int = MAX_BUNDLE_BYTES
    max_file_bytes: int = 5 * 1024**3
    max_prompt_file_bytes: int = 512 * 1024**2

    def __repr__(self) -> str:
        return f"Settings(data_dir={str(self.data_dir)!r}, host={self.host!r}, port={self.port})"

    @property
    def url(self) -> str:
        """Where browsers reach this gateway: what links, cookies and redirects are made for."""
        return self.public_url or self.own_url

    @property
    def own_url(self) -> str:
        """Where this machine reaches it, past any proxy."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        reachable = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104
        return f"http://{reachable}:{self.port}"

    @property
    def database(self) -> str | URL:
        """The SQLAlchemy URL of the store."""
        return self.database_url or URL.create("sqlite", database=str(self.data_dir / "capsule.db"))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("127.0.0.1", "::1", "localhost")


def configured(data_dir: Path, **chosen: Any) -> Settings:
    """The settings of a gateway that starts: what was ``chosen`` for this start, else what the user's settings say.

    Raises ConfigError.
    """
    stored = {name: config.get(name) for name in _STORED}
    return Settings(data_dir=data_dir, **(stored | chosen))
