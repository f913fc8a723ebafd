"""The environment that an app asks for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cpsl.app import requirements
from cpsl.app.invalid import invalid
from cpsl.wire.apps import ImageSpec


class Image:
    """Debian packages, Python packages and shell commands, installed in that order when the app is deployed.

    ``python_packages`` is a list of requirements like ``["openai>=1"]``, or the path of a requirements file as pip
    reads it, with what it names by ``-r`` and ``-c``. Raises FileNotFoundError for a file that is not there and
    InvalidRequest (a ValueError, code ``invalid_image``) for what is not a list of text, and for what only this machine
    could install, like ``-e .``.
    """

    def __init__(
        self,
        *,
        python_packages: Iterable[str] | str | os.PathLike[str] | None = None,
        apt_packages: Iterable[str] | None = None,
        commands: Iterable[str] | None = None,
    ) -> None:
        self.python_packages: list[str] = []
        self.apt_packages: list[str] = []
        self.commands: list[str] = []
        self.add_python_packages(python_packages or [])
        self.add_apt_packages(apt_packages or [])
        self.add_commands(commands or [])

    def add_python_packages(self, packages: Iterable[str] | str | os.PathLike[str]) -> Image:
        """Add requirements, or those of a requirements file."""
        if isinstance(packages, (str, os.PathLike)):
            self.python_packages += requirements.read(Path(packages))
        else:
            self.python_packages += requirements.check(_texts(packages, "python_packages"))
        return self

    def add_apt_packages(self, packages: Iterable[str]) -> Image:
        """Add Debian packages."""
        self.apt_packages += _texts(packages, "apt_packages")
        return self

    def add_commands(self, commands: Iterable[str]) -> Image:
        """Add shell commands, run after the packages are there."""
        self.commands += _texts(commands, "commands")
        return self

    def spec(self) -> ImageSpec:
        """The image as it travels."""
        return ImageSpec(list(self.python_packages), list(self.apt_packages), list(self.commands))

    def __repr__(self) -> str:
        return (
            f"Image(python_packages={self.python_packages!r}, apt_packages={self.apt_packages!r}, "
            f"commands={self.commands!r})"
        )


def _texts(values: Iterable[str], parameter: str) -> list[str]:
    items = [values] if isinstance(values, str) else list(values)
    if isinstance(values, str) or not all(isinstance(item, str) and item.strip() for item in items):
        raise invalid(f"{parameter} must be a list of text", 'Write it like ["one", "two"]', "invalid_image")
    return [item.strip() for item in items]
