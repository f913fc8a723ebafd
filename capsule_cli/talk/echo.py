"""Whether the terminal shows what is typed: not while an answer is written, whose lines it would tear."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def echo(on: bool) -> Iterator[None]:
    """Show keys, or keep them for the next prompt, while the block runs. Without a terminal it does nothing."""
    try:
        import termios
    except ImportError:  # Windows shows keys only when they are read
        yield
        return
    try:
        before = termios.tcgetattr(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError, termios.error):
        yield
        return
    flags = before[3] | termios.ECHO if on else before[3] & ~termios.ECHO
    termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, [*before[:3], flags, *before[4:]])
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, before)
