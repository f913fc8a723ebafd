"""Which files of a project belong into its archive."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cpsl.bundle.names import check_names, mib, normalized
from cpsl.errors import TooLarge
from cpsl.wire.apps import MAX_BUNDLE_BYTES

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILES = (".gitignore", ".capsuleignore")
"""Files with patterns of what to leave out, in every folder; the later one has the last word."""

_MACHINERY = (
    ".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "node_modules", "*.pyc", "*.pyo", ".ds_store", ".capsule",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".idea", ".vscode",
)  # fmt: skip
_PRIVATE = (
    ".env", ".env.*", ".envrc", ".netrc", ".pypirc", ".ssh", ".aws", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
)  # fmt: skip
ALWAYS_IGNORED = _MACHINERY + _PRIVATE
"""Never packed, whatever the ignore files say, in small or capital letters: machinery, and what holds secrets."""


@dataclass(frozen=True)
class BundleFile:
    """A file to be packed: where it is, its ``name`` in the archive (posix, NFC, relative), its size in bytes."""

    path: Path
    name: str
    size: int


class Bundle(list[BundleFile]):
    """The files of a project, by name.

    ``skipped`` names what one might miss: symbolic links, special files, and what holds secrets, like ``.env``.
    """

    def __init__(self, files: Iterable[BundleFile], skipped: Iterable[str] = ()) -> None:
        super().__init__(files)
        self.skipped = list(skipped)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self)


def collect(root: Path) -> Bundle:
    """The files of a project that belong into its archive.

    Left out: what ALWAYS_IGNORED or an ignore file in any of the folders names, symbolic links, special files. Raises
    InvalidRequest (code ``invalid_bundle``) for a name that no archive may hold, or two that differ only in case.
    """
    skipped: list[str] = []
    files = sorted(_walk(root, PurePosixPath(), (), skipped), key=lambda file: file.name)
    check_names(file.name for file in files)
    return Bundle(files, sorted(skipped))


Rules = tuple[tuple[PurePosixPath, "GitIgnoreSpec"], ...]


def _walk(folder: Path, name: PurePosixPath, rules: Rules, skipped: list[str]) -> Iterator[BundleFile]:
    rules = (*rules, *_rules_in(folder, name))
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        inner = name / entry.name
        if _matches(entry.name, _PRIVATE):
            skipped.append(str(inner))
        elif _is_ignored(inner, entry.is_dir(follow_symlinks=False), rules):
            continue
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), inner, rules, skipped)
        elif entry.is_file(follow_symlinks=False):
            yield BundleFile(Path(entry.path), normalized(str(inner)), entry.stat(follow_symlinks=False).st_size)
        else:
            skipped.append(str(inner))


def _rules_in(folder: Path, name: PurePosixPath) -> Iterator[tuple[PurePosixPath, GitIgnoreSpec]]:
    from pathspec import GitIgnoreSpec

    for ignore_file in IGNORE_FILES:
        path = folder / ignore_file
        if path.is_file() and not path.is_symlink():
            yield name, GitIgnoreSpec.from_lines(path.read_text("utf-8", errors="replace").splitlines())


def _is_ignored(name: PurePosixPath, is_folder: bool, rules: Rules) -> bool:
    """As git decides: the last pattern that says anything about a name wins, those of inner folders come last."""
    if _matches(name.name, _MACHINERY):
        return True
    ignored = False
    for base, spec in rules:
        shown = f"{name.relative_to(base)}{'/' if is_folder else ''}"
        verdict = spec.check_file(shown).include
        ignored = ignored if verdict is None else verdict
    return ignored


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)


def check_size(files: Iterable[BundleFile], limit: int = MAX_BUNDLE_BYTES) -> int:
    """The bytes of all files together. Raises TooLarge (``bundle_too_large``) over ``limit``, naming the largest."""
    rows = sorted(files, key=lambda file: file.size, reverse=True)
    total = sum(file.size for file in rows)
    if total <= limit:
        return total
    largest = ", ".join(f"{file.name} ({mib(file.size)})" for file in rows[:3])
    raise TooLarge(
        f"The project has {mib(total)}, more than the {mib(limit)} that may be deployed",
        code="bundle_too_large",
        hint=f"The largest files are {largest}. Name what the app does not need in .capsuleignore.",
    )
