"""``capsule logs``: what an app printed, and what the platform says about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from capsule_cli import loglines, output
from capsule_cli.connect import closing, connect
from capsule_cli.errors import UsageError
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt, version_number
from capsule_cli.tree import examples, verb
from cpsl.wire.apps import EVERY_LINE, LOG_LEVELS, LOG_STREAMS, LogFilter

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.wire.apps import LogLine

cli = verb()

_T = TypeVar("_T", bound=str)
_USUAL, _MOST = 100, 10_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _option(help: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, show_default=False)


@cli.command(
    epilog=examples(
        "capsule logs hello",
        "capsule logs hello -f --level warning",
        "capsule logs hello --since 2h --session ses_01k9",
        "capsule logs hello --search timeout --until 10m",
        "capsule logs hello -n 500 --json",
        "capsule logs hello --build",
    )
)
def logs(
    app: AppArg,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")] = False,
    lines: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", metavar="N", help="How many to begin with, at most 10000 (100; all, with --since).", min=1
        ),
    ] = None,
    since: Annotated[str | None, _option("Not older than 30s, 10m, 2h, 1d, or a time.", "TIME", "--since")] = None,
    until: Annotated[str | None, _option("Not newer than that.", "TIME", "--until")] = None,
    search: Annotated[str | None, _option("Only with this text, in whichever case.", "TEXT", "--search")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps/--no-timestamps", help="Show when each came.")] = True,
    utc: Annotated[bool, typer.Option("--utc", help="Show times in UTC.")] = False,
    session: Annotated[str | None, _option("Only of this conversation.", "ID", "--session")] = None,
    turn: Annotated[str | None, _option("Only of this turn.", "ID", "--turn")] = None,
    version: Annotated[str | None, _option("Only of this version, like v3.", "VERSION", "--version")] = None,
    level: Annotated[str | None, _option("Only from this level on.", "|".join(LOG_LEVELS), "--level")] = None,
    stream: Annotated[str | None, _option("Only what came this way.", "|".join(LOG_STREAMS), "--stream")] = None,
    build: Annotated[bool, typer.Option("--build", help="Show how the image was built instead.")] = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Show the last lines that an app logged. With --json: one object a line."""
    number = None if version is None else version_number(version)
    wanted = LogFilter(
        since=None if since is None else _moment("since", since),
        session=session,
        turn=turn,
        version=number,
        level=_one_of("level", level, LOG_LEVELS),
        stream=_one_of("stream", stream, LOG_STREAMS),
        until=None if until is None else _moment("until", until),
        search=search or None,
    )
    if follow and until is not None:
        raise UsageError("--until and --follow do not go together", hint="Leave one of them out.")
    style = loglines.Style(timestamps, utc)
    count = min(lines or (_MOST if since else _USUAL), _MOST)
    with connect(profile) as client:
        if build:
            _print_build(client, app, number, json=json)
        elif follow:
            output.end_with_reader()
            with closing(client.apps.follow_logs(app, count, wanted)) as live:
                _print(live, style, json=json)
        else:
            found = client.apps.logs(app, count, wanted=wanted)
            _print(found, style, json=json)
            if not found and not json:
                output.say(f"{app} has logged nothing yet." if wanted == EVERY_LINE else f"No line of {app} fits.")


def _print_build(client: Client, app: str, number: int | None, *, json: str | None) -> None:
    found = client.apps.build_log(app, number)
    if json:
        output.print_json(found, json)
    elif found.text:
        output.data(output.clean(found.text.rstrip()))
    else:
        output.say(f"Nothing was built for {found.app} v{found.version}: it names no packages, or the log is gone.")


def _print(lines: Iterable[LogLine], style: loglines.Style, *, json: str | None) -> None:
    for line in lines:
        if json:
            output.print_json(line, json)
        else:
            output.data(loglines.shown(line, style))


def _moment(option: str, text: str) -> float:
    """Seconds since the epoch for ``10m`` (ago) or an ISO 8601 time, which is local unless it says otherwise."""
    import time
    from datetime import datetime

    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit() and len(number) < 10:
        return time.time() - int(number) * _UNITS[unit]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"--{option} does not understand {text!r}", hint="Like 30s, 10m, 2h, 1d or 2026-01-31T12:00"
        ) from None


def _one_of(what: str, given: str | None, known: tuple[_T, ...]) -> _T | None:
    if given is None:
        return None
    for each in known:
        if each == given.lower():
            return each
    raise UsageError(f"There is no {what} {given!r}", hint=f"Use one of: {', '.join(known)}")
