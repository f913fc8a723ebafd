"""What people send with the forms of an app's pages, and what is wrong with it."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import urlsplit

from cpsl.errors import InvalidRequest


class FormError(InvalidRequest):
    """A form cannot be taken as it is. ``field`` is the one to look at; empty for none in particular."""

    def __init__(self, field: str, message: str, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.field = field


def path_inside(given: str, base: str) -> str:
    """Where to go next: ``given`` if that is a path of the app whose pages are below ``base``, else its first page.

    What a browser would take for another site, like ``//evil.example`` or ``/\\evil.example``, is no path.
    """
    home = base or "/"
    if not given.startswith("/") or not given.isprintable() or "\\" in given or len(given) > 1000:
        return home
    try:
        parts = urlsplit(given)
    except ValueError:
        return home
    if parts.scheme or parts.netloc or not _is_below(posixpath.normpath(parts.path), base):
        return home
    return given


def _is_below(path: str, base: str) -> bool:
    return not path.startswith("//") and (path == base or path.startswith(f"{base}/"))
