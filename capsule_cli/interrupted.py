"""Ctrl-C: what comes after it begins on a line of its own, not behind the ``^C`` that the terminal shows."""

from __future__ import annotations

import sys

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
