"""``capsule app users``: the people of an app, for whoever operates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import ask, output
from capsule_cli.connect import connect
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt, QuietOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun

if TYPE_CHECKING:
    from cpsl.wire.users import User

cli = noun("The people of an app: list, disable, enable, delete.")

UserArg = Annotated[str, typer.Argument(metavar="USER", help="Id or e-mail address.", show_default=False)]


@cli.command("list", epilog=examples("capsule app users list hello", "capsule app users list hello --visitors -q"))
def list_(
    app: AppArg,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="How many at most.", min=1, max=1000)] = 50,
    visitors: Annotated[bool, typer.Option("--visitors", help="Also those who never said who they are.")] = False,
    quiet: QuietOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """List the people of an app, newest first."""
    with connect(profile) as client:
        found = client.users.list(app, lines, visitors=visitors).users
    Output(json=json, quiet=quiet).rows(
        found,
        {
            "ID": lambda user: user.id,
            "E-MAIL": _address,
            "KIND": lambda user: user.kind,
            "STATE": lambda user: "disabled" if user.disabled else "ok",
            "SEEN": lambda user: output.when(user.last_seen_at) if user.last_seen_at else "-",
            "CREATED": lambda user: output.when(user.created_at),
        },
        empty="Nobody yet." if visitors else "Nobody said who they are yet. Also visitors: --visitors",
    )


@cli.command(epilog=examples("capsule app users disable hello ada@example.com"))
def disable(app: AppArg, user: UserArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Sign somebody out everywhere, and keep them out. What is theirs stays."""
    with connect(profile) as client:
        found = client.users.disable(app, user)
    Output(json=json).done(f"{_called(found)} is disabled, and signed out everywhere", found)


@cli.command(epilog=examples("capsule app users enable hello ada@example.com"))
def enable(app: AppArg, user: UserArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Let somebody in again."""
    with connect(profile) as client:
        found = client.users.enable(app, user)
    Output(json=json).done(f"{_called(found)} is enabled", found)


@cli.command(epilog=examples("capsule app users delete hello ada@example.com --yes"))
def delete(app: AppArg, user: UserArg, yes: YesOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Delete somebody with all that is theirs. That is conversations, files, documents and connections."""
    with connect(profile) as client:
        found = client.users.get(app, user)
        ask.confirm(f"Delete {_called(found)} with all that is theirs in {app}? This cannot be undone.", yes=yes)
        client.users.delete(app, found.id)
    Output(json=json).done(f"{_called(found)} deleted", {"id": found.id, "deleted": True})


def _address(user: User) -> str:
    return f"{user.email}{'' if user.email_verified else ' (not verified)'}" if user.email else "-"


def _called(user: User) -> str:
    return f"{output.clean(user.email)} ({user.id})" if user.email else user.id
