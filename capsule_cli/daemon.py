"""The gateway on this machine as a process: is it running, start it, stop it.

What tells is the lock in its data directory, which the operating system gives back even after ``kill -9``;
``gateway.json`` beside it says at which URL, and is believed only while the lock is held.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from capsule_cli.errors import UsageError
from cpsl.errors import CapsuleError, ConnectionFailed, GatewayTimeout

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_INSTALL = "pip install 'capsule-cli[gateway]'"


class Running(NamedTuple):
    """A gateway that runs. ``started_at`` in seconds since the epoch."""

    pid: int
    url: str
    version: str
    started_at: float
    isolation: str = "namespaces"


class Choices(NamedTuple):
    """Where a gateway listens, and how it keeps apps apart."""

    host: str
    port: int
    isolation: str


def choose(host: str | None = None, port: int | None = None, isolation: str = "namespaces") -> Choices:
    """What was chosen, else what the settings ``gateway_host`` and ``gateway_port`` say."""
    from cpsl import config

    if isolation not in ("namespaces", "none"):
        raise UsageError(f"There is no isolation {isolation!r}", hint="Use namespaces, or none.")
    return Choices(
        config.get("gateway_host") if host is None else host,
        config.get("gateway_port") if port is None else port,
        isolation,
    )


def data_dir(chosen: str | None) -> Path:
    """The data directory, as an absolute path: the one chosen, else the machine's."""
    from cpsl import config

    return Path(chosen).expanduser().resolve() if chosen else Path(config.data_dir())


def require_extra() -> None:
    """Raise UsageError unless the server's packages are installed, CapsuleError if this system is not Linux."""
    from importlib.util import find_spec

    if not sys.platform.startswith("linux"):
        raise CapsuleError(
            "A gateway needs Linux",
            code="unsupported_system",
            hint="Log in to one that runs there: capsule login --gateway URL",
        )
    missing = [name for name in ("litestar", "uvicorn", "sqlalchemy", "alembic", "cryptography") if not find_spec(name)]
    if missing:
        raise UsageError("The gateway's packages are not installed", code="extra_missing", hint=_INSTALL)


def find(folder: Path) -> Running | None:
    """The gateway that runs on this data directory, if one does."""
    if not is_locked(folder):
        return None
    try:
        told = json.loads((folder / "gateway.json").read_text())
        return Running(
            int(told["pid"]),
            told["url"],
            str(told.get("version", "")),
            float(told.get("started_at", 0)),
            str(told.get("isolation", "namespaces")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is just starting, or just stopping


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of this data directory."""
    try:
        handle = os.open(folder / "gateway.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(handle)
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def start(folder: Path, chosen: Choices) -> Running:
    """Start a gateway in the background and return when it answers. Raises CapsuleError with its own last lines."""
    require_extra()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / "gateway.log"
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    begin = os.fstat(handle).st_size
    try:
        process = subprocess.Popen(
            _command(folder, chosen),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            cwd=folder,  # ``-m`` puts it on the module path, and the user's folder may hold anything
            start_new_session=True,
        )
    finally:
        os.close(handle)
    return _wait_until_ready(process, folder, log, begin)


def _command(folder: Path, chosen: Choices) -> list[str]:
    where = ["--data-dir", str(folder), "--host", chosen.host, "--port", str(chosen.port)]
    options = [*where, "--isolation", chosen.isolation]
    return [sys.executable, "-m", "cpsl.gateway", *options]


def ensure(folder: Path) -> Running:
    """The gateway on this data directory; started, if it does not run."""
    return find(folder) or start(folder, choose())


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path, log: Path, begin: int) -> Running:
    try:
        for _ in _until(START_SECONDS):
            if process.poll() is not None:
                return _other_or_failure(process, folder, log, begin)
            running = find(folder)
            if running and running.pid == process.pid and answers(running.url):
                return running
    except KeyboardInterrupt:
        process.terminate()
        raise
    process.terminate()
    raise GatewayTimeout(
        f"The gateway did not become ready within {START_SECONDS:.0f} seconds and was stopped",
        hint=f"Its log: {log}",
    )


def _other_or_failure(process: subprocess.Popen[bytes], folder: Path, log: Path, begin: int) -> Running:
    """It exited. If two starts raced, the other one runs now, and that is as good."""
    for _ in _until(5.0):
        running = find(folder)
        if running and answers(running.url):
            return running
        if not is_locked(folder):
            break
    told = tail(log, begin)
    raise CapsuleError(
        told or f"The gateway stopped with exit code {process.returncode}",
        code="gateway_did_not_start",
        hint=f"Its log: {log}",
    )


def tail(log: Path, begin: int) -> str:
    """The last lines that were written to ``log`` after byte ``begin``: where a program says why it stopped."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(begin)
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        return "\n".join(lines[-5:])
    return ""


def answers(url: str, path: str = "/readyz", seconds: float = 2.0) -> bool:
    """Whether a gateway answers at ``url``, and is ready."""
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    connection = HTTPConnection(urlsplit(url).netloc, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def stop(folder: Path, running: Running) -> None:
    """Ask the gateway to stop and return when its lock is free. Raises GatewayTimeout."""
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise CapsuleError(f"The gateway (process {running.pid}) belongs to another user") from None
    for _ in _until(STOP_SECONDS):
        if not is_locked(folder):
            return
    raise GatewayTimeout(
        f"The gateway (process {running.pid}) did not stop within {STOP_SECONDS:.0f} seconds",
        hint=f"End it for good: kill -9 {running.pid}",
    )


def require(folder: Path) -> Running:
    """The gateway that runs on this data directory. Raises ConnectionFailed if none does."""
    running = find(folder)
    if running is None:
        raise ConnectionFailed("The gateway is not running", code="gateway_not_running", hint="capsule gateway start")
    return running


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(_POLL_SECONDS)
