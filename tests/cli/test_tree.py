"""The whole tree of commands: help with an example, ``--json`` and ``--yes`` where they belong, no typo left alone."""

from __future__ import annotations

from typing import Any

import pytest

from capsule_cli import fields, tree
from tests.cli.conftest import Run


def leaves() -> dict[str, Any]:
    """Every command that does something, by its words."""
    found: dict[str, Any] = {}
    for name in tree.COMMANDS:
        found |= leaves_of(name, tree.load(name))
    return found


def leaves_of(words: str, command: Any) -> dict[str, Any]:
    """The same, of one command and what is below it."""
    found: dict[str, Any] = {}
    for verb, below in getattr(command, "commands", {}).items():
        found |= leaves_of(f"{words} {verb}", below)
    return found or {words: command}


LEAVES = leaves()
NO_JSON = {"help", "fs cat", "auth token", "gateway logs"}
ASKING = {"deploy", "session delete", "app delete", "app users delete", "fs delete", "fs rm", "channel delete"}
LOCAL = {
    "help",
    "completion",
    "skill",
    "create",
    "quickstart",
    *(words for words in LEAVES if words.startswith(("gateway ", "config "))),
}


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_explains_itself_with_an_example(words: str) -> None:
    command = LEAVES[words]
    assert command.help
    assert f"capsule {words}" in command.epilog or words.partition(" ")[2] in command.epilog


@pytest.mark.parametrize("words", LEAVES)
def test_what_may_be_left_out_is_in_brackets_once(words: str) -> None:
    assert not [each.name for each in LEAVES[words].params if (each.metavar or "").startswith("[")]


@pytest.mark.parametrize("group", sorted({words.rpartition(" ")[0] for words in LEAVES if " " in words}))
def test_the_help_of_a_group_cuts_no_sentence_off(capsule: Run, group: str) -> None:
    _, _, commands = capsule(*group.split(), "--help").stdout.partition("Commands:")
    assert commands
    assert "..." not in commands


@pytest.mark.parametrize("words", sorted(set(LEAVES) - NO_JSON))
def test_every_command_that_prints_data_prints_json(words: str) -> None:
    assert "--json" in options(LEAVES[words])


@pytest.mark.parametrize("words", sorted(set(LEAVES) - NO_JSON))
def test_what_it_prints_is_declared(words: str) -> None:
    assert fields.of(words)


def test_nothing_is_declared_that_no_command_prints() -> None:
    assert set(fields.FIELDS) <= set(LEAVES)


@pytest.mark.parametrize("words", sorted(words for words in LEAVES if words.endswith(" list")))
def test_every_list_prints_names_only(words: str) -> None:
    assert {"--quiet", "-q"} <= options(LEAVES[words])


@pytest.mark.parametrize("words", sorted(set(LEAVES) - LOCAL))
def test_every_command_that_talks_to_a_gateway_takes_a_profile(words: str) -> None:
    assert "--profile" in options(LEAVES[words])


@pytest.mark.parametrize("words", sorted(ASKING))
def test_every_command_that_asks_takes_yes(words: str) -> None:
    assert {"--yes", "-y"} <= options(LEAVES[words])


def test_the_table_says_what_the_command_says() -> None:
    for name, entry in tree.COMMANDS.items():
        assert entry.help.endswith("."), name
        assert tree.load(name) is not None


def test_help_lists_every_command_and_the_exit_codes(capsule: Run) -> None:
    done = capsule("--help")
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in tree.COMMANDS)
    assert "130 interrupted" in done.stdout


@pytest.mark.parametrize("words", [[], ["secret"], ["fs", "upload"]])
def test_help_of_each_level(capsule: Run, words: list[str]) -> None:
    done = capsule(*words, "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout or words == ["secret"]
    assert not done.stderr


def test_no_arguments_show_the_help_and_fail(capsule: Run) -> None:
    done = capsule()
    assert done.returncode == 2
    assert "Every day" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("chta", "chat"),
        ("secrets", "secret"),
        ("deplyo", "deploy"),
        ("whoami", "status"),
        ("rollback", "app rollback"),
    ],
)
def test_a_typo_gets_the_word_that_was_meant(capsule: Run, typed: str, meant: str) -> None:
    done = capsule(typed)
    assert done.returncode == 2
    assert f"Did you mean '{meant}'?" in done.stderr


def test_a_typo_in_a_verb_too(capsule: Run) -> None:
    done = capsule("secret", "crate")
    assert done.returncode == 2
    assert "create" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["app", "ls"],
        ["app", "show", "x"],
        ["app", "history", "x"],
        ["secret", "ls"],
        ["channel", "ls"],
        ["channel", "show", "x"],
        ["secret", "rm", "X"],
    ],
)
def test_aliases_are_the_commands(capsule: Run, words: list[str]) -> None:
    done = capsule(*words)
    assert done.returncode == 4  # it got as far as asking who we are


def test_usage_errors_are_json_when_json_is_wanted(capsule: Run) -> None:
    import json

    done = capsule("app", "get", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["code"] == "usage"


def test_the_reference_names_the_other_words_for_a_command() -> None:
    from capsule_cli import reference

    aliases = {command.words: command.aliases for command in reference.commands()}
    assert aliases["secret list"] == ("secret ls",)
    assert aliases["secret delete"] == ("secret rm",)
    assert aliases["app versions"] == ("app history",)
    assert aliases["fs list"] == ()  # fs ls is a command of its own
    assert aliases["login"] == ("auth login",)
