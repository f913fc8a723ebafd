"""What the benchmarks share: a gateway with an app, a bare Litestar application beside it, and requests as bytes.

The client is a plain socket: an HTTP library would cost more than what is measured.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.gateway import GatewayProcess
from tests.support.servers import free_port

APPS = Path(__file__).parent / "apps"


class Bare(NamedTuple):
    """Where the reference runs."""

    port: int
    pid: int


@contextmanager
def gateway(app: Path, **environment: str) -> Iterator[GatewayProcess]:
    """A gateway on a disk of this machine, with one app deployed; ``environment`` for its settings."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        running = GatewayProcess(Path(home))
        running.env |= environment
        running.start()
        try:
            running.deploy(app)
            yield running
        finally:
            running.kill()


@contextmanager
def bare() -> Iterator[Bare]:
    """The reference, ``benchmarks.bare``, in a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(port)])
    try:
        time.sleep(2)
        yield Bare(port, process.pid)
    finally:
        process.kill()
        process.wait()


def post(path: str, token: str = "", text: str = "hi") -> bytes:
    """The bytes of a POST of a message."""
    body = json.dumps({"text": text}).encode()
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def get(path: str, token: str = "") -> bytes:
    """The bytes of a GET."""
    head = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *([f"Authorization: Bearer {token}"] if token else [])]
    return "\r\n".join([*head, "", ""]).encode()


def connected(port: int) -> socket.socket:
    """A connection to a server of this machine."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length."""
    answer = b""
    while True:
        answer += connection.recv(65536)
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            return answer


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """What comes, to the end of the piece that brings ``mark``."""
    content, seen = bytearray(), 0
    while content.find(mark, max(0, seen - len(mark))) < 0:
        seen = len(content)
        content += connection.recv(1 << 20) or _broken_off(content)
    return bytes(content)


def _broken_off(content: bytearray) -> bytes:
    raise ConnectionError(f"the stream ended early: {bytes(content[-1000:])!r}")
