"""The client of one command, built when the command runs."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from cpsl.client import Client

T = TypeVar("T")


def connect(profile: str | None) -> Client:
    """A client for ``profile`` (the active one if None), with the limits of the settings; use it in a ``with``.

    Raises NotLoggedIn, NotFound, ConfigError.
    """
    from cpsl import config
    from cpsl.client import Client

    return Client(profile=profile, timeout=config.get("timeout"), max_retries=config.get("max_retries"))


@contextmanager
def closing(stream: Iterator[T]) -> Iterator[Iterator[T]]:
    """``stream`` for the time of a ``with``; its connection is given back at the end, also in the middle of it."""
    try:
        yield stream
    finally:
        if isinstance(stream, Generator):
            stream.close()
