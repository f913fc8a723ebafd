"""``capsule chat``: talk to an app, once or for as long as you like."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsule_cli import ask, interrupted, output
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb
from cpsl.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsule_cli.talk.places import Sessions
    from capsule_cli.talk.screen import Screen
    from capsule_cli.talk.turn import Answer, Turn
    from cpsl.client import Client

cli = verb()


@dataclass(frozen=True)
class _Way:
    """How to talk: what the options say."""

    app: str
    json: str | None
    markdown: bool
    stream: bool
    attachments: list[Path]
    timeout: float | None
    screens: list[Screen] = field(default_factory=list)

    def screen(self) -> Screen:
        from capsule_cli.talk.screen import Screen

        self.screens[:] = [Screen(silent=self.json is not None, markdown=self.markdown, stream=self.stream)]
        return self.screens[0]

    def waits(self, what: str | None) -> None:
        """Only what is shown of a turn can tell that its connection is lost."""
        for screen in self.screens:
            screen.waiting(what)


@cli.command(
    epilog=examples(
        "capsule chat hello                              (a conversation)",
        'capsule chat hello "hi"                         (one answer)',
        'cat error.log | capsule chat ops "what broke?" > answer.txt',
        'capsule chat hello "and now?" --continue',
        'capsule chat hello "what is this?" --attach photo.png',
        "capsule chat hello --turn trn_01k9              (go on with a turn that waits for you)",
    )
)
def chat(
    app: AppArg,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to say; stdin is added when piped.", show_default=False),
    ] = None,
    go_on: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last session.")] = False,
    session: Annotated[
        str | None,
        typer.Option("--session", metavar="ID", help="Go on with this session.", show_default=False),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin a new session (this is what happens anyway).")] = False,
    attach: Annotated[
        list[Path] | None,
        typer.Option("--attach", "-a", metavar="FILE", help="Send a file along; may be repeated.", show_default=False),
    ] = None,
    turn: Annotated[
        str | None,
        typer.Option("--turn", metavar="ID", help="Join a turn and answer what it asks.", show_default=False),
    ] = None,
    stdin: Annotated[bool, typer.Option("--stdin/--no-stdin", help="Add what is piped in to the message.")] = True,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", help="Print the answer as it comes, not when it is complete.")
    ] = True,
    markdown: Annotated[bool, typer.Option("--markdown/--no-markdown", help="Render Markdown on a terminal.")] = True,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Wait no longer for an answer.", show_default=False),
    ] = None,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Talk to an app. Ctrl-C stops an answer, a second Ctrl-C leaves."""
    from capsule_cli.talk.places import Sessions

    if (go_on, session is not None, new, turn is not None).count(True) > 1:
        raise UsageError("Of --continue, --session, --new and --turn only one can be meant")
    if turn is not None and (text is not None or attach):
        raise UsageError("--turn joins what was said already", hint=f"capsule chat {app} --turn {turn}")
    way = _Way(app, json, markdown, stream, _files(attach or []), timeout)
    message = _message(text, stdin=stdin) if turn is None else None
    with connect(profile, way.waits) as client:
        sessions = Sessions(client, profile, app)
        if turn is not None:
            return _once(client, way, lambda one: one.join(turn), keep=sessions.remember)
        if go_on:
            session = sessions.last() or _newest(client, app)
        _talk(client, way, message, session, sessions)


def _talk(client: Client, way: _Way, message: str | None, session: str | None, sessions: Sessions) -> None:
    if message is None:
        return _converse(client, way, session, sessions)
    more: dict[str, Any] = {"attachments": way.attachments, "timeout": way.timeout}
    _once(client, way, lambda one: one.run(message, session, **more), keep=sessions.remember)


def _newest(client: Client, app: str) -> str:
    """The newest session over the API, for those who begin on a new machine. Raises NotFound."""
    found = [each.id for each in client.sessions.list(app, 50).sessions if each.channel == "api"]
    if not found:
        raise NotFound(f"There is no session with {app} to go on with", hint=f"Begin one: capsule chat {app}")
    return found[0]


def _once(client: Client, way: _Way, follow: Callable[[Turn], Answer], *, keep: Callable[[str], None]) -> None:
    from capsule_cli.talk.turn import Turn

    turn = Turn(client, way.app, screen=way.screen(), may_ask=ask.has_terminal() and not way.json)
    try:
        answer = follow(turn)
    finally:
        if turn.answer.session_id:
            keep(turn.answer.session_id)
    if answer.cancelled:
        interrupted.is_told()
        raise KeyboardInterrupt
    if way.json:
        output.print_json(answer.as_json(), way.json)


def _converse(client: Client, way: _Way, session: str | None, sessions: Sessions) -> None:
    if way.json:
        raise UsageError("A conversation is not JSON", hint=f'Give the message: capsule chat {way.app} "hi" --json')
    ask.need_terminal("A conversation", f'Give the message: capsule chat {way.app} "hi"   or pipe it in.')
    from capsule_cli.talk.conversation import Conversation

    client.apps.get(way.app)
    talk = Conversation(client, way.app, None, sessions=sessions, new_screen=way.screen, timeout=way.timeout)
    talk.attachments += way.attachments
    if session:
        talk.switch(session)
    talk.run()


def _files(paths: list[Path]) -> list[Path]:
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path} is not a file", hint="Give a file: --attach FILE")
    return paths


def _message(text: str | None, *, stdin: bool) -> str | None:
    """What to say: the argument, with stdin under it when something is piped. None to have a conversation."""
    piped = _piped() if stdin else None
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
