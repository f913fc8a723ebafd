"""The life of a runtime: read what to run, go into the sandbox, import the app, boot, work, stop."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

from cpsl.app import host
from cpsl.app.app import App
from cpsl.errors import DeployFailed
from cpsl.runtime import sandbox
from cpsl.runtime.bridge import LinkBridge
from cpsl.runtime.describe import broken
from cpsl.runtime.link import Link, read_first
from cpsl.runtime.load import load_app
from cpsl.runtime.output import Output
from cpsl.runtime.worker import Worker
from cpsl.wire import frames

_FLUSH_SECONDS = 5.0
_KEPT_VARIABLES = ("PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_POLLRDHUP = getattr(select, "POLLRDHUP", 0)


def serve(descriptor: int) -> NoReturn:
    """Be the runtime whose host is at the other end of the socket ``descriptor``. Ends the process."""
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    _close_others(descriptor)
    try:
        start = read_first(sock)
    except (OSError, ValueError) as error:
        _leave(f"capsule runtime: {error}\n")
    try:
        root = _settle(start)
    except DeployFailed as error:
        sock.sendall(frames.encode(broken(error)))
        os._exit(1)
    _Process(sock, start, root).run()


class _Process:
    """A settled process: its link, and the app once it is imported."""

    def __init__(self, sock: socket.socket, start: frames.Start, root: Path) -> None:
        self._sock = sock
        self._start = start
        self._root = root
        self._worker: Worker | None = None
        self._link = Link(sock, self._handle, lambda reason: os._exit(0))
        self._bridge = LinkBridge(self._link, start.app_url)
        self._output = Output(self._link.log)

    def run(self) -> NoReturn:
        """Import the app, then work until the host says stop."""
        host.use(self._bridge)
        self._output.install()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the gateway's terminal is the gateway's business
        threading.Thread(target=_watch, args=(self._sock.fileno(),), name="link", daemon=True).start()
        try:
            app = load_app(self._start.entry, self._root)
        except DeployFailed as error:
            self._give_up(broken(error))
        if self._start.import_only:
            self._output.finish()
            self._link.send(frames.Ready(app.spec()))
            self._exit(0)
        asyncio.run(self._work(app))
        self._exit(0)

    async def _work(self, app: App) -> None:
        worker = Worker(app, self._start, self._link, self._bridge, self._output)
        loop = asyncio.get_running_loop()
        self._link.attach(loop)
        failed = await worker.boot()
        if failed is not None:
            self._give_up(failed)
        self._worker = worker
        loop.add_signal_handler(signal.SIGTERM, worker.handle, frames.Stop())
        self._link.send(frames.Ready(app.spec()))
        await worker.stopped.wait()
        self._exit(0)  # before asyncio.run waits for threads of handlers that never end

    def _handle(self, frame: frames.ToRuntime) -> None:
        if self._worker is not None:
            self._worker.handle(frame)
        elif isinstance(frame, frames.Stop):
            os._exit(0)

    def _give_up(self, told: frames.Broken) -> NoReturn:
        self._output.finish()
        self._link.send(told)
        self._exit(1)

    def _exit(self, status: int) -> NoReturn:
        self._link.flush_blocking(_FLUSH_SECONDS)
        os._exit(status)


def _settle(start: frames.Start) -> Path:
    """Go where the app lives, with the environment that it may see. Returns the folder of its code."""
    sys.dont_write_bytecode = True
    if start.isolation == "namespaces":
        sandbox.enter(sandbox.plan(start.code_dir, start.mounts))
        root, home = Path(sandbox.CODE), sandbox.HOME
    else:
        root, home = _without_sandbox(start), os.environ.get("HOME", "/")
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    locale = {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    os.environ.clear()
    os.environ.update({**kept, **locale, "HOME": home, **start.environment})
    return root


def _without_sandbox(start: frames.Start) -> Path:
    if start.isolation != "none":
        raise DeployFailed(f"There is no isolation called {start.isolation!r}", code="sandbox_unavailable")
    if start.mounts:
        raise DeployFailed(
            f"A filesystem cannot be mounted at {start.mounts[0].path} without isolation",
            code="sandbox_unavailable",
            hint="Start the gateway without --isolation none, or take the filesystems out of the app.",
        )
    try:
        os.chdir(start.code_dir)
    except OSError as error:
        raise DeployFailed(f"The app's code is missing: {error.strerror}", code="code_missing") from error
    return Path(start.code_dir)


def _watch(descriptor: int) -> None:
    """End the process when the host is gone, also while the app's code keeps the loop busy."""
    poll = select.poll()
    poll.register(descriptor, _POLLRDHUP)
    while not poll.poll():
        pass
    os._exit(0)


def _close_others(descriptor: int) -> None:
    """Close what was inherited besides the standard streams and the link."""
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, 1024)


def _leave(message: str) -> NoReturn:
    os.write(2, message.encode())
    os._exit(2)
