"""``NAME:/path``: a place in a filesystem, as people write it."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import NamedTuple

from capsule_cli.errors import UsageError

_ADDRESS = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):(/.*)?\Z", re.DOTALL)


class Address(NamedTuple):
    """A path in the filesystem ``name``."""

    name: str
    path: str

    @property
    def is_folder(self) -> bool:
        """Whether it is written as a folder, with a slash at its end."""
        return self.path.endswith("/")

    @property
    def last(self) -> str:
        """The last name of the path; empty for the top."""
        return PurePosixPath(self.path).name

    def __str__(self) -> str:
        return f"{self.name}:{self.path}"

    def below(self, name: str) -> Address:
        """What is called ``name`` in this folder."""
        return Address(self.name, f"{self.path.rstrip('/')}/{name}")


def read(text: str) -> Address | None:
    """``text`` as an address, or None if it is none. ``C:/x`` is a drive on Windows."""
    found = _ADDRESS.match(text)
    if found is None or (os.name == "nt" and len(found[1]) == 1):
        return None
    return Address(found[1], found[2] or "/")


def need(text: str, verb: str) -> Address:
    """``text`` as an address. Raises UsageError; ``verb`` is the command that wants it."""
    found = read(text)
    if found is None:
        raise UsageError(f"{text!r} is no path in a filesystem", hint=f"Like this: capsule fs {verb} NAME:/path")
    return found


def of_upload(places: list[str]) -> tuple[list[str], Address]:
    """``FILE... NAME:/PATH``, or as it was written before: ``NAME FILE [PATH]``. Raises UsageError."""
    target = read(places[-1]) if len(places) > 1 else None
    if target is not None:
        return places[:-1], target
    if len(places) not in (2, 3):
        raise UsageError("Say what goes up, and where", hint="Like this: capsule fs upload data.csv NAME:/data.csv")
    return [places[1]], Address(places[0], places[2] if len(places) == 3 else "/")


def of_download(places: list[str]) -> tuple[Address, str | None]:
    """``NAME:/PATH [FILE]``, or as it was written before: ``NAME PATH [FILE]``. Raises UsageError."""
    remote, rest = read(places[0]), places[1:]
    if remote is None and rest:
        remote, rest = Address(places[0], rest[0]), rest[1:]
    if remote is None or len(rest) > 1:
        raise UsageError("Say what comes down, and where it goes", hint="Like this: capsule fs download NAME:/data.csv")
    return remote, rest[0] if rest else None
