"""``capsule open``: an app in the browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from capsule_cli import output
from capsule_cli.connect import connect
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command("open", epilog=examples("capsule open hello", "url=$(capsule open hello)"))
def open_(
    app: AppArg,
    only_print: Annotated[bool, typer.Option("--print", help="Print the URL and open nothing.")] = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Print the URL of an app, and open it if this is a terminal."""
    with connect(profile) as client:
        found = client.apps.get(app)
    if json:
        return output.print_json({"app": found.name, "url": found.url}, json)
    output.data(found.url)
    if not only_print and sys.stdout.isatty():
        _browse(found.url)


def _browse(url: str) -> None:
    import webbrowser

    try:
        opened = webbrowser.open(url)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        output.whisper("No browser could be opened here: use the address above.")
