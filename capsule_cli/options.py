"""The options and arguments that several commands share, as named types, written once."""

from __future__ import annotations

from typing import Annotated

import typer

from capsule_cli.errors import UsageError


def _or_of_root(context: typer.Context, value: str | None) -> str | None:
    """``capsule --profile X app list`` is ``capsule app list --profile X``."""
    return value or context.find_root().params.get("profile")


ProfileOpt = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Profile to use, instead of the active one.",
        metavar="NAME",
        callback=_or_of_root,
    ),
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; errors as JSON on stderr.")]
YesOpt = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
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
