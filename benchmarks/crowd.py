"""Two hundred app users at once on one gateway: each a process of its own, all answered; then idle, and gone.

The reference is the same work for one user: what two hundred one after another would take.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.support import gateway
from cpsl.engine.local.supervision import private_bytes
from tests.support.gateway import APPS, GatewayProcess
from tests.support.processes import command, descendants, running_apps

USERS = 200
_LONGEST_SECONDS = 120


def cpu_seconds(pids: set[int]) -> float:
    """What these processes have used so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids if command(pid)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / 100


def ask(running: GatewayProcess, token: str, barrier: threading.Barrier | None = None) -> float:
    """One message of one user; the seconds to its whole answer."""
    with running.client(token) as client:
        client.apps.get("echo")  # the connection is there when all begin
        if barrier is not None:
            barrier.wait()
        began = time.perf_counter()
        assert client.chat("echo", "hi").text == "You said: hi"
        return time.perf_counter() - began


def measure(running: GatewayProcess) -> None:
    """All at once, then wait until they are gone."""
    tokens = [running.member(f"user{number}@example.com", "default") for number in range(USERS + 5)]
    alone = sorted(ask(running, token) for token in tokens[USERS:])[2]
    barrier = threading.Barrier(USERS)
    used, began = cpu_seconds({running.pid, *descendants(running.pid)}), time.perf_counter()
    with ThreadPoolExecutor(USERS) as pool:
        taken = sorted(pool.map(lambda token: ask(running, token, barrier), tokens[:USERS]))
    whole = time.perf_counter() - began
    apps, everything = running_apps(running.pid), {running.pid, *descendants(running.pid)}
    memory = sum(map(private_bytes, apps)) / 2**20
    print(f"{USERS} users at once: p50 {taken[USERS // 2]:.2f} s, last {taken[-1]:.2f} s; one alone {alone:.3f} s")
    print(f"one after another they would take {alone * USERS:.2f} s: {taken[-1] / (alone * USERS):.2f} of it")
    print(f"{len(apps)} processes of the app, {memory:.0f} MiB private memory together,")
    cpu, own = cpu_seconds(everything) - used, private_bytes(running.pid) / 2**20
    print(f"gateway {own:.0f} MiB; CPU {cpu:.1f} s in {whole:.1f} s")
    until_gone(running)


def until_gone(running: GatewayProcess) -> None:
    """Wait for the last runtime to end."""
    began = time.monotonic()
    while len(running_apps(running.pid)) > 1 and time.monotonic() - began < _LONGEST_SECONDS:
        time.sleep(1)
    left = len(running_apps(running.pid))
    print(f"idle: {left} process of the app (its zygote) left after {time.monotonic() - began:.0f} s")


def main() -> None:
    """Measure and print."""
    with gateway(APPS / "echo.py") as running:
        measure(running)


if __name__ == "__main__":
    main()
