"""Connections, time limits, proxies and certificates against real servers; errors that travel between processes."""

from __future__ import annotations

import asyncio
import copy
import pickle
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

import cpsl
from cpsl import errors
from cpsl.client.timeouts import Timeout
from tests.client.gateway import FakeGateway
from tests.support.servers import Apps, Forwarding, certificate, serving


class Busy(Apps):
    """A gateway that asks to come back, always."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.answer(503, b"{}")


class BusyThenSilent(Apps):
    """A gateway that asks to come back, and then does not answer in time."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if len(self.server.paths) > 1:
            time.sleep(0.6)
        self.answer(503, b"{}")


@contextmanager
def dripping() -> Iterator[str]:
    """A server that sends its answer a byte at a time, never silent for long."""

    def drip() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Disposition: attachment\r\n\r\n"
                )
                for _ in range(1000):
                    connection.sendall(b" ")
                    time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# --- connections --------------------------------------------------------------------------------------------------


def test_one_connection_serves_many_calls() -> None:
    with serving() as server, cpsl.Client("cps_x", server.url) as client:
        assert [client.list_apps() for _ in range(20)] == [[]] * 20
        assert server.connections == 1


def test_threads_share_a_client_and_its_connections() -> None:
    with serving() as server, cpsl.Client("cps_x", server.url) as client, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: client.list_apps(), range(40))) == [[]] * 40
        assert server.connections <= 4


def test_tasks_share_an_async_client_and_its_connections() -> None:
    async def main(url: str) -> None:
        async with cpsl.AsyncClient("cps_x", url) as client:
            for _ in range(5):
                assert await asyncio.gather(*(client.list_apps() for _ in range(8))) == [[]] * 8

    with serving() as server:
        asyncio.run(main(server.url))
        assert server.connections <= 8


# --- time ---------------------------------------------------------------------------------------------------------


def test_the_total_covers_retries_and_their_waits() -> None:
    limit = Timeout(total=0.6)
    with serving(Busy) as server, cpsl.Client("cps_x", server.url, timeout=limit, max_retries=1000) as client:
        begun = time.monotonic()
        with pytest.raises(cpsl.GatewayError):
            client.list_apps()
        assert time.monotonic() - begun < 1.0
        assert 1 < len(server.paths) < 20


def test_when_the_time_is_over_the_last_answer_says_why() -> None:
    limit = Timeout(total=0.5)
    with serving(BusyThenSilent) as server, cpsl.Client("cps_x", server.url, timeout=limit, max_retries=1) as client:
        with pytest.raises(cpsl.GatewayError) as told:
            client.list_apps()
        assert (told.value.status, len(server.paths)) == (503, 2)


def test_the_total_ends_an_answer_that_never_stops_to_come() -> None:
    with dripping() as url, cpsl.Client("cps_x", url, timeout=Timeout(read=5, total=0.3)) as client:
        begun = time.monotonic()
        with pytest.raises(cpsl.GatewayTimeout):
            client.list_apps()
        assert time.monotonic() - begun < 1.0


class SlowFile(BytesIO):
    """A large file on a slow disk."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0.05)
        return super().read(100_000)


def slow_pieces() -> Iterator[bytes]:
    for _ in range(100):
        time.sleep(0.05)
        yield b"x"


TRANSFERS: dict[str, Callable[[Any], Any]] = {
    "upload of pieces": lambda client: client.filesystems.upload("disk", "/a", slow_pieces()),
    "upload of a file": lambda client: client.filesystems.upload("disk", "/a", SlowFile(bytes(10_000_000))),
    "deploy": lambda client: client.deploys.create(slow_pieces(), "app.py:app"),
    "attachment": lambda client: client.chat(
        "a", "b", attachments=[cpsl.Upload("a", slow_pieces()), cpsl.Upload("b", b"b")], timeout=0.4
    ),
}


async def all_of(call: Any) -> None:
    if isinstance(call, AsyncIterator):
        async for _ in call:
            pass
    else:
        await call


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("transfer", TRANSFERS)
def test_the_total_covers_a_whole_transfer(transfer: str, is_async: bool) -> None:
    do, limit = TRANSFERS[transfer], Timeout(total=0.4)

    async def main(url: str) -> None:
        async with cpsl.AsyncClient("cps_x", url, timeout=limit) as client:
            await all_of(do(client))

    with FakeGateway() as gateway, cpsl.Client("cps_x", gateway.url, timeout=limit) as client:
        begun = time.monotonic()
        with pytest.raises(cpsl.GatewayTimeout):
            if is_async:
                asyncio.run(main(gateway.url))
            elif isinstance(found := do(client), Iterator):
                list(found)
        assert 0.3 < time.monotonic() - begun < 1.5


def test_the_total_covers_a_whole_download() -> None:
    with dripping() as url, cpsl.Client("cps_x", url, timeout=Timeout(total=0.3)) as client:
        begun = time.monotonic()
        with pytest.raises(cpsl.GatewayTimeout):
            list(client.filesystems.download("disk", "/a"))
        assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize("timeout", [0.1, Timeout(read=0.1)])
def test_silence_is_limited_by_a_number_or_by_read(timeout: float | Timeout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with cpsl.Client("cps_x", f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=timeout) as client:
            with pytest.raises(cpsl.GatewayTimeout):
                client.list_apps()


def test_the_total_of_a_chat_covers_what_is_uploaded_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with cpsl.Client("cps_x", f"http://127.0.0.1:{silent.getsockname()[1]}") as client:
            with pytest.raises(cpsl.GatewayTimeout):
                client.chat("hello", "hi", timeout=0.2, attachments=[cpsl.Upload("a.txt", b"a")])


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_what_is_no_time_is_refused(value: float) -> None:
    with pytest.raises(cpsl.InvalidRequest) as caught:
        cpsl.Client("cps_x", "http://127.0.0.1:1", timeout=value)
    assert caught.value.code == "invalid_timeout"


# --- a client of one's own ----------------------------------------------------------------------------------------


def test_a_certificate_of_ones_own_authority(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with serving(tls=tls) as server:
        with cpsl.Client("cps_x", server.url, max_retries=0) as strict:
            with pytest.raises(cpsl.ConnectionFailed) as caught:
                strict.list_apps()
        assert caught.value.code == "tls_failed"
        with httpx.Client(verify=ssl.create_default_context(cafile=str(pem))) as http:
            with cpsl.Client("cps_x", server.url, http_client=http) as client:
                assert client.list_apps() == []
            assert not http.is_closed


def test_a_proxy_of_ones_own() -> None:
    with serving() as server, serving(Forwarding) as proxy:
        with httpx.Client(proxy=proxy.url) as http:
            assert cpsl.Client("cps_x", server.url, http_client=http).list_apps() == []
        assert proxy.paths == [f"{server.url}/api/v1/apps"]
        assert server.paths == ["/api/v1/apps"]


# --- errors -------------------------------------------------------------------------------------------------------

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CapsuleError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickle_and_copy_with_all_its_facts(kind: type[errors.CapsuleError]) -> None:
    error = kind("what", code="some_code", hint="do this", status=418, request_id="req_1")
    extra = {"partial": "so far", "prompt": {"link": "x"}, "retry_after": 2.5, "traceback": "t", "session_id": "s"}
    vars(error).update(extra)
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert type(twin) is kind
        assert (vars(twin), twin.args, str(twin)) == (vars(error), error.args, "what")
