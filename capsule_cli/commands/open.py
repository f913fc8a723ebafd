"""``capsule open``: an app in the browser."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from capsule_cli import ask, output
from capsule_cli.connect import connect
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command("open", epilog=examples("capsule open hello", "capsule open hello --print"))
def open_(
    app: AppArg,
    only_print: Annotated[bool, typer.Option("--print", help="Print the address; open nothing.")] = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Open an app in the browser. Prints its address."""
    with connect(profile) as client:
        found = client.apps.get(app)
    if json:
        output.print_json({"app": found.name, "url": found.url}, json)
    else:
        output.data(found.url)
    if not only_print and not json and ask.has_terminal():
        open_in_browser(found.url)


_IN_THE_TERMINAL = ("www-browser", "links", "elinks", "lynx", "w3m")


def open_in_browser(url: str, *, beside: bool = False) -> None:
    """Open ``url``, or say that it has to be done by hand.

    ``beside``: only in a browser that leaves the terminal as it is, or in the one that ``BROWSER`` names.
    """
    import webbrowser

    try:
        hides = beside and not os.environ.get("BROWSER") and _name(webbrowser.get()) in _IN_THE_TERMINAL
        opened = not hides and webbrowser.open(url)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        output.whisper("No browser could be opened here: use the address above.")


def _name(browser: object) -> str:
    return os.path.basename(str(getattr(browser, "name", "")))
