"""Runs a gateway as a process: one for each data directory, announced by files that its clients look for."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn
import uvloop

from cpsl import private_files
from cpsl._version import __version__
from cpsl.errors import ConfigError, Conflict
from cpsl.gateway.app import create_app
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.http.protocol import CarefulProtocol
from cpsl.gateway.keys import bootstrap_secret, master_key
from cpsl.gateway.settings import Settings
from cpsl.gateway.vault import Key
from cpsl.wire.accounts import Bootstrap

log = logging.getLogger("cpsl.gateway")
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """uvicorn waits for open streams when it stops; ours end when the gateway closes, so they are told first."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, announce: Announcement) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce.publish()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.closing.ring()
        await super().shutdown(sockets)


class Announcement:
    """The files in a data directory by which clients of this machine find its gateway and its owner logs in."""

    def __init__(self, settings: Settings, secret: str) -> None:
        self._settings = settings
        self._secret = secret
        self._state = settings.data_dir / "gateway.json"

    def publish(self) -> None:
        """Say that the gateway answers."""
        url = self._settings.own_url
        bootstrap = msgspec.json.encode(Bootstrap(url, self._secret))
        private_files.write(self._settings.data_dir / "bootstrap.json", bootstrap)
        state = {
            "pid": os.getpid(),
            "url": url,
            "version": __version__,
            "started_at": time.time(),
            "isolation": self._settings.isolation,
        }
        private_files.write(self._state, msgspec.json.encode(state))
        known = f", known as {self._settings.url}" if self._settings.public_url else ""
        log.info("listening on %s%s", url, known)

    def withdraw(self) -> None:
        """Say that it does not any more."""
        self._state.unlink(missing_ok=True)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError (data directory), Conflict (in use, port taken)."""
    _make_folders(settings.data_dir)
    _allow_many_files()
    with _locked(settings.data_dir), _listening(settings) as listener:
        settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])
        _sweep(settings.data_dir)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, master_key(settings.data_dir), listener))


async def _serve(settings: Settings, key: Key, listener: socket.socket) -> None:
    secret = bootstrap_secret()
    gateway = Gateway(settings, key, secret)
    announcement = Announcement(settings, secret)
    try:
        await gateway.open()
        await _server(gateway, announcement).serve([listener])
    finally:
        announcement.withdraw()
        await gateway.close()


def _server(gateway: Gateway, announcement: Announcement) -> _Server:
    config = uvicorn.Config(
        create_app(gateway),
        http=CarefulProtocol,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here believes who a proxy says is asking
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal that stopped it once more when it is done, which would end us before we tidy up.
        signal.signal(number, lambda *_: None)
    return _Server(config, gateway, announcement)


def _make_folders(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("fs", "files", "versions", "uploads", "tmp"):
            (data_dir / name).mkdir(exist_ok=True)
        if not os.access(data_dir, os.W_OK):
            raise PermissionError(13, "not writable", str(data_dir))
    except OSError as error:
        raise ConfigError(
            f"the data directory {data_dir} cannot be used: {error.strerror}",
            code="data_dir_unusable",
            hint="Choose another with --data-dir, or make this one writable.",
        ) from None


def _allow_many_files() -> None:
    """Each runtime takes five descriptors and each client one; what shells give by default is soon used up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _sweep(data_dir: Path) -> None:
    """Remove what an interrupted upload or deploy left behind."""
    shutil.rmtree(data_dir / "tmp", ignore_errors=True)
    (data_dir / "tmp").mkdir(exist_ok=True)


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Hold the data directory, so that two gateways never share one. Raises Conflict."""
    with (data_dir / "gateway.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"another gateway runs on {data_dir}",
                code="data_dir_in_use",
                hint="See it with: capsule gateway status",
            ) from None
        yield


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """A listening socket. Raises Conflict when the port is taken, ConfigError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(2048)
        except OSError as error:
            raise _cannot_listen(settings, error) from None
        yield listener


def _cannot_listen(settings: Settings, error: OSError) -> Exception:
    where = f"{settings.host}:{settings.port}"
    if isinstance(error, PermissionError) or error.errno not in (98, 48):
        return ConfigError(
            f"cannot listen on {where}: {error.strerror}",
            code="cannot_listen",
            hint="Choose another address with --host and --port.",
        )
    return Conflict(
        f"port {settings.port} is taken by another program",
        code="port_taken",
        hint=f"Choose another: capsule gateway start --port {settings.port + 1}",
    )


def configure_logging() -> None:
    """Log to standard error, one line an event, with nothing of requests' bodies or headers."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("alembic", "httpx", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
