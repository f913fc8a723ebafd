"""A warm turn through the whole stack, durable, against a bare echo, in turns so that both see the same load."""

from __future__ import annotations

import statistics
import threading
import time

from benchmarks.support import bare, connected, gateway, post, read_answer
from tests.support.gateway import APPS, GatewayProcess

ROUNDS, REQUESTS, CLIENTS = 6, 100, 16


def talk(port: int, content: bytes, count: int) -> list[float]:
    """Send a request ``count`` times, one after another; the seconds that each took."""
    times = []
    with connected(port) as connection:
        for _ in range(count):
            began = time.perf_counter()
            connection.sendall(content)
            answer = read_answer(connection)
            times.append(time.perf_counter() - began)
            assert b" 200 " in answer[:16], answer
    return times


def rate(port: int, content: bytes, count: int) -> float:
    """Requests a second with CLIENTS at once."""
    threads = [threading.Thread(target=talk, args=(port, content, count)) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return CLIENTS * count / (time.perf_counter() - began)


def main() -> None:
    """Measure and print the table."""
    with gateway(APPS / "echo.py") as running, bare() as reference:
        measure(running, reference.port)


def measure(running: GatewayProcess, bare_port: int) -> None:
    """Warm both up, then measure one after the other, several times."""
    turn, echo = post("/api/v1/app/echo/chat", running.token), post("/echo")
    talk(running.port, turn, 50), talk(bare_port, echo, 50)
    turns, echoes, turn_rates, echo_rates = [], [], [], []
    for _ in range(ROUNDS):
        turns += talk(running.port, turn, REQUESTS)
        echoes += talk(bare_port, echo, REQUESTS)
        turn_rates.append(rate(running.port, turn, 30))
        echo_rates.append(rate(bare_port, echo, 100))
    p50, bare_p50 = statistics.median(turns), statistics.median(echoes)
    per_second, bare_per_second = statistics.median(turn_rates), statistics.median(echo_rates)
    print(f"{'':<24}{'turn':>10}{'echo':>10}{'ratio':>8}{'budget':>8}")
    print(f"{'p50 latency, ms':<24}{p50 * 1e3:>10.2f}{bare_p50 * 1e3:>10.2f}{p50 / bare_p50:>8.1f}{'4':>8}")
    ratio = bare_per_second / per_second
    print(f"{'per second, 16 clients':<24}{per_second:>10.0f}{bare_per_second:>10.0f}{ratio:>8.1f}{'3':>8}")


if __name__ == "__main__":
    main()
