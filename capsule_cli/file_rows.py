"""Files as people see them: rows of a folder, and one by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from capsule_cli import output
from capsule_cli.output import Output

if TYPE_CHECKING:
    from cpsl.wire.resources import Entry, FileInfo


def show_page(page: Sequence[Entry], *, quiet: bool, first: bool) -> None:
    """A part of what a folder holds; the ``first`` has the head of the table."""
    if quiet:
        return output.data("\n".join(output.clean(entry.name).replace("\n", " ") for entry in page))
    lines = output.align([("NAME", "SIZE", "MODIFIED"), *(_cells(entry) for entry in page)])
    output.data("\n".join(lines if first else lines[1:]))


def _cells(entry: Entry) -> tuple[str, str, str]:
    name, size = (f"{entry.name}/", "-") if entry.is_folder else (entry.name, output.size(entry.size))
    return name, size, output.when(entry.modified_at)


def show_file(found: FileInfo, json: str | None) -> None:
    """A file or folder with all that is known of it."""
    lines = {
        "Path": found.path,
        "Size": "" if found.is_folder else output.size(found.size),
        "Modified": output.when(found.modified_at),
        "SHA-256": found.sha256,
    }
    Output(json=json).item(found, lines)
