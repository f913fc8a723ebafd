"""``capsule fs``: filesystems, and the files in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import addresses, ask, downloading, file_rows, interrupted, output, transfer, uploading
from capsule_cli.addresses import Address
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import ConfirmOpt, ForceOpt, JsonOpt, NameArg, ProfileOpt, QuietDoneOpt, QuietOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.quoting import quoted
from capsule_cli.tree import examples, noun
from cpsl.errors import Conflict

if TYPE_CHECKING:
    from cpsl.client import Client

RecursiveOpt = Annotated[bool, typer.Option("--recursive", "-r", help="Folders with all that is in them.")]
SkipOpt = Annotated[bool, typer.Option("--skip-existing", help="Leave what exists as it is.")]
PlaceArg = Annotated[str, typer.Argument(metavar="NAME:/PATH", help="A path in a filesystem.", show_default=False)]

cli = noun("Filesystems that apps mount, and the files in them.")


@cli.command(epilog=examples("capsule fs create reports"))
def create(name: NameArg, quiet: QuietDoneOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Create a filesystem."""
    with connect(profile) as client:
        made = client.filesystems.create(name)
    mount = f'Mount it in an app: filesystems={{"/data": cpsl.FileSystem({made.name!r})}}'
    Output(json=json, quiet=quiet).made(f"Filesystem {made.name} created", made, made.name, mount)


@cli.command("list", epilog=examples("capsule fs list", "capsule fs list --json"))
def list_(quiet: QuietOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List filesystems."""
    with connect(profile) as client:
        found = client.filesystems.list()
    Output(json=json, quiet=quiet).rows(
        found,
        {
            "NAME": lambda fs: fs.name,
            "CREATED": lambda fs: output.when(fs.created_at),
            "ID": lambda fs: fs.id,
        },
        empty="No filesystems yet. Create one: capsule fs create NAME",
    )


@cli.command(epilog=examples("capsule fs delete reports", "capsule fs delete reports --confirm reports"))
def delete(
    name: NameArg, confirm: ConfirmOpt = None, yes: YesOpt = False, profile: ProfileOpt = None, json: JsonOpt = None
) -> None:
    """Delete a filesystem with all files in it. Asks for its name."""
    with connect(profile) as client:
        ask.confirm_name(f"This deletes the filesystem {name} with all its files.", name, given=confirm, yes=yes)
        client.filesystems.delete(name)
    Output(json=json).done(f"Filesystem {name} deleted", {"name": name, "deleted": True})


@cli.command(epilog=examples("capsule fs show reports", "capsule fs show reports:/2026/november.csv"))
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME[:/PATH]", help="The filesystem, or a file or folder in it.", show_default=False),
    ],
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Show a filesystem, or a file in it with its size and checksum."""
    place = addresses.read(name)
    with connect(profile) as client:
        if place is not None:
            return file_rows.show_file(client.filesystems.stat(place.name, place.path, digest=True), json)
        found = client.filesystems.get(name)
    Output(json=json).item(found, {"Name": found.name, "Id": found.id, "Created": output.when(found.created_at)})


@cli.command(epilog=examples("capsule fs ls reports", "capsule fs ls reports:/uploads --json"))
def ls(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME[:/PATH]", help="The filesystem, or a folder in it.", show_default=False),
    ] = None,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder in it.")] = "/",
    quiet: QuietOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """List the files in a folder; without NAME, the filesystems."""
    if name is None:
        return list_(quiet=quiet, profile=profile, json=json)
    folder = addresses.read(name) or Address(name, path)
    with connect(profile) as client:
        pages = downloading.pages(client, folder)
        if json:
            return output.print_json([entry for page in pages for entry in page], json)
        empty = True
        for page in pages:
            file_rows.show_page(page, quiet=quiet, first=empty)
            empty = False
    if empty:
        output.say(f"Nothing in {folder.path}")


@cli.command(
    epilog=examples(
        "capsule fs upload data.csv reports:/2026/november.csv",
        "capsule fs upload -r charts figures reports:/2026/",
        "pg_dump shop | capsule fs upload - reports:/shop.sql",
        "capsule fs upload reports data.csv /data.csv --force",
    )
)
def upload(
    places: Annotated[
        list[str],
        typer.Argument(metavar="FILE... NAME:/PATH", help="What goes up (- for stdin), and where.", show_default=False),
    ],
    recursive: RecursiveOpt = False,
    force: ForceOpt = False,
    skip_existing: SkipOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Upload files and folders.

    Run it again after an interruption: it goes on where it stopped. What is there already with the same content is not
    sent again. With a slash at its end PATH is a folder to upload into.
    """
    locals_, target = addresses.of_upload(places)
    if "-" in locals_:
        return _upload_stdin(locals_, target, force, profile, json)
    wanted = uploading.plan(locals_, target, recursive=recursive)
    with connect(profile) as client, interrupted.resumable():
        report = uploading.send(client, wanted, force=force, skip_existing=skip_existing)
    if len(wanted.jobs) == 1 and report.stored:
        stored = report.stored[0]
        return Output(json=json).done(f"Stored {target.name}:{stored.path} ({output.size(stored.size)})", stored)
    told = f"Stored {len(report.stored)} files in {target.name}" + _already(report.same)
    Output(json=json).done(told, {"stored": report.stored, "unchanged": report.same, "skipped": wanted.skipped})


def _upload_stdin(locals_: list[str], target: Address, force: bool, profile: str | None, json: str | None) -> None:
    if len(locals_) > 1 or target.is_folder:
        raise UsageError(
            "What comes from stdin has no name",
            hint="Say where it goes: capsule fs upload - NAME:/PATH",
        )
    with transfer.open_source("-") as source, connect(profile) as client:
        stored = client.filesystems.upload(target.name, target.path, source.read(), overwrite=force)
    Output(json=json).done(f"Stored {target.name}:{stored.path} ({output.size(stored.size)})", stored)


@cli.command(
    epilog=examples(
        "capsule fs download reports:/summary.txt",
        "capsule fs download -r reports:/2026 .",
        "capsule fs download reports:/summary.txt -",
        "capsule fs download reports /data.csv copy.csv --force",
    )
)
def download(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME:/PATH [FILE]",
            help="What comes down, and where it goes (- for stdout). Default: its own name, here.",
            show_default=False,
        ),
    ],
    recursive: RecursiveOpt = False,
    force: ForceOpt = False,
    skip_existing: SkipOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Download a file or folder.

    Run it again after an interruption: it goes on where it stopped. A file appears under its name when it is complete.
    With a slash at its end FILE is a folder to download into.
    """
    remote, local = addresses.of_download(places)
    if local == "-" and json:
        raise UsageError("--json and '-' both want stdout", hint="Leave out one of them.")
    if local == "-":
        with connect(profile) as client:
            return transfer.to_stdout(client.filesystems.download(remote.name, remote.path))
    with connect(profile) as client, interrupted.resumable():
        is_folder = recursive and client.filesystems.stat(remote.name, remote.path).is_folder
        target = transfer.target_path(local, remote, folder=is_folder)
        jobs = _download_plan(client, remote, target, is_folder=is_folder)
        saving = downloading.Saving(client, force=force, skip_existing=skip_existing)
        report = saving.run(jobs) if jobs else saving.report
    if not recursive and report.saved:
        return Output(json=json).done(
            f"Saved {target} ({output.size(report.size)})", {"path": str(target), "size": report.size}
        )
    told = f"Saved {len(report.saved)} files in {target}" + _already(report.same)
    Output(json=json).done(told, {"saved": report.saved, "unchanged": report.same, "size": report.size})


def _download_plan(client: Client, remote: Address, target: Path, *, is_folder: bool) -> list[downloading.Job]:
    if is_folder:
        return downloading.plan(client, remote, target)
    size = 0 if not remote.last else client.filesystems.stat(remote.name, remote.path).size
    return [downloading.Job(remote, target, size)]


def _already(same: list[str]) -> str:
    return f"; {len(same)} were there already" if same else ""


@cli.command(epilog=examples("capsule fs cat reports:/summary.txt", "capsule fs cat reports:/big.log --range 0-999"))
def cat(
    place: PlaceArg,
    range: Annotated[
        str | None, typer.Option("--range", metavar="FIRST-LAST", help="Only these bytes, counted from 0.")
    ] = None,
    profile: ProfileOpt = None,
) -> None:
    """Print a file, as it is."""
    remote = addresses.need(place, "cat")
    offset, length = transfer.byte_range(range)
    with connect(profile) as client:
        transfer.to_stdout(client.filesystems.download(remote.name, remote.path, offset, length))


@cli.command(epilog=examples("capsule fs mkdir reports:/2026/november"))
def mkdir(place: PlaceArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Make a folder, with those above it."""
    folder = addresses.need(place, "mkdir")
    with connect(profile) as client:
        client.filesystems.make_folder(folder.name, folder.path)
    Output(json=json).done(f"Folder {folder} is there", {"path": folder.path})


@cli.command(epilog=examples("capsule fs mv reports:/draft.txt /final.txt"))
def mv(
    source: PlaceArg,
    target: Annotated[str, typer.Argument(metavar="PATH", help="Its new path, in the same filesystem.")],
    force: ForceOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Move or rename a file or folder.

    With a slash at its end PATH is a folder to move into.
    """
    old = addresses.need(source, "mv")
    new = addresses.read(target) or Address(old.name, target)
    if new.name != old.name:
        raise UsageError("A file moves within its filesystem", hint="Download it, then upload it to the other.")
    new = new.below(old.last) if new.is_folder else new
    with connect(profile) as client:
        client.filesystems.move_file(old.name, old.path, new.path, overwrite=force)
    Output(json=json).done(f"Moved {old} to {new.path}", {"source": old.path, "path": new.path})


@cli.command(epilog=examples("capsule fs rm reports:/draft.txt", "capsule fs rm -r reports:/2025 --yes"))
def rm(
    place: PlaceArg,
    recursive: RecursiveOpt = False,
    yes: YesOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Remove a file, or a folder with all in it."""
    gone = addresses.read(place)
    if gone is None:
        raise UsageError(
            f"{place!r} is no path in a filesystem",
            hint=f"A file: capsule fs rm NAME:/path. A whole filesystem: capsule fs delete {place}",
        )
    with connect(profile) as client:
        if recursive:
            ask.confirm(f"Remove {gone} with all that is in it? This cannot be undone.", yes=yes)
        _remove(client, gone, recursive=recursive)
    Output(json=json).done(f"Removed {gone}", {"path": gone.path, "deleted": True})


def _remove(client: Client, gone: Address, *, recursive: bool) -> None:
    try:
        client.filesystems.delete_file(gone.name, gone.path, recursive=recursive)
    except Conflict as error:
        if error.code == "folder_not_empty":
            error.hint = f"With all that is in it: capsule fs rm -r {quoted(str(gone))}"
        raise
