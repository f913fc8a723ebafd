"""The client of one command, built when the command runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpsl.client import Client


def connect(profile: str | None) -> Client:
    """A client for ``profile`` (the active one if None); use it in a ``with``. Raises NotLoggedIn, NotFound."""
    from cpsl.client import Client

    return Client(profile=profile)
