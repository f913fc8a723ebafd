"""The commands as data, read from the parser itself, for completions, ``docs/cli.md`` and ``capsule skill``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from capsule_cli import fields, tree


class Option(NamedTuple):
    """An option: its names, the name of its value (empty for a flag) and its help."""

    names: tuple[str, ...]
    value: str
    help: str


class Argument(NamedTuple):
    """An argument: its name, its help, whether it may be left out or repeated."""

    name: str
    help: str
    required: bool
    repeated: bool


class Command(NamedTuple):
    """A command that does something. ``words`` is ``secret create``, ``fields`` what it prints as JSON."""

    words: str
    section: str
    help: str
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    examples: tuple[str, ...]
    fields: tuple[str, ...]
    aliases: tuple[str, ...]
    """The same command in other words: ``secret ls``."""

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return self.help.split("\n")[0]

    @property
    def usage(self) -> str:
        """How it is called."""
        shown = [_shown(argument) for argument in self.arguments]
        return " ".join(["capsule", self.words, *shown, "[OPTIONS]"])


def _shown(argument: Argument) -> str:
    name = argument.name + ("..." if argument.repeated and "..." not in argument.name else "")
    return name if argument.required else f"[{name}]"


def nouns() -> dict[str, str]:
    """The words that have commands below them, each with its help: ``app``, ``app users``."""
    return {
        words: help
        for name, entry in tree.COMMANDS.items()
        for words, help in _nouns(name, tree.load(name), entry.help)
    }


def _nouns(words: str, command: Any, help: str) -> Iterator[tuple[str, str]]:
    if hasattr(command, "commands"):
        yield words, help
        for name, below in command.commands.items():
            yield from _nouns(f"{words} {name}", below, below.help)


def commands() -> list[Command]:
    """All commands, in the order of the help."""
    return list(_commands())


def _commands() -> Iterator[Command]:
    for name, entry in tree.COMMANDS.items():
        yield from _leaves(name, entry.section, tree.load(name), _at_the_top(name))


def _leaves(words: str, section: str, command: Any, aliases: tuple[str, ...]) -> Iterator[Command]:
    below = getattr(command, "commands", None)
    if below is None:
        yield _read(words, section, command, aliases)
    else:
        for verb, leaf in below.items():
            others = tuple(f"{words} {alias}" for alias in tree.aliases(verb, below))
            yield from _leaves(f"{words} {verb}", section, leaf, others)


def _at_the_top(name: str) -> tuple[str, ...]:
    """``login`` is ``auth login`` too."""
    return (f"auth {name}",) if name in tree.load("auth").commands else ()


def _read(words: str, section: str, command: Any, aliases: tuple[str, ...]) -> Command:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    return Command(
        words,
        section,
        " ".join(command.help.split("\n")) if "\n\n" not in command.help else _paragraphs(command.help),
        tuple(_argument(each) for each in arguments),
        tuple(_option(each) for each in options),
        tuple(line.strip() for line in (command.epilog or "").splitlines()[2:]),
        fields.of(words),
        aliases,
    )


def _paragraphs(help: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in help.split("\n\n"))


def _argument(param: Any) -> Argument:
    return Argument(param.metavar or param.name.upper(), param.help or "", param.required, param.nargs == -1)


def _option(param: Any) -> Option:
    value = "" if param.is_flag else (param.metavar or param.name.upper())
    return Option((*param.opts, *param.secondary_opts), value, param.help or "")
