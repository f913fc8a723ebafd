"""The client of one command, built when the command runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from cpsl.client import Client

T = TypeVar("T")


def connect(profile: str | None, on_wait: Callable[[str | None], None] | None = None) -> Client:
    """A client for ``profile`` (the active one if None), with the limits of the settings; use it in a ``with``.

    ``on_wait`` hears what it waits for, as with ``cpsl.Client``; without one, a line on the terminal tells.
    Raises NotLoggedIn, NotFound, ConfigError.
    """
    from capsule_cli import patience
    from cpsl import config

    hears = on_wait or patience.waits
    hears("contacting")  # to load the client takes a moment too
    try:
        from cpsl.client import Client

        limits = {"timeout": config.get("timeout"), "max_retries": config.get("max_retries")}
        return Client(profile=profile, on_wait=hears, **limits)
    finally:
        hears(None)


@contextmanager
def closing(stream: Iterator[T]) -> Iterator[Iterator[T]]:
    """``stream`` for the time of a ``with``; its connection is given back at the end, also in the middle of it."""
    try:
        yield stream
    finally:
        if isinstance(stream, Generator):
            stream.close()
