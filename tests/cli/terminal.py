"""A program in a terminal that a test types into, by the standard library's own means."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pyte

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
    """``python ARGUMENTS`` in a terminal. ``screen`` is all that was ever written to it, ``lines`` what it shows."""

    def __init__(
        self, arguments: list[str], *, env: Mapping[str, str], cwd: Path, columns: int = 80, rows: int = 24
    ) -> None:
        self._master, slave = pty.openpty()
        self._emulator = pyte.HistoryScreen(columns, rows, history=20_000, ratio=0.5)
        self._emulation = pyte.Stream(self._emulator)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, os.ttyname(slave), *arguments],
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        self._slave = slave  # kept open, so that reading does not fail in between
        self.screen = ""
        self._seen = 0

    @property
    def lines(self) -> list[str]:
        """What an eye sees, with what has scrolled away above."""
        above = ["".join(line[x].data for x in range(self._emulator.columns)) for line in self._emulator.history.top]
        shown = [line.rstrip() for line in (*above, *self._emulator.display)]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def wait_for(self, text: str, seconds: float = 30.0) -> None:
        """Return when ``text`` has appeared after what was waited for last."""
        end = time.monotonic() + seconds
        while text not in self.screen[self._seen :]:
            assert time.monotonic() < end, f"{text!r} did not appear in:\n{self.screen}"
            self._read(0.1)
        self._seen = self.screen.index(text, self._seen) + len(text)

    def wait_for_prompt(self, seconds: float = 30.0) -> None:
        """Return when a conversation waits for a message."""
        end = time.monotonic() + seconds
        while not self._at_prompt():
            assert time.monotonic() < end, "no prompt in:\n" + "\n".join(self.lines)
            self._read(0.1)
        self._seen = len(self.screen)

    def _at_prompt(self) -> bool:
        cursor = self._emulator.cursor
        return cursor.x == 2 and self._emulator.display[cursor.y].rstrip() == ">"

    def type(self, text: str) -> None:
        """Press these keys."""
        if CTRL_C in text:
            time.sleep(0.2)  # Python misses a signal between writing a prompt and reading the answer
        os.write(self._master, text.encode())

    def resize(self, columns: int, rows: int = 24) -> None:
        """Make the window another size."""
        self._emulator.resize(rows, columns)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

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
            written = os.read(self._master, 65536).decode(errors="replace")
            self.screen += written
            self._emulation.feed(written)
            self._answer_questions(written)
            seconds = 0

    def _answer_questions(self, written: str) -> None:
        if "\x1b[6n" in written:  # where is the cursor?
            cursor = self._emulator.cursor
            os.write(self._master, f"\x1b[{cursor.y + 1};{cursor.x + 1}R".encode())
