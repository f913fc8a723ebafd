"""What names an image: the recipe, and what of this machine goes into the result."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import sysconfig
from functools import cache

import msgspec

from cpsl.errors import InvalidRequest
from cpsl.wire.apps import ImageSpec

_FORMAT = 1
_DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?")
CONSTRAINT = "--constraint "


class Recipe(msgspec.Struct, frozen=True):
    """All that decides what a build makes; kept in the image as ``recipe.json``."""

    image: ImageSpec
    python: str
    platform: str
    system: str = ""
    format: int = _FORMAT


def is_empty(spec: ImageSpec) -> bool:
    """Whether it asks for nothing: then there is no image, and the app runs with what the machine has."""
    return spec == ImageSpec()


def recipe(spec: ImageSpec) -> Recipe:
    """The recipe for this interpreter and this machine.

    Raises InvalidRequest (code ``invalid_image``) for a name that is no Debian package's.
    """
    for name in spec.apt_packages:
        if not _DEBIAN_PACKAGE.fullmatch(name):
            raise InvalidRequest(
                f"{name!r} is not the name of a Debian package",
                code="invalid_image",
                hint='Write it like "poppler-utils", "libpq-dev=15.8-0+deb12u1" or "libc6:i386".',
            )
    is_of_this_system = bool(spec.apt_packages or spec.commands)
    return Recipe(spec, _python(), sysconfig.get_platform(), _system() if is_of_this_system else "")


def digest(recipe: Recipe) -> str:
    """The name of the image, like ``img_0f…`` with 32 hexadecimal digits."""
    content = msgspec.json.encode(recipe, order="deterministic")
    return f"img_{hashlib.blake2b(content, digest_size=16).hexdigest()}"


def interpreter() -> str:
    """The path of the gateway's own Python, outside of any virtual environment."""
    return os.path.realpath(sys.executable)


def _python() -> str:
    # The path too: a virtual environment points at its interpreter.
    return f"{sys.implementation.name} {platform.python_version()} {interpreter()}"


@cache
def _system() -> str:
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', 'linux')} {release.get('VERSION_ID', '')}".strip()
