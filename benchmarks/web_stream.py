"""An answer of 100 KB in the page: the stream of rendered parts, against the stream of the same events as they are."""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import httpx

from benchmarks.support import APPS, gateway
from tests.support.gateway import GatewayProcess

ROUNDS, KIB = 5, 100
CASES = [("mixed", 0.0), ("mixed", 3.0), ("paragraph", 0.0), ("paragraph", 3.0), ("list", 3.0)]


class Took(NamedTuple):
    """Seconds until all was there, bytes that came, and seconds of the gateway's processor."""

    seconds: float
    size: float
    cpu: float


def cpu_seconds(pid: int) -> float:
    """What a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measure(running: GatewayProcess, page: httpx.Client, csrf: str, text: str, path: str) -> Took:
    """Say something, and read the answer to its end by one of both streams."""
    used, began = cpu_seconds(running.pid), time.monotonic()
    sent = page.post("/a/writer/messages", json={"text": text}, headers={"X-CSRF-Token": csrf}).json()
    with page.stream("GET", path.format(sent["request_id"])) as answer:
        size = sum(len(piece) for piece in answer.iter_bytes())
    return Took(time.monotonic() - began, size, cpu_seconds(running.pid) - used)


def medians(took: list[Took]) -> Took:
    """The median of each figure."""
    return Took(*(statistics.median(each) for each in zip(*took, strict=True)))


def main() -> None:
    """Measure and print the table."""
    streams = {"parts": "/a/writer/turns/{}/parts", "events": "/api/v1/turns/{}/events"}
    print(f"{'100 KB of Markdown':<24}{'seconds':>16}{'KB sent':>16}{'cpu seconds':>16}   (parts / events)")
    with gateway(APPS / "writer.py") as running, httpx.Client(base_url=running.url, timeout=120) as page:
        csrf = re.findall(r'data-csrf="([^"]+)"', page.get("/a/writer").text)[0]
        measure(running, page, csrf, "mixed 1 0", streams["parts"])
        for kind, seconds in CASES:
            text = f"{kind} {KIB} {seconds}"
            took = {
                name: [measure(running, page, csrf, text, path) for _ in range(ROUNDS)]
                for name, path in streams.items()
            }
            show(f"{kind}, written in {seconds:g} s", medians(took["parts"]), medians(took["events"]))


def show(name: str, parts: Took, events: Took) -> None:
    """Print one line."""
    pairs = [(parts.seconds, events.seconds), (parts.size / 1000, events.size / 1000), (parts.cpu, events.cpu)]
    print(f"{name:<24}" + "".join(f"{f'{ours:.2f} / {theirs:.2f}':>16}" for ours, theirs in pairs))


if __name__ == "__main__":
    main()
