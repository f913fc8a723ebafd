"""A program in a terminal that a test types into, by the standard library's own means."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

# The first terminal that a session leader opens becomes its controlling one: Ctrl-C and getpass need that.
_LAUNCH = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(terminal, number)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """``python ARGUMENTS`` in a terminal. ``screen`` is all that it has shown so far."""

    def __init__(self, arguments: list[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, os.ttyname(slave), *arguments],
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        self._slave = slave  # kept open, so that reading does not fail in between
        self.screen = ""
        self._seen = 0

    def wait_for(self, text: str, seconds: float = 30.0) -> None:
        """Return when ``text`` has appeared after what was waited for last."""
        end = time.monotonic() + seconds
        while text not in self.screen[self._seen :]:
            assert time.monotonic() < end, f"{text!r} did not appear in:\n{self.screen}"
            self._read(0.1)
        self._seen = self.screen.index(text, self._seen) + len(text)

    def type(self, text: str) -> None:
        """Press these keys."""
        if CTRL_C in text:
            time.sleep(0.2)  # Python misses a signal between writing a prompt and reading the answer
        os.write(self._master, text.encode())

    def exit_code(self, seconds: float = 30.0) -> int:
        """Wait for the end; read what is shown until then."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it did not end:\n{self.screen}"
            self._read(0.05)
        self._read(0.05)
        return self.process.returncode

    def close(self) -> None:
        """End the program, if it still runs, and give the terminal back."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def _read(self, seconds: float) -> None:
        while select.select([self._master], [], [], seconds)[0]:
            self.screen += os.read(self._master, 65536).decode(errors="replace")
            seconds = 0
