"""The options and arguments that several commands share, as named types, written once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from capsule_cli import fields, output
from capsule_cli.errors import UsageError


def _or_of_root(context: typer.Context, value: str | None) -> str | None:
    """``capsule --profile X app list`` is ``capsule app list --profile X``."""
    return value or context.find_root().meta.get("--profile")


def _checked_fields(context: typer.Context, value: str | None) -> str | None:
    """Fields that there are; with ``CAPSULE_OUTPUT=json`` all of them, also where nobody said ``--json``."""
    if value is None:
        return fields.ALL if output.mode() == "json" else None
    return fields.check(value, words_of(context))


def words_of(context: Any) -> str:
    """The command of a context by its own words, whatever alias was typed: ``secret list``."""
    names = []
    node = context
    while node is not None and node.parent is not None:
        names.append(str(node.command.name))
        node = node.parent
    return " ".join(reversed(names))


ProfileOpt = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Profile to use, instead of the active one.",
        metavar="NAME",
        callback=_or_of_root,
    ),
]
JsonOpt = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FIELDS",
        help="Print JSON, all of it or these fields (name,state); errors too, on stderr.",
        callback=_checked_fields,
        show_default=False,
    ),
]
"""None for people, ``fields.ALL`` for all fields, else their names with commas between."""
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="Print names only, one a line.")]
ConfirmOpt = Annotated[
    str | None,
    typer.Option("--confirm", metavar="NAME", help="The name again, in place of typing it.", show_default=False),
]
YesOpt = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
QuietDoneOpt = Annotated[bool, typer.Option("--quiet", "-q", help="Print only what it is called, and say nothing.")]
ForceOpt = Annotated[bool, typer.Option("--force", help="Overwrite what exists.")]
AppArg = Annotated[str, typer.Argument(metavar="APP", help="Name or id of the app.", show_default=False)]
NameArg = Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default=False)]
DataDirOpt = Annotated[
    str | None,
    typer.Option("--data-dir", metavar="DIR", help="Where the gateway keeps its data (CAPSULE_DATA_DIR)."),
]


def version_number(text: str) -> int:
    """The number of a version given as ``v3`` or ``3``. Raises UsageError."""
    digits = text.removeprefix("v")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise UsageError(f"{text!r} is not a version", hint="Like v3. List them: capsule app versions APP")
    return int(digits)
