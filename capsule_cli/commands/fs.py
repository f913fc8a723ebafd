"""``capsule fs``: filesystems, and the files in them."""

from __future__ import annotations

from typing import Annotated

import typer

from capsule_cli import ask, output, transfer
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import ForceOpt, JsonOpt, NameArg, ProfileOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun

cli = noun("Filesystems that apps mount, and the files in them.")


@cli.command(epilog=examples("capsule fs create reports"))
def create(name: NameArg, profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """Create a filesystem."""
    with connect(profile) as client:
        made = client.filesystems.create(name)
    if json:
        return output.print_json(made)
    output.done(f"Filesystem {made.name} created")
    output.whisper(f'  Mount it in an app: filesystems={{"/data": cpsl.FileSystem({made.name!r})}}')


@cli.command("list", epilog=examples("capsule fs list", "capsule fs list --json"))
def list_(profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """List filesystems."""
    with connect(profile) as client:
        found = client.filesystems.list()
    Output(json=json).rows(
        found,
        {
            "NAME": lambda fs: fs.name,
            "CREATED": lambda fs: output.when(fs.created_at),
            "ID": lambda fs: fs.id,
        },
        empty="No filesystems yet. Create one: capsule fs create NAME",
    )


@cli.command(epilog=examples("capsule fs delete reports", "capsule fs delete reports --yes"))
def delete(name: NameArg, yes: YesOpt = False, profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """Delete a filesystem with all files in it."""
    with connect(profile) as client:
        ask.confirm(f"Delete filesystem {name} with all its files? This cannot be undone.", yes=yes)
        client.filesystems.delete(name)
    Output(json=json).done(f"Filesystem {name} deleted", {"name": name, "deleted": True})


@cli.command(epilog=examples("capsule fs ls reports", "capsule fs ls reports /uploads --json"))
def ls(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The filesystem.", show_default=False)] = None,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder in it.")] = "/",
    profile: ProfileOpt = None,
    json: JsonOpt = False,
) -> None:
    """List the files in a folder; without NAME, the filesystems."""
    if name is None:
        return list_(profile=profile, json=json)
    with connect(profile) as client:
        found = client.filesystems.entries(name, path)
    Output(json=json).rows(
        found,
        {
            "NAME": lambda entry: entry.name + ("/" if entry.is_folder else ""),
            "SIZE": lambda entry: "-" if entry.is_folder else output.size(entry.size),
            "MODIFIED": lambda entry: output.when(entry.modified_at),
        },
        empty=f"Nothing in {path}",
    )


@cli.command(
    epilog=examples(
        "capsule fs upload reports data.csv",
        "capsule fs upload reports data.csv /2026/november.csv --force",
        "pg_dump shop | capsule fs upload reports - /shop.sql",
    )
)
def upload(
    name: NameArg,
    local: Annotated[str, typer.Argument(metavar="FILE", help="The file here; - for stdin.", show_default=False)],
    remote: Annotated[
        str | None,
        typer.Argument(metavar="PATH", help="Where it goes. Default: /<name of FILE>.", show_default=False),
    ] = None,
    force: ForceOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = False,
) -> None:
    """Upload a file."""
    source = transfer.open_source(local)
    path = _remote_path(local, remote)
    with source, connect(profile) as client:
        stored = client.filesystems.upload(name, path, source.read(), overwrite=force)
    Output(json=json).done(f"Stored {name}:{stored.path} ({output.size(stored.size)})", stored)


@cli.command(
    epilog=examples(
        "capsule fs download reports /reports/summary.txt",
        "capsule fs download reports /reports/summary.txt -",
        "capsule fs download reports /data.csv copy.csv --force",
    )
)
def download(
    name: NameArg,
    remote: Annotated[str, typer.Argument(metavar="PATH", help="The file in it.", show_default=False)],
    local: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="Where it goes here; - for stdout. Default: its own name.",
            show_default=False,
        ),
    ] = None,
    force: ForceOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = False,
) -> None:
    """Download a file. It appears under its name when it is complete."""
    if local == "-" and json:
        raise UsageError("--json and '-' both want stdout", hint="Leave out one of them.")
    target = None if local == "-" else transfer.target_path(local, remote, force=force)
    with connect(profile) as client:
        pieces = client.filesystems.download(name, remote)
        if target is None:
            return transfer.to_stdout(pieces)
        count = transfer.to_file(pieces, target, force=force)
    Output(json=json).done(f"Saved {target} ({output.size(count)})", {"path": str(target), "size": count})


def _remote_path(local: str, remote: str | None) -> str:
    if local == "-" and (not remote or remote.endswith("/")):
        raise UsageError(
            "What comes from stdin has no name",
            hint="Say where it goes: capsule fs upload NAME - /PATH",
        )
    if remote and not remote.endswith("/"):
        return remote
    from pathlib import Path

    return (remote or "/") + Path(local).resolve().name
