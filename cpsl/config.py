"""Settings, profiles and paths on this machine: one layer that the CLI and the library share.

Precedence, first wins: an argument, the environment (``CAPSULE_…``), ``config.toml``, the default. Everything is read
when it is asked for and never at import, so that one environment variable isolates a test or a second login.
``config.toml`` holds profiles and settings and never a token; it is written whole or not at all, for its owner only.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cpsl import private_files
from cpsl.errors import ConfigError, NotFound

N = TypeVar("N", int, float)
DEFAULT_PROFILE = "local"
"""The profile of this machine's own gateway; used when no other was chosen."""


@dataclass(frozen=True)
class Setting:
    """One row of the settings table. ``type`` turns text into the value and raises ValueError for nonsense."""

    name: str
    type: Callable[[Any], Any]
    default: Any
    help: str

    @property
    def env(self) -> str:
        """The environment variable that overrides it, like ``CAPSULE_GATEWAY_PORT``."""
        return f"CAPSULE_{self.name.upper()}"


def _flag(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
        raise ValueError("is not 1 or 0")
    return text in ("1", "true", "yes", "on")


def _number(kind: type[N], value: Any) -> N:
    try:
        return kind(value)
    except ValueError:
        raise ValueError("is no whole number" if kind is int else "is no number") from None


def _port(value: Any) -> int:
    number = _number(int, value)
    if not 0 <= number <= 65535:
        raise ValueError("is not a port between 0 and 65535")
    return number


def _seconds(value: Any) -> float:
    number = _number(float, value)
    if not 0 < number < float("inf"):
        raise ValueError("is not a positive number of seconds")
    return number


def _count(value: Any) -> int:
    number = _number(int, value)
    if number < 0:
        raise ValueError("is negative")
    return number


def _keyring_mode(value: Any) -> str:
    text = str(value).strip().lower()
    if text not in ("auto", "on", "off"):
        raise ValueError("is not auto, on or off")
    return text


def _origin(value: Any) -> str:
    text = str(value).strip().rstrip("/")
    if text and (not _is_plain(text) or urlsplit(text).path):
        raise ValueError("is not of the form https://HOST or https://HOST:PORT")
    return text


def _smtp_tls(value: Any) -> str:
    text = str(value).strip().lower()
    if text not in ("starttls", "tls", "none"):
        raise ValueError("is not starttls, tls or none")
    return text


_ROWS = (
    Setting("gateway_host", str, "127.0.0.1", "Address that the gateway listens on."),
    Setting("gateway_port", _port, 1980, "Port that the gateway listens on."),
    Setting("public_url", _origin, "", "Where browsers reach the gateway; its own host and port, if empty."),
    Setting("data_dir", str, "", "Where the gateway keeps its data; the platform's own place, if empty."),
    Setting("database_url", str, "", "PostgreSQL URL of the gateway's store; a file in the data directory, if empty."),
    Setting("providers_file", str, "", "TOML file with other OAuth endpoints, as docs/integrations.md shows."),
    Setting("sign_in_file", str, "", "TOML file with OpenID providers to sign in at, as docs/sign-in.md shows."),
    Setting("provider_timeout", _seconds, 10.0, "Seconds that an OAuth provider may take to answer."),
    Setting("smtp_host", str, "", "Mail server that sends the mails of apps; they are in the gateway's log, if empty."),
    Setting("smtp_port", _port, 587, "Port of the mail server."),
    Setting("smtp_user", str, "", "User of the mail server, if it wants one."),
    Setting("smtp_password_file", str, "", "File with that user's password."),
    Setting("smtp_from", str, "", "Address that mails of apps come from."),
    Setting("smtp_tls", _smtp_tls, "starttls", "How the mail server is talked to: starttls, tls or none."),
    Setting("behind_proxy", _flag, False, "A proxy in front of the gateway says who asks (X-Forwarded-For)."),
    Setting("turn_timeout", _seconds, 900.0, "Seconds that an app may take to answer one message."),
    Setting("keep_versions", _count, 10, "How many versions of an app the gateway keeps, besides the live one."),
    Setting("keyring", _keyring_mode, "auto", "Keep tokens in the system's keyring: auto, on or off."),
    Setting("keyring_timeout", _seconds, 2.0, "Seconds that the keyring may take for an answer."),
    Setting("allow_http", _flag, False, "Send tokens over plain http to hosts other than this machine."),
    Setting("timeout", _seconds, 60.0, "Seconds that the gateway may take to answer a request."),
    Setting("completion_timeout", _seconds, 0.3, "Seconds that a shell may wait for the names that it completes."),
    Setting("update_check", _flag, False, "Look for a newer version once a day, and say so on a terminal."),
    Setting("max_retries", _count, 3, "How often a request that may be repeated is repeated."),
)

SETTINGS: dict[str, Setting] = {row.name: row for row in _ROWS}
"""The settings table: the reader, ``--help``, the documentation and the tests share it."""

VARIABLES = {
    "CAPSULE_TOKEN": "Token to use, before that of a file or a profile.",
    "CAPSULE_TOKEN_FILE": "File with the token to use, before that of any profile; only its owner may read it.",
    "CAPSULE_GATEWAY_URL": "Gateway to use, before that of the profile.",
    "CAPSULE_PROFILE": "Profile to use, before the active one.",
    "CAPSULE_CONFIG_DIR": "Where config.toml and the token file are.",
    "CAPSULE_STATE_DIR": "Where histories are.",
    "CAPSULE_OUTPUT": "For whom to print: human, agent or json.",
    "CAPSULE_NO_INPUT": "1: never ask.",
    "CAPSULE_NO_TRUNCATE": "1: rows of a table stay whole lines on a terminal that is too narrow for them.",
    "CAPSULE_NO_UPDATE_CHECK": "1: never look for a newer version, whatever the setting update_check says.",
    "CAPSULE_DEBUG": "1: show the traceback behind an error.",
    "NO_COLOR": "Anything: no colour.",
}
"""The environment variables that are no settings, and what each does."""


@dataclass(frozen=True)
class Profile:
    """A named way to a gateway. The token is in ``cpsl.auth.store`` under the profile's name, never here."""

    name: str
    gateway_url: str
    workspace: str = ""
    account: str = ""


@dataclass(frozen=True)
class Config:
    """What ``config.toml`` says. ``keyring_works`` is what the last probe found, None if there was none."""

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    active: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    keyring_works: bool | None = None

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises NotFound (code ``profile_not_found``) that lists those there are."""
        if name in self.profiles:
            return self.profiles[name]
        known = ", ".join(sorted(self.profiles)) or "none"
        raise NotFound(
            f"There is no profile {name!r}; there are: {known}",
            code="profile_not_found",
            hint=f"Run 'capsule login --profile {name}', or choose one of those.",
        )


# --- paths --------------------------------------------------------------------------------------------------------


def config_dir() -> Path:
    """Where ``config.toml`` and the token file are: ``CAPSULE_CONFIG_DIR``, else the platform's place."""
    return _place("CAPSULE_CONFIG_DIR", "user_config_dir")


def state_dir() -> Path:
    """Where histories are: ``CAPSULE_STATE_DIR``, else the platform's place."""
    return _place("CAPSULE_STATE_DIR", "user_state_dir")


def data_dir() -> Path:
    """The gateway's data: the setting ``data_dir``, else the platform's place."""
    chosen = get("data_dir")
    return Path(chosen).expanduser() if chosen else _place("CAPSULE_DATA_DIR", "user_data_dir")


def config_path() -> Path:
    """The file ``config.toml``, whether or not it exists."""
    return config_dir() / "config.toml"


def _place(variable: str, kind: str) -> Path:
    if chosen := os.environ.get(variable):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(getattr(platformdirs, kind)("capsule", appauthor=False))


# --- reading ------------------------------------------------------------------------------------------------------


def get(name: str) -> Any:
    """The value of a setting: environment, then ``config.toml`` [settings], then the default.

    Raises ConfigError (code ``invalid_setting``) that names where an unusable value came from.
    """
    row = SETTINGS[name]
    if os.environ.get(row.env):
        return _typed(row, os.environ[row.env], row.env)
    stored = load().settings
    return _typed(row, stored[name], str(config_path())) if name in stored else row.default


def _typed(row: Setting, value: Any, origin: str) -> Any:
    try:
        return row.type(value)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"The setting {row.name} is {_without_userinfo(str(value))!r}: {error}",
            code="invalid_setting",
            hint=f"It comes from {origin}. {row.help}",
        ) from None


def load() -> Config:
    """``config.toml`` as it is now; an empty Config if there is none. Raises ConfigError if it cannot be read."""
    document = _document()
    works = document.get("keyring_works")
    return Config(
        profiles={name: _profile(name, row) for name, row in _table(document, "profiles").items()},
        active=document.get("active") or None,
        settings=_table(document, "settings"),
        keyring_works=works if isinstance(works, bool) else None,
    )


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise _unusable(f"[{name}] is not a table")
    return table


def _profile(name: str, row: Any) -> Profile:
    if not isinstance(row, dict) or not isinstance(row.get("gateway_url"), str):
        raise _unusable(f"the profile {name!r} has no gateway_url")
    facts = {key: str(row.get(key, "")) for key in ("workspace", "account")}
    return Profile(name, row["gateway_url"], **facts)


def _document() -> dict[str, Any]:
    try:
        return tomllib.loads((private_files.read(config_path(), secret=False) or b"").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unusable(str(error)) from None


def _unusable(why: str) -> ConfigError:
    return ConfigError(
        f"{config_path()} cannot be used: {why}",
        hint="Correct the file, or move it away and run 'capsule login' again.",
    )


# --- writing ------------------------------------------------------------------------------------------------------


def save_profile(profile: Profile, activate: bool = True) -> None:
    """Store a profile under its name; ``activate`` makes it the one that is used from now on."""
    with _changed_document() as document:
        row = {"gateway_url": profile.gateway_url, "workspace": profile.workspace, "account": profile.account}
        document.setdefault("profiles", {})[profile.name] = row
        if activate:
            document["active"] = profile.name


def remove_profile(name: str) -> None:
    """Forget a profile, if it is there. If it was the active one, none is."""
    with _changed_document() as document:
        document.get("profiles", {}).pop(name, None)
        if document.get("active") == name:
            del document["active"]


def activate_profile(name: str) -> None:
    """Use this profile from now on. Raises NotFound if there is none of that name."""
    load().profile(name)
    with _changed_document() as document:
        document["active"] = name


def set_value(name: str, value: Any) -> None:
    """Store a setting in ``config.toml``; None removes it. Raises ConfigError for a value that does not fit."""
    typed = None if value is None else _typed(SETTINGS[name], value, "the argument")
    with _changed_document() as document:
        document.setdefault("settings", {}).pop(name, None)
        if typed is not None:
            document["settings"][name] = typed


def remember_keyring(works: bool) -> None:
    """Remember whether the keyring answered, so that it is not probed again by every command."""
    with _changed_document() as document:
        document["keyring_works"] = works


@contextmanager
def _changed_document() -> Iterator[dict[str, Any]]:
    import tomli_w

    with private_files.locked(config_path()):
        document = _document()
        yield document
        private_files.write(config_path(), tomli_w.dumps(document).encode())


# --- gateway URLs -------------------------------------------------------------------------------------------------


def default_gateway_url() -> str:
    """The URL of this machine's own gateway by its settings."""
    return f"http://127.0.0.1:{get('gateway_port')}"


def check_gateway_url(url: str) -> str:
    """The URL in its one form: scheme, host, port, path without a slash at the end.

    Without a scheme it is https, for this machine http. Raises ConfigError: ``invalid_gateway_url`` for what is no such
    URL, ``insecure_gateway`` for plain http to another machine unless the setting ``allow_http`` is on.
    """
    text = url.strip()
    if "://" not in text:
        text = f"{'http' if is_loopback(f'http://{text}') else 'https'}://{text}"
    text = text.rstrip("/").removesuffix("/api/v1").rstrip("/")
    if not _is_plain(text):
        raise ConfigError(
            f"{_without_userinfo(url)!r} is not a gateway's URL",
            code="invalid_gateway_url",
            hint="Use one like https://gateway.example.com, without user name, query or fragment.",
        )
    if text.startswith("http://") and not is_loopback(text) and not get("allow_http"):
        raise ConfigError(
            f"{text} is plain http: the token could be read on the way",
            code="insecure_gateway",
            hint="Use https, or set CAPSULE_ALLOW_HTTP=1 if the network between is yours.",
        )
    return text


def is_loopback(url: str) -> bool:
    """Whether the host of a URL is this machine itself."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0  # asking for the port also checks it
    except ValueError:
        return False
    forbidden = parts.query or parts.fragment or "@" in parts.netloc or not url.isascii()
    printable = url.isprintable() and " " not in url
    return bool(usable and printable and parts.scheme in ("http", "https") and parts.hostname and not forbidden)


def _without_userinfo(url: str) -> str:
    """A URL for a message: what stands before ``@`` may be a password."""
    return url if "@" not in url else f"…@{url.rpartition('@')[2]}"
