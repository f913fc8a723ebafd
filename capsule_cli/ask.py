"""Questions to the person at the terminal. Without a terminal nothing is ever asked: the error names the flag."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from capsule_cli import output
from capsule_cli.errors import UsageError


def has_terminal() -> bool:
    """Whether somebody is there who can be asked."""
    return why_not() is None


def why_not() -> str | None:
    """Why nobody can be asked; None if somebody can."""
    if os.environ.get("CAPSULE_NO_INPUT", "0") not in ("", "0"):
        return "asking is off (--no-input, or CAPSULE_NO_INPUT)"
    if output.mode() != "human":
        return "asking is off for agents and programs (CAPSULE_OUTPUT)"
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return "there is none here"
    return None


def need_terminal(what: str, instead: str) -> None:
    """Raise UsageError unless there is a terminal. ``instead`` says how to go without being asked."""
    if (reason := why_not()) is not None:
        raise UsageError(f"{what} needs a terminal, and {reason}", code="no_terminal", hint=instead)


def line(prompt: str) -> str:
    """One line, as typed. Raises EOFError at Ctrl-D and KeyboardInterrupt at Ctrl-C."""
    if sys.stdout.isatty():
        return input(prompt)
    # ``input`` would put the prompt on stdout, which may be a file that waits for data.
    print(prompt, end="", file=sys.stderr, flush=True)
    typed = sys.stdin.readline()
    if not typed:
        raise EOFError
    return typed.rstrip("\n")


def confirm_name(what: str, name: str, *, given: str | None, yes: bool) -> None:
    """Return if somebody typed ``name``, or gave it as ``--confirm``: for what cannot be undone and takes much along.

    Ends the command (exit 1) at any other answer. Raises UsageError for another name given, or without a terminal.
    """
    if given is not None and given != name:
        raise UsageError(f"--confirm is {given!r}, and this is {name!r}", hint="Nothing was changed.")
    if given == name or yes:
        return
    need_terminal("This", f"Add --confirm {name} (or --yes) to go ahead without being asked.")
    output.say(f"{what} This cannot be undone.")
    if _answer(f"Type {output.clean(name)} to go ahead: ") != name:
        _leave()


def _answer(prompt: str) -> str:
    try:
        return line(prompt).strip()
    except EOFError:
        return ""


def _leave() -> NoReturn:
    print("Nothing was changed.", file=sys.stderr)
    raise typer.Exit(1)


def confirm(question: str, *, yes: bool) -> None:
    """Return if the answer is yes. Ends the command (exit 1) at any other answer."""
    if yes:
        return
    need_terminal("This", "Add --yes to go ahead without being asked.")
    if _answer(f"{question} [y/N] ").lower() not in ("y", "yes"):
        _leave()
