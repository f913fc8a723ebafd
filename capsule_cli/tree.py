"""The tree of commands, as a table: a command's module is imported when it is run, not when ``capsule`` starts.

``build()`` gives the root group. Its help is written from the table, so that it costs no import at all.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command


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
    "app": Entry(THINGS, "app:cli", "Apps: list, get, versions, rollback, delete."),
    "secret": Entry(THINGS, "secret:cli", "Secrets that apps read: create, list, delete."),
    "fs": Entry(THINGS, "fs:cli", "Filesystems that apps mount, and the files in them."),
    "channel": Entry(THINGS, "channel:cli", "Messenger accounts that apps answer on."),
    "login": Entry(MACHINE, "auth:login_cli", "Log in to a gateway (the local one by default)."),
    "logout": Entry(MACHINE, "auth:logout_cli", "Revoke and forget the token of a profile."),
    "status": Entry(MACHINE, "auth:status_cli", "Who you are, at which gateway, and where the token comes from."),
    "auth": Entry(MACHINE, "auth:cli", "login, logout, status, and the token for scripts."),
    "doctor": Entry(MACHINE, "doctor:cli", "What works here, what does not, and what to do about it."),
    "gateway": Entry(MACHINE, "gateway:cli", "The gateway on this machine: start, stop, status, logs."),
}

ALIASES = {"ls": "list", "rm": "delete"}

_EPILOG = """\b
Examples:
  capsule quickstart
  capsule deploy app.py:app
  capsule chat hello "hi"
  cat error.log | capsule chat ops "what broke?"

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 log in first, 5 exists or in use,
6 gateway away or too slow, 7 the app failed, 8 the app waits for a person, 130 interrupted.
"""


class Group(TyperGroup):
    """A noun: ``ls`` and ``rm`` stand for ``list`` and ``delete``, unless it has commands of that name."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, by its name or its alias."""
        found = super().get_command(ctx, cmd_name)
        return found or super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))


class Root(TyperGroup):
    """The top: loads the module of a command when it is asked for."""

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


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    return f"No such command {name!r}." + (f" Did you mean {close[0]!r}?" if close else "")


def load(name: str) -> Any:
    """The command called ``name`` at the top, as Typer's object."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = get_command(getattr(import_module(f"capsule_cli.commands.{module}"), attribute))
    command.name = name
    return command


def noun(help: str) -> typer.Typer:
    """A Typer for a noun with verbs below it."""
    return _typer(help=help, cls=Group, no_args_is_help=True)


def verb() -> typer.Typer:
    """A Typer for a command at the top."""
    return _typer()


def examples(*lines: str) -> str:
    """The examples of a command, for its ``epilog``: shown as they are, never wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def build() -> Any:
    """The root command."""
    root = _typer(cls=Root, no_args_is_help=True)
    root.callback(epilog=_EPILOG)(_root)
    return get_command(root)


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


def _print_version(asked: bool) -> None:
    if asked:
        from cpsl._version import __version__

        print(f"capsule {__version__}")
        raise typer.Exit


def _root(
    profile: Annotated[str | None, typer.Option(help="Profile to use for this command.", metavar="NAME")] = None,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Show the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """One Python file becomes a running AI product."""
