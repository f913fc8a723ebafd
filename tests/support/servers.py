"""Small real HTTP servers: they count connections, pass on what is for others, and speak TLS."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Server(ThreadingHTTPServer):
    """Answers every GET with an empty list of apps. ``connections`` and ``paths`` are what it saw."""

    daemon_threads = True
    scheme = "http"

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.connections = 0
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Quiet(BaseHTTPRequestHandler):
    """Answers with a body, and writes nothing about it."""

    def respond(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Apps(Quiet):
    """A gateway without apps, that keeps connections."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: the second would wait for the first to be acknowledged
    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.answer(200, b'{"apps":[]}')

    def answer(self, status: int, body: bytes) -> None:
        self.respond(status, "application/json", body)


class Forwarding(Apps):
    """A proxy for plain HTTP: what is asked of it names the whole URL."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        answer = httpx.get(self.path, headers={"Authorization": self.headers["Authorization"]}, trust_env=False)
        self.answer(answer.status_code, answer.content)


def free_port() -> int:
    """A port of loopback that nothing listens on, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler] = Apps, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on loopback, over TLS if there is a context for it."""
    with Server(handler) as server:
        if tls is not None:
            server.scheme, server.socket = "https", tls.wrap_socket(server.socket, server_side=True)
        with running(server):
            yield server


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server answer, in a thread of its own, until the end."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "own.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path
