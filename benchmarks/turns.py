"""A warm turn through the whole stack, durable, against a bare Litestar echo, in turns so that both see the same load.

The client is a plain socket: an HTTP library would cost more than what is measured.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.gateway import APPS, GatewayProcess

ROUNDS, REQUESTS, CLIENTS = 6, 100, 16
BODY = b'{"text":"hi"}'


def request(path: str, token: str = "") -> bytes:
    """The bytes of one POST."""
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
    ]
    if token:
        head.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*head, "", ""]).encode() + BODY


def talk(port: int, content: bytes, count: int) -> list[float]:
    """Send a request ``count`` times, one after another; the seconds that each took."""
    times = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began = time.perf_counter()
            connection.sendall(content)
            answer = read_answer(connection)
            times.append(time.perf_counter() - began)
            assert b" 200 " in answer[:16], answer
    return times


def read_answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length."""
    answer = b""
    while True:
        answer += connection.recv(65536)
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            return answer


def rate(port: int, content: bytes, count: int) -> float:
    """Requests a second with CLIENTS at once."""
    threads = [threading.Thread(target=talk, args=(port, content, count)) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return CLIENTS * count / (time.perf_counter() - began)


@contextmanager
def reference() -> Iterator[int]:
    """The bare echo, in a process of its own; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.echo", str(port)])
    try:
        time.sleep(2)
        yield port
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home, reference() as bare_port:
        gateway = GatewayProcess(Path(home))
        gateway.start()
        try:
            gateway.deploy(APPS / "echo.py")
            measure(gateway, bare_port)
        finally:
            gateway.stop()


def measure(gateway: GatewayProcess, bare_port: int) -> None:
    """Warm both up, then measure one after the other, several times."""
    turn, bare = request("/api/v1/app/echo/chat", gateway.token), request("/echo")
    talk(gateway.port, turn, 50), talk(bare_port, bare, 50)
    turns, echoes, turn_rates, echo_rates = [], [], [], []
    for _ in range(ROUNDS):
        turns += talk(gateway.port, turn, REQUESTS)
        echoes += talk(bare_port, bare, REQUESTS)
        turn_rates.append(rate(gateway.port, turn, 30))
        echo_rates.append(rate(bare_port, bare, 100))
    p50, bare_p50 = statistics.median(turns), statistics.median(echoes)
    per_second, bare_per_second = statistics.median(turn_rates), statistics.median(echo_rates)
    print(f"{'':<24}{'turn':>10}{'echo':>10}{'ratio':>8}{'budget':>8}")
    print(f"{'p50 latency, ms':<24}{p50 * 1e3:>10.2f}{bare_p50 * 1e3:>10.2f}{p50 / bare_p50:>8.1f}{'4':>8}")
    ratio = bare_per_second / per_second
    print(f"{'per second, 16 clients':<24}{per_second:>10.0f}{bare_per_second:>10.0f}{ratio:>8.1f}{'3':>8}")


if __name__ == "__main__":
    main()
