"""The life of a runtime once it is forked: boot, work, stop."""

from __future__ import annotations

import asyncio
import math
import os
import select
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from typing import NoReturn

from cpsl.app import host
from cpsl.app.app import App
from cpsl.runtime.bridge import LinkBridge
from cpsl.runtime.forks import cut_off
from cpsl.runtime.link import Link
from cpsl.runtime.output import Output
from cpsl.runtime.worker import Worker
from cpsl.wire import frames

_FLUSH_SECONDS = 5.0
_POLLRDHUP = getattr(select, "POLLRDHUP", 0)


@dataclass(frozen=True)
class Work:
    """Whom a runtime is for, and its ends of what connects it to its host."""

    user: frames.AppUser
    link: socket.socket
    life: socket.socket
    stdout: int
    stderr: int

    @classmethod
    def of(cls, user: frames.AppUser, descriptors: list[int]) -> Work:
        """From the descriptors, in their order."""
        link, life, stdout, stderr = descriptors
        return cls(user, socket.socket(fileno=link), socket.socket(fileno=life), stdout, stderr)

    def close(self) -> None:
        """Forget it: another process has it now."""
        self.link.close()
        self.life.close()
        os.close(self.stdout)
        os.close(self.stderr)

    def connect_streams(self) -> None:
        """What goes to the file descriptors 1 and 2 is this runtime's from now on."""
        for descriptor, number in ((self.stdout, 1), (self.stderr, 2)):
            os.dup2(descriptor, number)
            os.close(descriptor)


class Runtime:
    """A process that works for one user."""

    def __init__(self, work: Work, app: App, start: frames.Start, output: Output) -> None:
        self._work = work
        self._app = app
        self._output = output
        self._is_confined = start.isolation == "namespaces"
        self._worker: Worker | None = None
        self._link = Link(work.link, self._handle, lambda reason: _vanish())
        self._bridge = LinkBridge(self._link, start.app_url)

    def run(self) -> NoReturn:
        """Boot, then work until the host says stop."""
        self._work.connect_streams()
        host.use(self._bridge)
        self._output.redirect(self._link)
        _reseed()
        cut_off(self._link.abandon, self._output.detach)
        if not self._is_confined:  # else all end with the keeper of the sandbox
            threading.Thread(target=_watch, args=(self._work.link.fileno(),), name="link", daemon=True).start()
        asyncio.run(self._serve())
        self._exit(0)

    async def _serve(self) -> None:
        worker = Worker(self._app, self._work.user, self._link, self._bridge, self._output)
        loop = asyncio.get_running_loop()
        self._link.attach(loop)
        failed = await worker.boot()
        if failed is not None:
            self._link.send(failed)
            self._exit(1, math.inf)
        self._worker = worker
        loop.add_signal_handler(signal.SIGTERM, worker.handle, frames.Stop())
        self._link.send(frames.Booted())
        await worker.stopped.wait()
        self._exit(0)  # before asyncio.run waits for threads of handlers that never end

    def _handle(self, frame: frames.ToRuntime) -> None:
        if self._worker is not None:
            self._worker.handle(frame)
        elif isinstance(frame, frames.Stop):
            os._exit(0)

    def _exit(self, status: int, patience: float = _FLUSH_SECONDS) -> NoReturn:
        self._link.flush_blocking(patience)
        os._exit(status)


def _reseed() -> None:
    """Give this process random numbers of its own. Python's ``random`` does so by itself after a fork."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        numpy.random.seed()


def _watch(descriptor: int) -> None:
    """End the process when the host is gone, also while the app's code keeps the loop busy."""
    poll = select.poll()
    poll.register(descriptor, _POLLRDHUP)
    while not poll.poll():
        pass
    _vanish()


def _vanish() -> NoReturn:
    """The host is gone: end, and without a sandbox whatever the app has started and left in this process's group."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
