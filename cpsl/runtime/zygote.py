"""Imports the app once, then forks a runtime for each user: ``python -m cpsl.runtime --zygote``.

The process has one thread, no event loop and no socket but its own while it forks; an app whose import leaves threads
or connections behind cannot be forked, and gets one such process a user instead, which then is the runtime itself.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from cpsl.app import host
from cpsl.errors import DeployFailed
from cpsl.runtime import placeholders, private, process
from cpsl.runtime.bridge import LinkBridge
from cpsl.runtime.describe import broken
from cpsl.runtime.link import Link, read_first
from cpsl.runtime.load import load_app
from cpsl.runtime.output import Output
from cpsl.runtime.rehearsal import rehearse
from cpsl.wire import frames

_FLUSH_SECONDS = math.inf
"""The host may be slow to read all that an import has printed; it decides how long that may take."""
_READ_BYTES = 64 * 1024
_DESCRIPTORS = 4


def serve(descriptor: int, code: str) -> NoReturn:
    """Be the zygote whose host is at the other end of the socket ``descriptor``. Ends the process."""
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, 1024)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the gateway's terminal is the gateway's business
    try:
        start = read_first(sock)
    except (OSError, ValueError) as error:
        os.write(2, f"capsule runtime: {error}\n".encode())
        os._exit(2)
    os.environ.update(start.environment)
    sys.dont_write_bytecode = True
    _Zygote(sock, start, Path(code)).run()


class _Zygote:
    """The process while it imports, and while it forks."""

    def __init__(self, sock: socket.socket, start: frames.Start, code: Path) -> None:
        self._sock = sock
        self._start = start
        self._code = code
        self._link = Link(sock, self._ignore, lambda reason: os._exit(0))
        self._output = Output(self._link)
        self._is_confined = start.isolation == "namespaces"

    def run(self) -> NoReturn:
        host.use(LinkBridge(self._link, self._start.app_url))
        self._output.install()
        gc.disable()
        if self._start.only_look:
            placeholders.install()
        try:
            app = load_app(self._start.entry, self._code)
        except DeployFailed as error:
            self._give_up(broken(error))
        spec = app.spec()
        cannot_fork = self._why_not()
        self._output.finish()
        self._link.send(frames.Ready(spec, cannot_fork))
        self._link.flush_blocking(_FLUSH_SECONDS)
        if not cannot_fork:
            rehearse()
        gc.collect()
        gc.freeze()
        self._sock.setblocking(True)
        process.Runtime(self._wait_for_work(bool(cannot_fork)), app, self._start, self._output).run()

    def _wait_for_work(self, stays: bool) -> process.Work:
        """Fork a process for each user; returns only in those, with what they have to do."""
        for work in self._requests():
            if self._is_now_runtime(work, stays):
                self._sock.close()
                gc.enable()
                return work
            work.close()
        os._exit(0)

    def _is_now_runtime(self, work: process.Work, stays: bool) -> bool:
        if stays:
            private.stay(work.life, is_confined=self._is_confined)
            return True
        if self._is_confined:
            return private.fork_into_sandbox(work.link, work.life)
        return private.fork_plainly(work.life)

    def _requests(self) -> Iterator[process.Work]:
        """Each user that the host wants a runtime for, with the four descriptors that came with the request."""
        buffer, descriptors = frames.FrameBuffer(), list[int]()
        while True:
            data, new, _, _ = socket.recv_fds(self._sock, _READ_BYTES, 32 * _DESCRIPTORS)
            if not data:
                return
            descriptors += new
            for body in buffer.feed(data):
                frame = frames.decode_to_runtime(body)
                if isinstance(frame, frames.Fork):
                    yield process.Work.of(frame.user, descriptors[:_DESCRIPTORS])
                    del descriptors[:_DESCRIPTORS]

    def _why_not(self) -> str:
        """Why this process must not be forked: what would go on in it, or be shared with every child."""
        threads = len(os.listdir("/proc/self/task")) - 1
        if threads:
            return f"importing the app left {threads} thread{'s'[: threads != 1]} running"
        connections = sum(map(self._is_foreign_socket, os.listdir("/proc/self/fd")))
        return f"importing the app left {connections} open connection{'s'[: connections != 1]}" if connections else ""

    def _is_foreign_socket(self, descriptor: str) -> bool:
        if int(descriptor) in (0, 1, 2, self._sock.fileno()):
            return False
        with suppress(OSError):
            return os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:")
        return False

    def _give_up(self, told: frames.Broken) -> NoReturn:
        self._output.finish()
        self._link.send(told)
        self._link.flush_blocking(_FLUSH_SECONDS)
        os._exit(1)

    def _ignore(self, frame: frames.ToRuntime) -> None:
        """While it imports, the host only answers questions, which the link takes by itself."""
