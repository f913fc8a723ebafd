"""The tree of commands, as a table: a command's module is imported when it is run, not when ``capsule`` starts.

``build()`` gives the root group. Its help is written from the table, so that it costs no import at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from capsule_cli import fields
from capsule_cli.errors import MEANINGS

_F = TypeVar("_F", bound=Callable[..., Any])


class Entry(NamedTuple):
    """One command at the top: the section of the help it stands in, ``module:name`` of its Typer, its one line."""

    section: str
    target: str
    help: str


DAILY, THINGS, MACHINE = "Every day", "What you have", "This machine"

COMMANDS: dict[str, Entry] = {
    "quickstart": Entry(DAILY, "quickstart:cli", "Start a gateway, deploy a first app and talk to it."),
    "create": Entry(DAILY, "create:cli", "Create a project from a template."),
    "serve": Entry(DAILY, "serve:cli", "Develop an app: live again after every save."),
    "deploy": Entry(DAILY, "deploy:cli", "Put an app live."),
    "chat": Entry(DAILY, "chat:cli", "Talk to an app."),
    "logs": Entry(DAILY, "logs:cli", "Show what an app logged."),
    "open": Entry(DAILY, "open:cli", "Open an app in the browser."),
    "wait": Entry(DAILY, "wait:cli", "Wait until an app is live, healthy or has answered."),
    "app": Entry(THINGS, "app:cli", "Apps: list, get, versions, deploys, rollback, restart, delete; their users."),
    "secret": Entry(THINGS, "secret:cli", "Secrets that apps read: create, update, list, delete."),
    "session": Entry(THINGS, "session:cli", "Conversations of an app: list, show, rename, delete."),
    "fs": Entry(THINGS, "fs:cli", "Filesystems that apps mount, and the files in them."),
    "channel": Entry(THINGS, "channel:cli", "Messenger accounts that apps answer on."),
    "login": Entry(MACHINE, "auth:login_cli", "Log in to a gateway (the local one by default)."),
    "logout": Entry(MACHINE, "auth:logout_cli", "Revoke and forget the token of a profile."),
    "status": Entry(MACHINE, "status:cli", "Who you are, at which gateway, and where the token comes from."),
    "auth": Entry(MACHINE, "auth:cli", "login, logout, status; profiles; the token for scripts."),
    "config": Entry(MACHINE, "config:cli", "Settings: list, get, set, unset."),
    "doctor": Entry(MACHINE, "doctor:cli", "What works here, what does not, and what to do about it."),
    "gateway": Entry(MACHINE, "gateway:cli", "The gateway on this machine: start, stop, status, logs."),
    "completion": Entry(MACHINE, "completion:cli", "Completion of commands and names for bash, zsh and fish."),
    "skill": Entry(MACHINE, "skill:cli", "A reference of the commands for coding agents."),
    "help": Entry(MACHINE, "help:cli", "Help on a command or a topic: exit-codes, environment, output."),
}

ALIASES = {
    "ls": ("list",),
    "rm": ("delete",),
    "show": ("get", "info"),
    "get": ("show", "info"),
    "info": ("show", "get"),
    "history": ("versions",),
    "deployments": ("deploys",),
}
"""Other words for a verb, each with the verbs that it may stand for: the first that the noun has."""

ELSEWHERE = {
    "whoami": "status",
    "history": "app versions",
    "deployments": "app deploys",
    "rollback": "app rollback",
    "restart": "app restart",
    "delete": "app delete",
    "list": "app list",
    "ls": "app list",
    "run": "serve",
    "dev": "serve",
    "init": "create",
    "new": "create",
    "env": "secret",
    "volume": "fs",
    "token": "auth token",
    "switch": "auth switch",
}
"""Words that other tools have at the top, and what they are called here."""


def aliases(verb: str, verbs: Collection[str]) -> list[str]:
    """The other words for a verb of a noun that has these ``verbs``."""
    return [
        word
        for word, meant in ALIASES.items()
        if word not in verbs and next((each for each in meant if each in verbs), None) == verb
    ]


HELP = ("-h", "--help")

GLOBAL_FLAGS = {
    "--no-input": ("CAPSULE_NO_INPUT", "Never ask; fail and name the option that answers."),
    "--no-color": ("NO_COLOR", "No colour."),
    "--no-truncate": ("CAPSULE_NO_TRUNCATE", "Keep the rows of a table whole, however narrow the terminal is."),
}
"""Flags that stand anywhere in a command: the environment variable that each sets, and its help."""

_IN_FRONT = {
    "--profile": ("--profile NAME", "Profile to use for this command."),
    "--token-file": ("--token-file FILE", "Token to use for this command, before every other."),
}
"""Options with a value that stand before the command, as the help shows them."""

_EPILOG = """\b
Examples:
  capsule quickstart
  capsule deploy app.py:app
  capsule chat hello "hi"
  cat error.log | capsule chat ops "what broke?"

Exit codes: """


class Command(TyperCommand):
    """A command that does something. The value of its ``--json`` may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer does, once it is clear which word belongs to ``--json``."""
        from capsule_cli.options import words_of

        takes_words = any(each.param_type_name == "argument" for each in self.params)
        return super().parse_args(ctx, fields.joined(args, words_of(ctx), takes_words=takes_words))


class Branch(TyperGroup):
    """What has commands below it.

    ``--help`` is no option of Typer's here: to see that one is not there, it loads pydantic, which takes longer than
    all the rest of a start. The same goes for whatever else a branch takes.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer does, but for the help."""
        if args and args[0] in HELP:
            print(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The options, with those that are not Typer's."""
        rows = [row for param in self.get_params(ctx) if (row := param.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl([*self.more_options(), *rows, (", ".join(HELP), "Show this message and exit.")])
        self.format_commands(ctx, formatter)

    def more_options(self) -> list[tuple[str, str]]:
        """Options that this branch parses itself, each with its help."""
        return []


class Group(Branch):
    """A noun. Its verbs have other names too, unless it has commands of that name."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, by its name or its alias."""
        names = (cmd_name, *ALIASES.get(cmd_name, ()))
        return next((found for name in names if (found := super(Group, self).get_command(ctx, name))), None)


class Root(Branch):
    """The top: loads the module of a command when it is asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--profile NAME`` and ``--token-file FILE`` off in front of the command."""
        rest = list(args)
        while rest and rest[0].partition("=")[0] in _IN_FRONT:
            option, equals, value = rest.pop(0).partition("=")
            if not equals and not rest:
                ctx.fail(f"Option '{option}' requires an argument.")
            ctx.meta[option] = value if equals else rest.pop(0)
        _use_token_file(ctx)
        return super().parse_args(ctx, rest)

    def more_options(self) -> list[tuple[str, str]]:
        """The profile, and the flags that may stand anywhere."""
        flags = [(flag, help) for flag, (_, help) in GLOBAL_FLAGS.items()]
        return [*_IN_FRONT.values(), *flags]

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command's module and give the command; None for an unknown name."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Typer does; a name that is unknown is compared with the whole table, imported or not."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(_unknown(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands by section, from the table alone."""
        for section in (DAILY, THINGS, MACHINE):
            rows = [(name, entry.help) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


def _use_token_file(ctx: Any) -> None:
    """What is said on the command line goes before what lies in the environment."""
    import os

    if (file := ctx.meta.get("--token-file")) is None:
        return
    if "--profile" in ctx.meta:
        ctx.fail("Of --profile and --token-file only one can be meant.")
    os.environ.pop("CAPSULE_TOKEN", None)
    os.environ["CAPSULE_TOKEN_FILE"] = file


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    close = [ELSEWHERE[name]] if name in ELSEWHERE else get_close_matches(name, COMMANDS, n=1)
    return f"No such command {name!r}." + (f" Did you mean {close[0]!r}?" if close else "")


def load(name: str) -> Any:
    """The command called ``name`` at the top, as Typer's object."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = get_command(getattr(import_module(f"capsule_cli.commands.{module}"), attribute))
    command.name = name
    return command


def noun(help: str) -> typer.Typer:
    """A Typer for a noun with verbs below it."""
    return _typer(help=help, cls=Group, no_args_is_help=True, add_help_option=False)


def verb() -> typer.Typer:
    """A Typer for a command at the top."""
    return _typer()


class _Typer(typer.Typer):
    """Typer whose commands are ours."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_F], _F]:
        return super().command(name, **{"cls": Command} | settings)


def examples(*lines: str) -> str:
    """The examples of a command, for its ``epilog``: shown as they are, never wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def build() -> Any:
    """The root command."""
    root = _typer(cls=Root, no_args_is_help=True)
    codes = ", ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items())
    root.callback(epilog=f"{_EPILOG}{codes}.", add_help_option=False)(_root)
    return get_command(root)


def _typer(**settings: Any) -> typer.Typer:
    return _Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": list(HELP)},
        **settings,
    )


def _print_version(asked: bool) -> None:
    if asked:
        from cpsl._version import __version__

        print(f"capsule {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Show the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """One Python file becomes a running AI product."""
