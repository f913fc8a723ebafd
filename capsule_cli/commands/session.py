"""``capsule session``: the conversations of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import ask, output
from capsule_cli.connect import connect
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt, QuietOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun

if TYPE_CHECKING:
    from cpsl.wire.turns import Session

cli = noun("Conversations of an app: list, show, rename, delete.")

IdArg = Annotated[str, typer.Argument(metavar="ID", help="Id of the conversation.", show_default=False)]


@cli.command("list", epilog=examples("capsule session list hello", "capsule session list hello -q"))
def list_(
    app: AppArg,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="How many at most.", min=1, max=1000)] = 50,
    search: Annotated[
        str, typer.Option("--search", "-s", metavar="WORDS", help="Only those that have all words.")
    ] = "",
    quiet: QuietOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """List your conversations with an app: pinned, then newest."""
    with connect(profile) as client:
        found = client.sessions.list(app, lines, search=search).sessions
    Output(json=json, quiet=quiet).rows(
        found,
        {
            "ID": lambda session: session.id,
            "CHANNEL": lambda session: session.channel,
            "UPDATED": lambda session: output.when(session.updated_at),
            "TITLE": lambda session: session.title or "-",
        },
        empty=f"No conversations yet. Begin one: capsule chat {app}",
    )


@cli.command(epilog=examples("capsule session show hello ses_01k9 > talk.md"))
def show(app: AppArg, id: IdArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Print a conversation as Markdown."""
    with connect(profile) as client:
        found = client.sessions.get(app, id)
    if json:
        return output.print_json(found, json)
    output.data("\n\n".join(_paragraphs(found)))


@cli.command(epilog=examples('capsule session rename hello ses_01k9 "Plans for May"'))
def rename(
    app: AppArg,
    id: IdArg,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is to be called.", show_default=False)],
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Give a conversation another title."""
    with connect(profile) as client:
        found = client.sessions.update(app, id, title=title)
    Output(json=json).done(f"Conversation {id} is called {found.title} now", {"id": id, "title": found.title})


@cli.command(epilog=examples("capsule session delete hello ses_01k9 --yes"))
def delete(app: AppArg, id: IdArg, yes: YesOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Delete a conversation with all its messages."""
    with connect(profile) as client:
        ask.confirm(f"Delete the conversation {id}? This cannot be undone.", yes=yes)
        client.sessions.delete(app, id)
    Output(json=json).done(f"Conversation {id} deleted", {"id": id, "deleted": True})


def _paragraphs(session: Session) -> list[str]:
    told = [f"# {output.clean(session.title or session.id)}"]
    for message in session.messages:
        told += [f"## {message.sender}, {output.when(message.timestamp)}", output.clean(message.text)]
        told += [f"- {output.clean(each.name)}" for each in message.attachments]
    return told
