"""What connects a runtime to its host besides its link: its two output pipes, and its life line.

The life line is a socket of packets. The first is a descriptor of the runtime's process 1 (a pidfd: nothing else can be
mistaken for it, and it tells when the process has ended); the second says how the app's process ended.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from contextlib import suppress
from typing import NamedTuple


class Ends(NamedTuple):
    """The descriptors of one runtime: ours, and those that it gets, in the order of ``frames.Fork``."""

    link: socket.socket
    life: socket.socket
    stdout: int
    stderr: int
    theirs: tuple[int, int, int, int]

    @classmethod
    def make(cls) -> Ends:
        """New ones. Raises OSError when this process may open no more."""
        link, their_link = socket.socketpair()
        life, their_life = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stdout, their_stdout = os.pipe()
        stderr, their_stderr = os.pipe()
        return cls(link, life, stdout, stderr, (their_link.detach(), their_life.detach(), their_stdout, their_stderr))

    def close_theirs(self) -> None:
        """Close what the runtime has now."""
        for descriptor in self.theirs:
            os.close(descriptor)


class Life:
    """Watches one process over its life line. ``announced`` is set once its ``pid`` is known, ``ended`` at its end."""

    def __init__(self, line: socket.socket) -> None:
        self.announced = asyncio.Event()
        self.ended = asyncio.Event()
        self.pid = 0
        self.status: int | None = None
        self._line = line
        self._pidfd = -1
        self._loop = asyncio.get_running_loop()
        line.setblocking(False)
        self._loop.add_reader(line.fileno(), self._read)

    def go_on(self) -> None:
        """Let the process go on; it waits since it has announced itself."""
        with suppress(OSError):
            self._line.send(b"!")

    def kill(self) -> None:
        """End the process now, and with it all that it has started."""
        if self._pidfd >= 0:
            end_group(self.pid)
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        elif not self.ended.is_set():
            self._end()  # it has never said who it is: nobody waits for it

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._line, 64, 4, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if descriptors:
            self._take_process(descriptors)
        elif data:
            self.status = _status(data) if self.status is None else self.status
        else:
            self._loop.remove_reader(self._line.fileno())
            if self._pidfd < 0:
                self._end()

    def _take_process(self, descriptors: list[int]) -> None:
        """The first that is a process; an app that got hold of its life line may send anything, and more than once."""
        pid = _pid_of(descriptors[0]) if self._pidfd < 0 and not self.announced.is_set() else None
        for other in descriptors[pid is not None :]:
            os.close(other)
        if pid is not None:
            self.pid, self._pidfd = pid, descriptors[0]
            self._loop.add_reader(self._pidfd, self._end)
            self.announced.set()

    def _end(self) -> None:
        if self._pidfd >= 0:
            end_group(self.pid)
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        with suppress(OSError):
            self.status = _status(self._line.recv(64)) if self.status is None else self.status
        self._loop.remove_reader(self._line.fileno())
        self._line.close()
        self.announced.set()
        self.ended.set()


def end_group(pid: int) -> None:
    """End the group of processes that ``pid`` leads: without a sandbox, what an app has started. In one, all end so."""
    with suppress(ProcessLookupError, PermissionError):
        if pid:
            os.killpg(pid, signal.SIGKILL)


def _pid_of(pidfd: int) -> int | None:
    """The process that a pidfd stands for, as this process's namespace numbers it: 0 if it has ended.

    None for what is no pidfd.
    """
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        found = re.search(r"^Pid:\s*(-?\d+)", file.read(), re.MULTILINE)
    return max(int(found[1]), 0) if found else None


def _status(told: bytes) -> int | None:
    """How the process says that it ended: an exit status, or a signal as a negative number; None if it does not."""
    with suppress(ValueError):
        status = int(told)
        if -signal.NSIG < status < 256:
            return status
    return None
