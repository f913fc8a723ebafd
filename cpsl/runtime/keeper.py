"""Process 1 of a sandbox, which runs no code of an app: it ends everything when the gateway is gone, and reaps."""

from __future__ import annotations

import os
import select
import signal
import socket
from typing import NoReturn


class Keeper:
    """Keeps the process ``worker`` and all that come of it. When it ends, the kernel ends all others.

    ``sock`` is the worker's link, ``lifeline`` a descriptor that hangs up when the gateway is gone.
    """

    def __init__(self, worker: int, sock: socket.socket, lifeline: int) -> None:
        self._worker = worker
        self._sock = sock
        self._lifeline = lifeline
        self._status = 0

    def run(self) -> NoReturn:
        """Keep, until none is left; then end with the status of the worker."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        poll.register(self._lifeline, 0)  # hang-ups are always told
        poll.register(woken, select.POLLIN)
        while self._reap():
            for descriptor, _ in poll.poll():
                if descriptor == self._lifeline:
                    os._exit(0)
                os.read(woken, 4096)
        os._exit(self._status)

    def _reap(self) -> bool:
        """Collect those that ended; False when none is left."""
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if child == 0:
                return True
            if child == self._worker:
                self._status = exit_status(status)
                # The link is open here too: without this the gateway would not notice.
                self._sock.shutdown(socket.SHUT_RDWR)


def exit_status(status: int) -> int:
    """What a shell says of a status of wait(2): an exit status, or 128 and the signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
