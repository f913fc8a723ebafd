"""What there is to complete, the same for every shell."""

from __future__ import annotations

from typing import NamedTuple

from capsule_cli import reference, tree

FILES = "files"
"""Not a kind of name: the shell's own files."""

KINDS = ("apps", "channels", "filesystems", "profiles", "secrets")
"""What ``capsule __complete`` knows the names of."""

_OF_ARGUMENTS = {
    "APP": "apps",
    "FILE.py:SYMBOL": FILES,
    "FILE... NAME:/PATH": FILES,
    "NAME[:/PATH]": "filesystems",
    "NAME:/PATH": "filesystems",
    "NAME:/PATH [FILE]": "filesystems",
}
_OF_NOUNS = {"secret": "secrets", "fs": "filesystems", "channel": "channels"}
_OF_VALUES = {"--profile": "profiles", "--channel": "channels", "FILE": FILES, "DIR": FILES}


class Row(NamedTuple):
    """A command: its words, its summary, its options with what their values are, what its first argument is."""

    words: str
    summary: str
    options: tuple[tuple[str, str, str], ...]
    """Each: the option, its help, the kind of its value; ``-`` where it has none, empty where nobody knows it."""
    argument: str


def top() -> list[tuple[str, str]]:
    """The words at the top, with their help."""
    return [(name, entry.help) for name, entry in tree.COMMANDS.items()]


def verbs() -> dict[str, list[tuple[str, str]]]:
    """The verbs of each noun, with their help."""
    found: dict[str, list[tuple[str, str]]] = {noun: [] for noun in reference.nouns()}
    for command in reference.commands():
        noun, _, verb = command.words.partition(" ")
        if verb:
            found[noun].append((verb, command.summary))
    return found


def rows() -> list[Row]:
    """All commands."""
    return [
        Row(command.words, command.summary, tuple(_options(command)), _argument(command))
        for command in reference.commands()
    ]


def _options(command: reference.Command) -> list[tuple[str, str, str]]:
    return [(name, each.help, _kind(each)) for each in command.options for name in each.names] + [
        ("--help", "Show the help.", "-")
    ]


def _kind(option: reference.Option) -> str:
    if not option.value or option.names[0] == "--json":
        return "-"
    return _OF_VALUES.get(option.names[0]) or _OF_VALUES.get(option.value, "")


def _argument(command: reference.Command) -> str:
    first = command.arguments[0].name if command.arguments else ""
    noun, _, verb = command.words.partition(" ")
    if first == "NAME" and verb not in ("", "create"):
        return _OF_NOUNS.get(noun, "")
    return _OF_ARGUMENTS.get(first, "")
