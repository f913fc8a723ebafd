"""What each command prints as JSON: the fields that ``--json name,state`` may ask for.

One table for the parser, the documentation and the tests. A value names a struct of ``cpsl.wire`` as ``module:Struct``,
which is imported only when somebody asks for fields, or the fields themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capsule_cli.errors import UsageError

ALL = "*"
"""What ``--json`` alone asks for."""

_RESOURCES, _APPS, _TURNS = "cpsl.wire.resources:", "cpsl.wire.apps:", "cpsl.wire.turns:"
_USER = "cpsl.wire.users:User"
_DELETED = ("name", "deleted")
_SETTING = ("name", "value", "origin", "help")
_PLAN = ("folder", "entry", "files", "size", "packages", "secrets", "missing", "commands")
_STATUS = (
    "logged_in",
    "valid",
    "gateway_url",
    "profile",
    "token_source",
    "token_kept_in",
    "hidden_profile",
    "account",
    "role",
    "workspace",
    "gateway_version",
    "isolation",
    "expires_at",
    "error",
    "exit_code",
)

FIELDS: dict[str, str | tuple[str, ...]] = {
    "app delete": _DELETED,
    "app deploys": "cpsl.wire.deployments:Deployment",
    "app get": f"{_APPS}App",
    "app list": f"{_APPS}App",
    "app restart": f"{_APPS}Restarted",
    "app rollback": f"{_APPS}RolledBack",
    "app users delete": ("id", "deleted"),
    "app users disable": _USER,
    "app users enable": _USER,
    "app users list": _USER,
    "app versions": f"{_APPS}Version",
    "auth list": ("name", "gateway_url", "account", "workspace", "active", "token_kept_in"),
    "auth switch": ("profile", "gateway_url", "account"),
    "channel create": f"{_RESOURCES}Channel",
    "channel delete": _DELETED,
    "channel info": f"{_RESOURCES}Channel",
    "channel list": f"{_RESOURCES}Channel",
    "chat": ("text", "session_id", "request_id", "replies"),
    "completion": ("shell", "path", "script"),
    "config get": _SETTING,
    "config list": _SETTING,
    "config set": _SETTING,
    "config unset": _SETTING,
    "create": ("path", "app", "template", "files"),
    "deploy": ("app", "version", "deployment_id", "url", *_PLAN),
    "doctor": ("name", "state", "detail", "fix"),
    "fs create": f"{_RESOURCES}FileSystem",
    "fs delete": _DELETED,
    "fs download": ("path", "saved", "unchanged", "size"),
    "fs list": f"{_RESOURCES}FileSystem",
    "fs ls": f"{_RESOURCES}Entry",
    "fs mkdir": ("path",),
    "fs mv": ("source", "path"),
    "fs rm": ("path", "deleted"),
    "fs show": ("id", "name", "created_at", "path", "is_folder", "size", "modified_at", "etag", "sha256"),
    "fs upload": ("path", "size", "sha256", "stored", "unchanged", "skipped"),
    "gateway start": ("url", "pid", "version", "started_at", "isolation"),
    "gateway status": ("running", "ready", "data_dir", "url", "pid", "version", "started_at", "isolation"),
    "gateway stop": ("stopped",),
    "login": ("profile", "gateway_url", "account", "workspace", "token_kept_in"),
    "logout": ("logged_out", "revoked"),
    "logs": f"{_APPS}LogLine",
    "open": ("app", "url"),
    "quickstart": ("app", "version", "url", "text", "session_id", "request_id", "replies"),
    "secret create": f"{_RESOURCES}SecretsStored",
    "secret delete": ("name", "deleted", "restarted"),
    "secret update": f"{_RESOURCES}SecretsStored",
    "secret list": f"{_RESOURCES}Secret",
    "skill": ("words", "section", "help", "arguments", "options", "examples", "fields", "aliases"),
    "serve": ("event", "app", "version", "url", "seconds", "error"),
    "session delete": ("id", "deleted"),
    "session list": f"{_TURNS}Session",
    "session rename": ("id", "title"),
    "session show": f"{_TURNS}Session",
    "status": _STATUS,
    "wait": ("app", "for", "reached", "detail"),
}


def of(command: str) -> tuple[str, ...]:
    """The fields that a command (``secret list``) prints; none if it prints no JSON."""
    known = FIELDS.get(command) or FIELDS.get(command.removeprefix("auth "), ())
    if isinstance(known, tuple):
        return known
    from importlib import import_module

    module, _, struct = known.partition(":")
    found: tuple[str, ...] = getattr(import_module(module), struct).__struct_fields__
    return found


def joined(arguments: Sequence[str], command: str, *, takes_words: bool = True) -> list[str]:
    """The arguments with the value of ``--json`` joined to it, so that the parser cannot take it for another.

    ``--json name,state`` has its fields in the next word, ``--json hello`` has not: that is the name of an app. A word
    is one of fields when it has a comma, or is a field of this command, or when the command takes no other words.
    """
    done: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*done, word, *rest]
        if word == "--json":
            are_fields = rest and (_are_fields(rest[0], command) or not (takes_words or rest[0].startswith("-")))
            word += f"={rest.pop(0) if are_fields else ALL}"
        done.append(word)
    return done


def _are_fields(word: str, command: str) -> bool:
    return not word.startswith("-") and ("," in word or word in of(command))


def check(chosen: str, command: str) -> str:
    """``chosen`` as it was given. Raises UsageError for a field that the command does not print."""
    known = of(command)
    unknown = [name for name in chosen.split(",") if name not in known]
    if chosen != ALL and unknown:
        raise UsageError(
            f"There is no field {unknown[0]!r} in what {command} prints", hint=f"Fields: {', '.join(known)}"
        )
    return chosen


def pick(value: Any, chosen: str) -> Any:
    """Only the chosen fields of an object, or of each object in a list, in the order that was asked for."""
    if chosen == ALL:
        return value
    if isinstance(value, list):
        return [pick(item, chosen) for item in value]
    return {name: value.get(name) for name in chosen.split(",")}
