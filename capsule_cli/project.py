"""Projects made from the templates in this package."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from capsule_cli.errors import UsageError
from cpsl.errors import Conflict, NotFound
from cpsl.wire.names import check_app_name

DEFAULT = "default"


def names() -> list[str]:
    """The templates that there are, the default one first."""
    found = [item.name for item in _folder().iterdir() if item.is_dir() and not item.name.startswith("_")]
    return sorted(found, key=lambda name: (name != DEFAULT, name))


def app_name(target: Path) -> str:
    """The app's name for a project folder: its own name in lower case, with hyphens for what is no letter or digit."""
    slug = re.sub(r"[^a-z0-9]+", "-", target.name.lower()).strip("-")[:63].strip("-")
    if not slug:
        raise UsageError(
            f"{target.name!r} cannot name a project",
            hint="Use letters, digits and hyphens, like my-app.",
        )
    return check_app_name(slug)


def create(target: Path, template: str = DEFAULT, *, force: bool = False) -> list[str]:
    """Make the project and return the names of its files.

    It appears whole or not at all; ``force`` writes into a folder that has something in it, over files of the same
    name. Raises NotFound for an unknown template, Conflict for a folder that is not empty, UsageError for a bad name.
    """
    if template not in names():
        raise NotFound(f"There is no template {template!r}", hint=f"Templates: {', '.join(names())}")
    name = app_name(target)
    if os.path.lexists(target) and not target.is_dir():
        raise Conflict(f"{target} exists and is not a folder", code="file_exists")
    if target.is_dir() and any(target.iterdir()) and not force:
        raise Conflict(
            f"{target} is not empty",
            code="folder_not_empty",
            hint="Choose another name, or add --force.",
        )
    return _write(target, template, name)


def _write(target: Path, template: str, name: str) -> list[str]:
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        written = [_render(item, staging, name) for item in _files(template)]
        staging.chmod(0o755)
        if target.is_dir() and any(target.iterdir()):
            for file in written:
                os.replace(staging / file, target / file)
        else:
            os.replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return sorted(written)


def _render(item: Traversable, folder: Path, name: str) -> str:
    # ``name`` holds nothing but lower-case letters, digits and hyphens, so it is safe in any of these files.
    file = item.name.replace("dot-", ".", 1)
    (folder / file).write_text(item.read_text(encoding="utf-8").replace("{{name}}", name), encoding="utf-8")
    return file


def _files(template: str) -> list[Traversable]:
    return [item for item in (_folder() / template).iterdir() if item.is_file() and not item.name.endswith(".pyc")]


def _folder() -> Traversable:
    return files("capsule_cli") / "templates"
