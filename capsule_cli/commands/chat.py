"""``capsule chat``: talk to an app, once or for as long as you like."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import ask, output
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsule_cli.talk.turn import Answer, Turn
    from cpsl.client import Client

cli = verb()


@cli.command(
    epilog=examples(
        "capsule chat hello                              (a conversation)",
        'capsule chat hello "hi"                         (one answer)',
        'cat error.log | capsule chat ops "what broke?" > answer.txt',
        'capsule chat hello "and now?" --session ses_01k9',
        "capsule chat hello --turn trn_01k9              (go on with a turn that waits for you)",
    )
)
def chat(
    app: AppArg,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to say; stdin is added when piped.", show_default=False),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", metavar="ID", help="Go on with this conversation.", show_default=False),
    ] = None,
    turn: Annotated[
        str | None,
        typer.Option("--turn", metavar="ID", help="Join a turn and answer what it asks.", show_default=False),
    ] = None,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Talk to an app. Ctrl-C stops an answer, a second Ctrl-C leaves."""
    if turn is not None and (text is not None or session is not None):
        raise UsageError("--turn joins what was said already", hint=f"capsule chat {app} --turn {turn}")
    message = _message(text) if turn is None else None
    with connect(profile) as client:
        if turn is not None:
            _once(client, app, lambda one: one.join(turn), json=json)
        elif message is not None:
            _once(client, app, lambda one: one.run(message, session), json=json)
        else:
            _converse(client, app, session, json=json)


def _once(client: Client, app: str, follow: Callable[[Turn], Answer], *, json: str | None) -> None:
    from capsule_cli.talk.screen import Screen
    from capsule_cli.talk.turn import Turn

    may_ask = ask.has_terminal() and not json
    answer = follow(Turn(client, app, screen=Screen(silent=json is not None), may_ask=may_ask))
    if answer.cancelled:
        raise KeyboardInterrupt
    if json:
        output.print_json(answer.as_json(), json)


def _converse(client: Client, app: str, session: str | None, *, json: str | None) -> None:
    from capsule_cli.talk.conversation import Conversation

    if json:
        raise UsageError("A conversation is not JSON", hint=f'Give the message: capsule chat {app} "hi" --json')
    ask.need_terminal("A conversation", f'Give the message: capsule chat {app} "hi"   or pipe it in.')
    client.apps.get(app)
    if session:
        client.sessions.get(app, session)
    Conversation(client, app, session).run()


def _message(text: str | None) -> str | None:
    """What to say: the argument, with stdin under it when something is piped. None to have a conversation."""
    piped = _piped()
    if text is None and piped is None:
        return None
    message = "\n\n".join(part for part in (text, piped) if part)
    if not message.strip():
        raise UsageError("The message is empty")
    return _encodable(message)


def _piped() -> str | None:
    """All of stdin if it is a pipe, a file or a socket; None for a terminal or /dev/null."""
    if sys.stdin is None or stat.S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode):
        return None
    return sys.stdin.buffer.read().decode(errors="replace").rstrip("\n")


def _encodable(message: str) -> str:
    try:
        message.encode()
    except UnicodeEncodeError:
        raise UsageError("The message is not UTF-8 text") from None
    return message
