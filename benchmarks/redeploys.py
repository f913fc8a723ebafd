"""Redeploys while people talk: how long until the new version answers, and what becomes of the turns in flight.

Every turn writes its version at the beginning and at the end of its answer, half a second apart; a turn that is lost,
cut, answered twice, or begun by one version and ended by another is counted. The reference is a bare ``python -c pass``
of the same moment: a redeploy is mostly process starts.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import cpsl
from tests.support.gateway import GatewayProcess

USERS, REDEPLOYS = 20, 20
APP = """\
import asyncio
import cpsl

app = cpsl.App(name="marked")
VERSION = {version}


@app.message()
async def handle(session, msg):
    if msg.text == "now":
        return str(VERSION)
    async with session.stream_reply() as out:
        out.write(f"<{{VERSION}} {{msg.text}}")
        for _ in range(10):
            await asyncio.sleep(0.05)
            out.write(" .")
        out.write(f" {{VERSION}}>")
"""
WHOLE = re.compile(r"<(\d+) (\S+)(?: \.){10} \1>\Z")


def talk(gateway: GatewayProcess, token: str, name: str, stop: threading.Event, outcomes: Counter[str]) -> None:
    """One user: a streaming turn after another, each checked."""
    with gateway.client(token) as client:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                text = "".join(chunk.text for chunk in client.stream("marked", f"{name}-{number}"))
            except cpsl.CapsuleError as error:
                outcomes[f"failed: {error.code}"] += 1
                continue
            match = WHOLE.match(text)
            outcomes["whole" if match and match[2] == f"{name}-{number}" else f"broken: {text}"] += 1


def redeploy(gateway: GatewayProcess, source: Path, version: int) -> float:
    """Seconds from the beginning of a deploy to the first answer of its version."""
    source.write_text(APP.format(version=version))
    began = time.perf_counter()
    gateway.deploy(source)
    with gateway.client() as client:
        assert client.chat("marked", "now").text == str(version)
    return time.perf_counter() - began


def reference() -> float:
    """Seconds that an empty Python takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began


def measure(gateway: GatewayProcess, source: Path, users: int, redeploys: int) -> tuple[list[float], Counter[str]]:
    """Redeploy while ``users`` talk; how long each took, and how the turns ended."""
    with gateway.http() as http:
        workspace = http.get("/me").json()["workspace"]
    tokens = [gateway.member(f"user{number}@redeploy.example", workspace) for number in range(users)]
    stop, outcomes = threading.Event(), Counter[str]()
    talking = [
        threading.Thread(target=talk, args=(gateway, token, f"u{number}", stop, outcomes))
        for number, token in enumerate(tokens)
    ]
    redeploy(gateway, source, 0)
    for thread in talking:
        thread.start()
    times = [redeploy(gateway, source, number) for number in range(1, redeploys + 1)]
    stop.set()
    for thread in talking:
        thread.join()
    return times, outcomes


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        gateway = GatewayProcess(Path(home))
        gateway.start()
        try:
            alone, _ = measure(gateway, Path(home) / "app.py", 0, 5)
            bare = statistics.median(reference() for _ in range(9))
            times, outcomes = measure(gateway, Path(home) / "app.py", USERS, REDEPLOYS)
        finally:
            gateway.stop()
    print(f"{'redeploy to first answer':<28}{'p50 s':>8}{'max s':>8}{'x python':>10}{'budget s':>10}")
    for name, taken in (("alone", alone), (f"under {USERS} streaming users", times)):
        middle = statistics.median(taken)
        print(f"{name:<28}{middle:>8.2f}{max(taken):>8.2f}{middle / bare:>10.1f}{1.5:>10}")
    print(f"{REDEPLOYS} redeploys, turns: {dict(outcomes)}")


if __name__ == "__main__":
    main()
