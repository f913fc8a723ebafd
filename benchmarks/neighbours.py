"""What others notice of an app that takes all it can get: their latency beside each kind of offender.

One person talks to a well-behaved app, a message after another; another person sends an app what makes it fork without
end, eat memory, spin, fill its disk, or print without end, again and again. The reference is the latency of the first
person in the same minute without the second. Budget: twice.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter

import cpsl
from benchmarks.support import gateway, post
from benchmarks.turns import talk
from tests.support.gateway import APPS, GatewayProcess

OFFENCES = ("fork", "eat", "spin", "fill", "print")
TURN_SECONDS = 3
BATCH, BATCHES = 50, 8


def offend(running: GatewayProcess, token: str, text: str, stop: threading.Event, ends: Counter[str]) -> None:
    """Send the same message again and again; how the turns end."""
    with running.client(token) as client:
        while not stop.is_set():
            try:
                client.chat("hog", text)
                ends["answered"] += 1
            except cpsl.CapsuleError as error:
                ends[f"{error.code}: {error.message}"] += 1
            stop.wait(0.2)


def latencies(running: GatewayProcess) -> list[float]:
    """Of the well-behaved, in seconds."""
    turn = post("/api/v1/app/echo/chat", running.token)
    taken = []
    for _ in range(BATCHES):
        taken += talk(running.port, turn, BATCH)
        time.sleep(0.2)
    return taken


def beside(running: GatewayProcess, token: str, text: str) -> tuple[list[float], Counter[str]]:
    """The latencies beside an offender, and how its turns ended."""
    stop, ends = threading.Event(), Counter[str]()
    offender = threading.Thread(target=offend, args=(running, token, text, stop, ends))
    offender.start()
    time.sleep(1)
    began = time.monotonic()
    taken = latencies(running)
    time.sleep(max(0, TURN_SECONDS + 1 - (time.monotonic() - began)))
    stop.set()
    offender.join()
    return taken, ends


def measure(running: GatewayProcess) -> None:
    """Each offence between two measurements without one."""
    with running.client() as client:
        client.filesystems.create("hog")
    running.deploy(APPS / "hog.py")
    latencies(running)
    print(
        f"{'beside':<8}{'p50 ms':>8}{'p99 ms':>8}{'p50 ratio':>11}{'p99 ratio':>11}{'budget':>8}   how its turns ended"
    )
    for number, text in enumerate(OFFENCES):
        token = running.member(f"offender{number}@example.com", "default")
        alone = latencies(running)
        taken, ends = beside(running, token, text)
        middle, late = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
        ratios = middle / statistics.median(alone), late / statistics.quantiles(alone, n=100)[98]
        print(
            f"{text:<8}{middle * 1e3:>8.2f}{late * 1e3:>8.2f}{ratios[0]:>11.1f}{ratios[1]:>11.1f}{2:>8}   {dict(ends)}",
            flush=True,
        )


def main() -> None:
    """Measure and print the table."""
    with gateway(APPS / "echo.py", CAPSULE_TURN_TIMEOUT=str(TURN_SECONDS)) as running:
        measure(running)


if __name__ == "__main__":
    main()
