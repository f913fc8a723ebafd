"""Names inside an archive, what an archive may hold, and how a refusal reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from cpsl.errors import InvalidRequest, TooLarge
from cpsl.wire.apps import MAX_BUNDLE_BYTES


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: files and folders, bytes unpacked, folders in folders, bytes of one whole name."""

    files: int = 20_000
    total_bytes: int = MAX_BUNDLE_BYTES
    depth: int = 32
    name_bytes: int = 1024


USUAL = Limits()
"""What a gateway takes if nobody chose otherwise."""


@dataclass
class Names:
    """Every name once, also where file systems see one name in two: in capitals, or in another Unicode form."""

    _files: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, str] = field(default_factory=dict)

    def add_file(self, name: str) -> None:
        """A file's name; no other entry may have it."""
        self.add_folder(str(PurePosixPath(name).parent))
        key = _folded(name)
        if key in self._files or key in self._folders:
            raise _twice(name)
        self._files[key] = name

    def add_folder(self, name: str) -> None:
        """A folder's name; the same spelling may come again, no file may have it."""
        for folder in (PurePosixPath(name), *PurePosixPath(name).parents):
            key = _folded(str(folder))
            if key in self._files or self._folders.setdefault(key, str(folder)) != str(folder):
                raise _twice(name)


def check_names(names: Iterable[str]) -> None:
    seen, limits = Names(), Limits()
    for name in names:
        seen.add_file(check_name(name, limits))


def check_name(name: str, limits: Limits = USUAL) -> str:
    """The name of an archive's entry in its one form, if it may be one. Raises InvalidRequest (``invalid_bundle``)."""
    plain = normalized(name).removeprefix("./").removesuffix("/")
    parts = plain.split("/")
    problem = _name_problem(plain, parts, limits)
    if problem:
        raise refused(f"the name {shown(name)} {problem}")
    return plain


def _name_problem(name: str, parts: list[str], limits: Limits) -> str | None:
    # Surrogates stand for bytes that are no UTF-8; control characters and newlines fool whoever reads a listing.
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        return "holds control characters or is not UTF-8"
    if name.startswith("/") or ".." in parts:
        return "leads out of the archive"
    if "\\" in name or any(len(part) > 1 and part[1] == ":" and part[0].isalpha() for part in parts):
        return "has a backslash or a drive"
    if "" in parts or "." in parts:
        return "is not in its simplest form"
    if len(name.encode()) > limits.name_bytes or any(len(part.encode()) > 255 for part in parts):
        return "is too long"
    if len(parts) > limits.depth:
        return f"is more than {limits.depth} folders deep"
    return None


def normalized(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return normalized(normalized(name).casefold())


def shown(name: str) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else f"{text[:77]}…'"


def refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The archive is refused: {why}", code="invalid_bundle", hint="Correct it in the project and deploy again."
    )


def _twice(name: str) -> InvalidRequest:
    return refused(f"the name {shown(name)} is there twice, or differs from another only in capitals or accents' form")


def too_large(why: str) -> TooLarge:
    return TooLarge(
        f"The archive is refused: {why}",
        code="bundle_too_large",
        hint="Name what the app does not need in .capsuleignore.",
    )


def mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"
