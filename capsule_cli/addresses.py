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
