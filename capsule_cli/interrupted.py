"""Ctrl-C: what comes after it begins on a line of its own, not behind the ``^C`` that the terminal shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from capsule_cli import output

_is_told = False


def end_line() -> None:
    """End the line that was broken off, once, where somebody sees it."""
    global _is_told
    if not _is_told and sys.stderr.isatty():
        print(file=sys.stderr)
    _is_told = True


def is_told() -> None:
    """What was broken off has ended its line itself."""
    global _is_told
    _is_told = True


@contextmanager
def resumable() -> Iterator[None]:
    """The block does something that goes on where it stopped, which is said when it was stopped."""
    try:
        yield
    except KeyboardInterrupt:
        end_line()
        output.say("Interrupted. The same command goes on where it stopped.")
        raise
