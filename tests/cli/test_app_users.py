"""``capsule app users``: the people of an app, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Live
from tests.cli.inside import Done, run
from tests.cli.terminal import Terminal


def ask(live: Live, *arguments: str) -> Done:
    return run(["app", "users", *arguments], live.env, str(live.folder), "")


@pytest.fixture
def me(live: Live) -> str:
    """The id that whoever runs the commands has among the people of the app."""
    assert run(["chat", "talker", "hi"], live.env, str(live.folder), "").code == 0
    [user] = [each for each in json.loads(ask(live, "list", "talker", "--json").out) if each["kind"] == "account"]
    return str(user["id"])


def test_a_list_for_people_and_for_programs(live: Live, me: str) -> None:
    done = ask(live, "list", "talker")
    assert done.out.splitlines()[0].split() == ["ID", "E-MAIL", "KIND", "STATE", "SEEN", "CREATED"]
    assert me in done.out
    assert me in ask(live, "ls", "talker", "-q").out.splitlines()
    assert {"id": me, "disabled": False} in json.loads(ask(live, "list", "talker", "--json", "id,disabled").out)
    assert ask(live, "list", "nobody").code == 3


def test_disable_and_enable(live: Live, me: str) -> None:
    done = ask(live, "disable", "talker", me)
    assert (done.code, done.out) == (0, "")
    assert "disabled, and signed out everywhere" in done.err
    refused = run(["chat", "talker", "hi"], live.env, str(live.folder), "")
    assert refused.code != 0
    assert "cannot use this app any more" in refused.err
    assert "disabled" in ask(live, "list", "talker").out
    assert json.loads(ask(live, "enable", "talker", me, "--json").out)["id"] == me
    assert run(["chat", "talker", "hi"], live.env, str(live.folder), "").code == 0


def test_delete_asks_for_yes_where_nobody_can_be_asked(live: Live, me: str) -> None:
    done = ask(live, "delete", "talker", me)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert me in ask(live, "list", "talker", "-q").out
    assert json.loads(ask(live, "rm", "talker", me, "--yes", "--json").out) == {"id": me, "deleted": True}
    assert me not in ask(live, "list", "talker", "-q").out
    gone = ask(live, "delete", "talker", me, "--yes")
    assert gone.code == 3
    assert "capsule app users list talker" in gone.err


def test_delete_asks_a_person(live: Live, me: str, terminal: Callable[..., Terminal]) -> None:
    for answer, code in (("n", 1), ("y", 0)):
        asking = terminal("app", "users", "delete", "talker", me, env=live.env)
        asking.wait_for("This cannot be undone")
        asking.type(f"{answer}\r")
        assert asking.exit_code() == code
    assert me not in ask(live, "list", "talker", "-q").out


@pytest.mark.parametrize("typed", [["app", "users"], ["app", "users", "--help"], ["help", "app", "users"]])
def test_help_of_a_noun_below_a_noun(live: Live, tmp_path: Path, typed: list[str]) -> None:
    done = run(typed, live.env, str(tmp_path), "")
    assert all(f"  {verb} " in done.out + done.err for verb in ("list", "disable", "enable", "delete"))
