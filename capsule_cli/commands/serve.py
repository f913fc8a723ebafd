"""``capsule serve``: an app under development, live again after every save."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from capsule_cli import output
from capsule_cli.connect import connect
from capsule_cli.options import JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb

cli = verb()

ChannelsOpt = Annotated[
    list[str],
    typer.Option("--channel", metavar="NAME", help="Answer on this channel too; repeat it.", show_default=False),
]
ForceChannelOpt = Annotated[
    bool, typer.Option("--force-channel", help="Also on a channel that another app answers on.")
]


@cli.command(epilog=examples("capsule serve app.py:app", "capsule serve app.py:app --channel my-test-bot"))
def serve(
    entry: Annotated[
        str,
        typer.Argument(metavar="FILE.py:SYMBOL", help="The file, and the cpsl.App in it.", show_default=False),
    ],
    channel: ChannelsOpt = [],  # noqa: B006  (typer reads the default, nobody changes it)
    force_channel: ForceChannelOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Develop an app: it is live as NAME-dev, again after every save, and its log is here. Ctrl-C ends.

    Conversations with it go on across saves. What does not come up is shown; the version before goes on answering.
    The channels that the code names stay with the deployed app. With --json: one object a line.
    """
    from capsule_cli.serving import Report, Serving
    from cpsl.client.projects import split
    from cpsl.wire.apps import Development
    from cpsl.wire.names import check_resource_name

    for name in channel:
        check_resource_name(name, "channel")  # no save can mend the command
    place = split(entry, hint="Like: capsule serve app.py:app")
    report = Report(json=json)
    output.end_with_reader()
    with connect(profile) as client, _ended_by_signals():
        serving = Serving(client, entry, place.root, Development(channel, force_channel), report)
        try:
            serving.run(profile)
        finally:
            report.stopped(serving.app)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, but are no failure."""
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    signals = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    except KeyboardInterrupt:
        if not came:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
