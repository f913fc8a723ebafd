"""``AsyncClient`` is ``Client`` with await: the same names, parameters, defaults and documentation."""

import inspect
from operator import attrgetter
from types import ModuleType

import pytest

from capsule_cli import reference
from cpsl.client import AsyncClient, Client, async_nouns, nouns
from tests.support import twins

NOUNS = ["Apps", "Channels", "Connections", "Deploys", "FileSystems", "Secrets", "Sessions", "Tokens", "Turns", "Users"]


def public(kind: type) -> dict[str, object]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


def parameters(function: object) -> list[tuple[str, object, object]]:
    assert callable(function)
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def nouns_in(module: ModuleType) -> list[str]:
    return sorted(
        name for name, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
    )


def test_the_blocking_half_is_what_is_made_of_the_async_one() -> None:
    stale = [path.name for path, text in twins.made().items() if path.read_text() != text]
    assert stale == [], "run: python -m tests.support.twins"


def test_the_same_nouns() -> None:
    assert nouns_in(nouns) == nouns_in(async_nouns) == sorted([*NOUNS, "_Noun"])
    one, other = Client("cps_x", "http://localhost"), AsyncClient("cps_x", "http://localhost")
    attributes = {name: type(value).__name__ for name, value in vars(one).items() if not name.startswith("_")}
    assert attributes == {name: type(value).__name__ for name, value in vars(other).items() if not name.startswith("_")}
    assert sorted(attributes.values()) == NOUNS
    one.close()


@pytest.mark.parametrize(
    ("blocking", "awaited"),
    [(Client, AsyncClient), *((getattr(nouns, name), getattr(async_nouns, name)) for name in NOUNS)],
    ids=["Client", *NOUNS],
)
def test_the_same_methods(blocking: type, awaited: type) -> None:
    assert list(public(blocking)) == list(public(awaited))
    assert parameters(blocking) == parameters(awaited)
    for name, method in public(blocking).items():
        twin = public(awaited)[name]
        assert inspect.getdoc(method)
        if callable(method):
            assert parameters(method) == parameters(twin)
            assert inspect.getdoc(method) == twins.blocking(inspect.getdoc(twin) or "")


def test_what_yields_is_not_awaited_and_all_else_is() -> None:
    for kind in (AsyncClient, *(getattr(async_nouns, name) for name in NOUNS)):
        for name, method in public(kind).items():
            if inspect.isfunction(method):
                yields = "AsyncIterator" in str(inspect.signature(method).return_annotation)
                assert inspect.iscoroutinefunction(method) is not yields, name


# --- what the command line can do ---------------------------------------------------------------------------------

HERE_ONLY = (
    "create", "status", "doctor", "completion", "skill", "help", "login", "logout", "auth list", "auth switch",
    "auth login", "auth logout", "auth status", "config list", "config get", "config set", "config unset",
    "gateway start", "gateway stop", "gateway status", "gateway logs",
)  # fmt: skip
"""Commands about this machine and who is logged in on it: ``cpsl.config``, ``cpsl.auth`` and ``cpsl.client.login``."""

CALLS = {
    "quickstart": "deploys.stream", "serve": "deploys.stream", "deploy": "deploys.stream", "chat": "stream",
    "logs": "apps.follow_logs", "open": "get_app", "wait": "apps.get", "app list": "apps.list", "app get": "apps.get",
    "app versions": "apps.versions", "app deploys": "deploys.list",
    "app rollback": "apps.rollback", "app restart": "apps.restart",
    "app delete": "apps.delete", "app users list": "users.list", "app users disable": "users.disable",
    "app users enable": "users.enable", "app users delete": "users.delete",
    "secret create": "secrets.create", "secret update": "secrets.create",
    "secret list": "secrets.list", "secret delete": "secrets.delete", "session list": "sessions.list",
    "session show": "sessions.messages", "session delete": "sessions.delete", "session rename": "sessions.update",
    "fs create": "filesystems.create",
    "fs list": "filesystems.list", "fs delete": "filesystems.delete", "fs show": "filesystems.stat",
    "fs ls": "filesystems.entries", "fs upload": "filesystems.upload", "fs download": "filesystems.download",
    "fs cat": "filesystems.download", "fs mkdir": "filesystems.make_folder", "fs mv": "filesystems.move_file",
    "fs rm": "filesystems.delete_file", "channel create": "channels.create", "channel list": "channels.list",
    "channel info": "channels.get", "channel delete": "channels.delete", "auth token": "tokens.create",
}  # fmt: skip


def test_every_command_is_a_call_of_the_client() -> None:
    assert {command.words for command in reference.commands()} == {*CALLS, *HERE_ONLY}
    with Client("cps_x", "http://localhost") as client:
        for path in CALLS.values():
            assert callable(attrgetter(path)(client)), path
