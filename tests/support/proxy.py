"""A TCP proxy that cuts connections, as networks do, and one that ends TLS in front of a gateway."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from urllib.parse import urlsplit


class CuttingProxy:
    """Passes bytes on; of what the server answers, cuts each of the first connections after so many bytes."""

    def __init__(self, target: str, cut_after: list[int]) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._cut_after = list(cut_after)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = 0
        self._open: list[socket.socket] = []

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def hang_up(self) -> None:
        """Cut every connection that is open."""
        self.cuts += 1
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()

    def _pass(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        self._open += [client, server]
        threading.Thread(target=self._upward, args=(client, server), daemon=True).start()
        left = self._cut_after.pop(0) if self._cut_after else None
        with suppress(OSError), client, server:
            while data := server.recv(4096):
                if left is not None and len(data) >= left:
                    client.sendall(data[:left])
                    self.cuts += 1
                    break
                client.sendall(data)
                left = None if left is None else left - len(data)
            # Closing alone says nothing to the other side while another thread reads from the socket.
            for end in (client, server):
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _upward(client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)


class TlsProxy(CuttingProxy):
    """Speaks TLS with the outside and plain HTTP with its target."""

    def __init__(self, target: str, tls: ssl.SSLContext) -> None:
        super().__init__(target, [])
        self._listener = tls.wrap_socket(self._listener, server_side=True)
        self.url = self.url.replace("http", "https", 1)


P = TypeVar("P", bound=CuttingProxy)


@contextmanager
def cutting_proxy(target: str, cut_after: list[int]) -> Iterator[CuttingProxy]:
    """A proxy in front of ``target`` for the length of a ``with`` block."""
    with _open(CuttingProxy(target, cut_after)) as proxy:
        yield proxy


@contextmanager
def tls_proxy(target: str, tls: ssl.SSLContext) -> Iterator[TlsProxy]:
    """The same, of one that ends TLS."""
    with _open(TlsProxy(target, tls)) as proxy:
        yield proxy


@contextmanager
def _open(proxy: P) -> Iterator[P]:
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
