"""``capsule logs``: what an app printed, and what the platform says about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import output
from capsule_cli.connect import closing, connect
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb

if TYPE_CHECKING:
    from cpsl.wire.apps import LogLine

cli = verb()


@cli.command(epilog=examples("capsule logs hello", "capsule logs hello -f", "capsule logs hello -n 500 --json"))
def logs(
    app: AppArg,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="How many to begin with.", min=1)] = 100,
    profile: ProfileOpt = None,
    json: JsonOpt = False,
) -> None:
    """Show the last lines that an app logged. With --json: one object a line."""
    with connect(profile) as client:
        if not follow:
            return _print(client.apps.logs(app, limit=lines), json=json)
        output.end_with_reader()
        with closing(client.apps.follow_logs(app, limit=lines)) as live:
            _print(live, json=json)


def _print(lines: Iterable[LogLine], *, json: bool) -> None:
    for line in lines:
        if json:
            output.print_json(line)
        else:
            output.data(_shown(line))


def _shown(line: LogLine) -> str:
    from datetime import datetime

    time = datetime.fromtimestamp(line.timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    version = f"v{line.version}" if line.version else "-"
    return f"{time} {version:<4} {line.level.upper():<7} {output.clean(line.message.rstrip())}"
