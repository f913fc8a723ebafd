"""How data is printed: as a table, as JSON, names only, for agents; and who may be asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from capsule_cli import fields, output
from tests.cli.conftest import Live, Run
from tests.cli.inside import run
from tests.cli.terminal import Terminal

NOBODY = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [
        (["--json"], ["--json=*"]),
        (["--json", "name"], ["--json=name"]),
        (["--json", "name,url"], ["--json=name,url"]),
        (["--json=name"], ["--json=name"]),
        (["--json", "hello"], ["--json=*", "hello"]),
        (["--json", "-q"], ["--json=*", "-q"]),
        (["hello", "--json"], ["hello", "--json=*"]),
        (["--json", "a,b"], ["--json=a,b"]),
        (["--", "--json", "name"], ["--", "--json", "name"]),
    ],
)
def test_which_word_belongs_to_json(arguments: list[str], understood: list[str]) -> None:
    assert fields.joined(arguments, "app list") == understood


def test_fields_are_picked_in_the_order_asked_for(live: Live) -> None:
    done = live.run("app", "list", "--json", "live_version,name")
    assert [list(app) for app in json.loads(done.stdout)] == [["live_version", "name"]] * len(json.loads(done.stdout))
    assert {"live_version": 1, "name": "talker"} in json.loads(done.stdout)


@pytest.mark.parametrize("wanted", ["nix", "name,nix", "", ","])
def test_a_field_that_is_not_there_is_refused_with_those_that_are(capsule: Run, wanted: str) -> None:
    done = capsule("app", "list", f"--json={wanted}")
    assert done.returncode == 2
    assert "live_version" in json.loads(done.stderr)["error"]["hint"]


def test_an_app_may_stand_behind_json(live: Live) -> None:
    done = live.run("app", "get", "--json", "talker")
    assert json.loads(done.stdout)["name"] == "talker"


def test_names_only(live: Live) -> None:
    done = live.run("app", "list", "-q")
    assert "talker" in done.stdout.splitlines()
    assert not done.stderr


@pytest.mark.parametrize("cell", ["日本語", "🎉 party", "two\nlines\tand tabs", "\x1b[31mred\x07", "turned\u202eround"])
def test_columns_stand_under_each_other_and_nothing_steers_the_terminal(cell: str) -> None:
    head, plain, strange = output.align([["A", "B"], ["plain", "b"], [cell, "b"]])
    assert output.width(head) == output.width(plain) == output.width(strange)
    assert not {"\x1b", "\x07", "\u202e", "\n", "\t"} & set(strange)


def test_json_by_the_environment(live: Live) -> None:
    done = Live(live.env | {"CAPSULE_OUTPUT": "json"}, live.folder).run("app", "get", "nothing")
    assert json.loads(done.stderr)["error"]["code"] == "app_not_found"
    assert done.returncode == 3


@pytest.mark.parametrize("variable", ["CLAUDECODE", "CODEX_SANDBOX", "GEMINI_CLI"])
def test_agents_get_rows_with_tabs(live: Live, variable: str) -> None:
    done = Live(live.env | {variable: "1"}, live.folder).run("app", "list")
    head, *rows = done.stdout.splitlines()
    assert head.split("\t") == ["NAME", "VERSION", "STATE", "URL", "UPDATED"]
    assert ["talker", "v1"] in [row.split("\t")[:2] for row in rows]


def test_an_output_that_there_is_not_is_refused(capsule: Run) -> None:
    done = capsule("app", "list", env={"CAPSULE_OUTPUT": "xml"})
    assert done.returncode == 2
    assert "human, agent, json" in done.stderr


@pytest.mark.parametrize("flag", ["--no-input", "CAPSULE_NO_INPUT"])
def test_asking_can_be_switched_off_and_the_error_says_so(terminal_of: Callable[..., Terminal], flag: str) -> None:
    flags, env = ([flag], {}) if flag.startswith("--") else ([], {flag: "1"})
    shown = terminal_of("fs", "delete", "nix", *flags, env=env)
    shown.wait_for("asking is off")
    shown.wait_for("--yes")
    assert shown.exit_code() == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_streams_that_are_not_utf_8_get_ascii(live: Live, encoding: str) -> None:
    env = live.env | {"PYTHONIOENCODING": encoding, "CAPSULE_CONFIG_DIR": str(live.folder / encoding)}
    done = Live(env, live.folder).run("secret", "create", "--help", alone=True)
    assert done.returncode == 0
    env = live.env | {"PYTHONIOENCODING": encoding}
    done = Live(env, live.folder).run("secret", "create", "ASCII=1", "--force", alone=True)
    assert "* Secret ASCII " in done.stderr


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"CLICOLOR": "0"}, False),
        ({"CAPSULE_OUTPUT": "agent"}, False),
        ({"CLAUDECODE": "1"}, False),
        ({"CLAUDECODE": "1", "CAPSULE_OUTPUT": "human"}, True),
        ({"CAPSULE_OUTPUT": ""}, True),
    ],
)
def test_colour_on_a_terminal(terminal: Callable[..., Terminal], env: dict[str, str], coloured: bool) -> None:
    shown = terminal("app", "list", env={"NO_COLOR": ""} | env)
    shown.wait_for("Error:")
    shown.exit_code()
    # A line that says what is waited for may be there, and is wiped: to wipe (``\x1b[2K``) is no colour.
    assert (re.search(r"\x1b\[[0-9;]*m", shown.screen) is not None) is coloured


def test_no_colour_in_a_pipe_unless_it_is_forced(capsule: Run) -> None:
    assert "\x1b[" not in capsule("app", "list", env={"NO_COLOR": ""}).stderr
    assert "\x1b[" in capsule("app", "list", env={"NO_COLOR": "", "CLICOLOR_FORCE": "1"}).stderr
    assert "\x1b[" not in capsule("app", "list", "--no-color", env={"CLICOLOR_FORCE": "1"}).stderr


@pytest.mark.parametrize("topic", ["exit-codes", "environment", "output"])
def test_help_topics(capsule: Run, topic: str) -> None:
    assert len(capsule("help", topic).stdout.splitlines()) > 5


def test_help_of_a_command_by_its_words(capsule: Run) -> None:
    assert capsule("help", "secret", "create").stdout == capsule("secret", "create", "--help").stdout
    assert capsule("help").stdout == capsule("--help").stdout
    assert capsule("help", "nix").returncode == 2


def test_rows_stay_whole_on_a_narrow_terminal_if_that_is_wanted(terminal_of: Callable[..., Terminal]) -> None:
    blocks = terminal_of("app", "list", columns=40)
    assert blocks.exit_code() == 0
    assert "NAME:" in blocks.screen
    rows = terminal_of("app", "list", "--no-truncate", columns=40)
    assert rows.exit_code() == 0
    assert "NAME:" not in rows.screen
    assert re.search(r"NAME +VERSION +STATE +URL +UPDATED", rows.screen)


@pytest.mark.parametrize("flag", ["--no-input", "--no-color", "--no-truncate"])
def test_a_flag_with_a_value_is_told_that_it_takes_none(capsule: Run, flag: str) -> None:
    done = capsule("app", "list", f"{flag}=1")
    assert done.returncode == 2
    assert f"{flag} takes no value" in done.stderr


def test_a_field_that_there_is_not_is_said_where_it_can_be_nothing_else(home: dict[str, str]) -> None:
    done = run(["app", "list", "--json", "nmae"], home)
    assert done.code == 2
    assert "There is no field 'nmae'" in done.err
    assert "live_version" in done.err
