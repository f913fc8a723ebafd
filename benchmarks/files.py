"""A file up and down by the client, against what ``curl`` makes with the same server; and the memory of both sides.

``python -m benchmarks.files [MIB] [ROUNDS]``. Each round does all four transfers in turn. The client hashes what it
sends and what it gets, and the gateway what it stores; ``curl`` compares nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.gateway import GatewayProcess, running_gateway

MIB = 1024 * 1024
CLIENT = """
import resource, sys, time
import cpsl
way, url, token, path = sys.argv[1:]
with cpsl.Client(token=token, gateway_url=url) as client:
    client.filesystems.list()
    before = time.perf_counter()
    if way == "up":
        with open(path, "rb") as file:
            client.filesystems.upload("bench", "/client", file, overwrite=True)
    else:
        with open(path + ".down", "wb") as file:
            for piece in client.filesystems.download("bench", "/client"):
                file.write(piece)
    print(time.perf_counter() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def curl(running: GatewayProcess, way: str, path: Path) -> float:
    """Seconds that ``curl`` takes."""
    url = f"{running.url}/api/v1/fs/bench/content?path=/curl&overwrite=true"
    how = ["-T", str(path)] if way == "up" else ["-o", f"{path}.down"]
    token = ["-H", f"Authorization: Bearer {running.token}", "-H", "Expect:"]
    before = time.perf_counter()
    subprocess.run(["curl", "-sSf", *token, *how, url], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before


def client(running: GatewayProcess, way: str, path: Path) -> tuple[float, float]:
    """Seconds that the client takes, in a process of its own, and its memory at most in MiB."""
    argv = [sys.executable, "-c", CLIENT, way, running.url, running.token, str(path)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def peak(running: GatewayProcess) -> float:
    """The memory that the gateway had at most, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{running.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def written(path: Path, mib: int) -> None:
    """A file of random bytes."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))


def largest(folder: Path) -> int:
    """Bytes of the largest unfinished file in a folder."""
    return max((part.stat().st_size for part in folder.glob("*.part")), default=0)


def resumed(mib: int, running: GatewayProcess, path: Path, say: Callable[[str], None]) -> None:
    """Kill ``capsule`` in the middle of each way, and let it go on; the content is compared in the end."""
    env = running.env | {"CAPSULE_TOKEN": running.token, "CAPSULE_GATEWAY_URL": running.url}
    folder = path.parent / "again"
    folder.mkdir()
    ways = {
        "up": ([str(path), "bench:/killed"], running.data_dir / "uploads"),
        "down": (["bench:/killed", str(folder)], folder),
    }
    for way, (places, parts) in ways.items():
        argv = [sys.executable, "-m", "capsule_cli", "fs", f"{way}load", *places]
        first = subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL)
        while (kept := largest(parts)) < mib * MIB // 2 and first.poll() is None:
            time.sleep(0.005)
        first.kill()
        first.wait()
        before = time.perf_counter()
        subprocess.run(argv, env=env, check=True, stderr=subprocess.DEVNULL)
        say(f"{way}: killed at {kept // MIB} MiB; the rest took {time.perf_counter() - before:.1f} s")
    with path.open("rb") as one, (folder / "killed").open("rb") as other:
        same = hashlib.file_digest(one, "sha256").digest() == hashlib.file_digest(other, "sha256").digest()
    say(f"the same content: {same}")


def timed(mib: int, rounds: int, running: GatewayProcess, path: Path, say: Callable[[str], None]) -> None:
    """Measure and print the table."""
    before = peak(running)
    times: dict[str, list[tuple[float, float]]] = {"up": [], "down": []}
    memory = 0.0
    for _ in range(rounds):
        for way, found in times.items():
            theirs = curl(running, way, path)
            ours, used = client(running, way, path)
            memory = max(memory, used)
            found.append((mib / ours, mib / theirs))
    say(f"{'MiB/s':<8}{'client':>10}{'curl':>10}{'ratio':>8}{'lowest':>8}{'highest':>9}{'budget':>8}")
    for way, found in times.items():
        ours, theirs = (statistics.median(each) for each in zip(*found, strict=True))
        ratios = [one / other for one, other in found]
        middle = statistics.median(ratios)
        say(f"{way:<8}{ours:>10.0f}{theirs:>10.0f}{middle:>8.2f}{min(ratios):>8.2f}{max(ratios):>9.2f}{0.8:>8}")
    say(f"memory at most: client {memory:.0f} MiB; gateway {peak(running):.0f} MiB ({before:.0f} MiB before)")


def main() -> None:
    """Measure with a file of so many MiB, so many times."""
    mib, rounds = (int(each) for each in [*sys.argv[1:], *("2048", "3")[len(sys.argv) - 1 :]])
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, running_gateway(Path(folder)) as running:
        with running.client() as owner:
            owner.filesystems.create("bench")
        path = Path(folder) / "file"
        written(path, mib)
        timed(mib, rounds, running, path, print)
        resumed(mib, running, path, print)


if __name__ == "__main__":
    main()
