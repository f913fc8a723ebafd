"""What there is to complete, the same for every shell."""

from __future__ import annotations

from typing import NamedTuple

from capsule_cli import reference, tree
from cpsl import config

FILES = "files"
"""Not a kind of name: the shell's own files."""

KINDS = ("apps", "channels", "filesystems", "goals", "places", "profiles", "secrets", "sessions", "users", "versions")
"""What ``capsule __complete`` knows: names, ids of sessions and users, versions of an app, paths, goals."""

CHOICE = "one of "
"""How a kind begins that is a choice among words, which follow with blanks between."""

_OF_ARGUMENTS = {
    "APP": ("apps",),
    "FILE.py:SYMBOL": (FILES,),
    "FILE... NAME:/PATH": (FILES, f"{FILES}+places"),
    "NAME[:/PATH]": ("places",),
    "NAME:/PATH": ("places",),
    "NAME:/PATH [FILE]": ("places", FILES),
    "ID": ("sessions",),
    "USER": ("users",),
    "VERSION": ("versions",),
}
_OF_NOUNS = {"secret": "secrets", "fs": "filesystems", "channel": "channels", "auth": "profiles"}
_OF_CONFIG = CHOICE + " ".join(config.SETTINGS)
_OF_VALUES = {
    "--profile": "profiles",
    "--channel": "channels",
    "--session": "sessions",
    "--version": "versions",
    "--for": "goals",
    "--confirm": "",
    "FILE": FILES,
    "DIR": FILES,
}


class Row(NamedTuple):
    """A command: its words, its summary, its options with what their values are, what each of its arguments is."""

    words: str
    summary: str
    options: tuple[tuple[str, str, str], ...]
    """Each: the option, its help, the kind of its value; ``-`` where it has none, empty where nobody knows it."""
    arguments: tuple[str, ...]
    """The kind of each, or kinds with ``+`` between; empty where nobody knows it."""
    repeated: bool
    """Whether the last of them may come more than once."""


def top() -> list[tuple[str, str]]:
    """The words at the top, with their help."""
    return [(name, entry.help) for name, entry in tree.COMMANDS.items()]


def verbs() -> dict[str, list[tuple[str, str]]]:
    """The verbs of each noun, with their help."""
    nouns = reference.nouns()
    found: dict[str, list[tuple[str, str]]] = {noun: [] for noun in nouns}
    every = {command.words: command.summary for command in reference.commands()} | nouns
    for words, help in every.items():
        noun, _, verb = words.rpartition(" ")
        if noun:
            found[noun].append((verb, help))
    return found


def deep() -> list[str]:
    """The nouns that stand below another one."""
    return [noun for noun in reference.nouns() if " " in noun]


def rows() -> list[Row]:
    """All commands."""
    return [
        Row(
            command.words,
            command.summary,
            tuple(_options(command)),
            tuple(_arguments(command)),
            bool(command.arguments) and command.arguments[-1].repeated,
        )
        for command in reference.commands()
    ]


def _options(command: reference.Command) -> list[tuple[str, str, str]]:
    return [(name, each.help, _kind(each)) for each in command.options for name in each.names] + [
        ("--help", "Show the help.", "-")
    ]


def valued() -> list[str]:
    """Every option that takes a value wherever it is there: the word behind it is none of the command."""
    found = [(name, kind) for row in rows() for name, _, kind in row.options]
    flags = {name for name, kind in found if kind == "-"}
    return sorted({name for name, kind in found if kind != "-"} - flags)


def _kind(option: reference.Option) -> str:
    if not option.value or option.names[0] == "--json":
        return "-"
    name = option.names[0]
    return _OF_VALUES[name] if name in _OF_VALUES else _OF_VALUES.get(option.value) or _choice(option.value)


def _choice(metavar: str) -> str:
    words = metavar.split("|")
    return CHOICE + " ".join(words) if len(words) > 1 and all(word.islower() for word in words) else ""


def _arguments(command: reference.Command) -> list[str]:
    noun, _, verb = command.words.rpartition(" ")
    found: list[str] = []
    for each in command.arguments:
        if each.name == "NAME" and not found and noun and verb != "create":
            found.append(_OF_CONFIG if noun == "config" else _OF_NOUNS.get(noun, ""))
        else:
            found += _OF_ARGUMENTS.get(each.name, (_choice(each.name),))
    return found
