"""A sign of life while nothing comes: one line on stderr that is gone before anything else is printed."""

from __future__ import annotations

import shutil
import sys
import threading
import time

from capsule_cli import output
from capsule_cli.talk.safe import safe

_FRAMES, _ASCII_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_EVERY_SECONDS = 0.1
_QUIET_SECONDS = 0.3  # an answer that comes sooner than this needs no sign


class Spinner:
    """``show`` and ``hide`` it as often as you like; after ``hide`` nothing of it is on the screen.

    ``quiet``: seconds before it is drawn.
    """

    def __init__(self, quiet: float = _QUIET_SECONDS) -> None:
        self.wanted = output.animated(sys.stderr)
        self._quiet = quiet
        self._message = ""
        self._drawn = False
        self._on = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._gone = threading.Event()
        self._shown_at = 0.0

    def show(self, message: str) -> None:
        """From now on say ``message``, after a moment."""
        with self._lock:
            self._message = " ".join(safe(message).split())
            if not self._on:
                self._on, self._shown_at = True, time.monotonic()
        if self._thread is None and self.wanted:
            self._thread = threading.Thread(target=self._turn, daemon=True)
            self._thread.start()

    def hide(self) -> None:
        """Leave the line empty."""
        with self._lock:
            self._on = False
            if self._drawn:
                sys.stderr.write("\r\x1b[2K")
                sys.stderr.flush()
            self._drawn = False

    def close(self) -> None:
        """Hide it for good."""
        self.hide()
        self._gone.set()

    def _turn(self) -> None:
        frames = _FRAMES if output.is_unicode(sys.stderr) else _ASCII_FRAMES
        number = 0
        while not self._gone.wait(min(_EVERY_SECONDS, self._quiet)):
            with self._lock:
                if self._on and time.monotonic() - self._shown_at >= self._quiet:
                    self._draw(frames[number % len(frames)])
                    number += 1

    def _draw(self, frame: str) -> None:
        from rich.cells import set_cell_size

        columns = shutil.get_terminal_size().columns
        line = set_cell_size(f"{frame} {self._message}", max(columns - 1, 1)).rstrip()
        sys.stderr.write(f"\r\x1b[2K{output.dim(line)}")
        sys.stderr.flush()
        self._drawn = True
