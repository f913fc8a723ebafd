"""``capsule deploy``: put an app live."""

from __future__ import annotations

from typing import Annotated

import typer

from capsule_cli import deploying, output
from capsule_cli.connect import connect
from capsule_cli.describe import split
from capsule_cli.options import JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command(epilog=examples("capsule deploy app.py:app", "url=$(capsule deploy shop/app.py:app)"))
def deploy(
    entry: Annotated[
        str,
        typer.Argument(metavar="FILE.py:SYMBOL", help="The file, and the cpsl.App in it.", show_default=False),
    ],
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Put an app live. Prints its URL.

    The folder of FILE is the project: all of it is sent, but what .gitignore and .capsuleignore name, and never .env.
    """
    place = split(entry)
    with connect(profile) as client:
        done = deploying.deploy(client, place)
    if json:
        return output.print_json({"app": done.app, "version": done.version, "url": done.url}, json)
    output.done(f"{done.app} v{done.version} is live. Talk to it: capsule chat {done.app}")
    output.data(done.url)
