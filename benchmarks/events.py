"""Events of one turn to one client, who reads them as server-sent events, against a bare Litestar stream.

Nobody sees an event before it is stored, so the first chunk takes a commit longer than its way: the table has what one
commit takes on this disk.
"""

from __future__ import annotations

import re
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.support import APPS, bare, connected, gateway, post, read_until

ROUNDS, CHUNKS, WARM_UP, FIRSTS = 5, 100_000, 5, 60
MADE = re.compile(rb"event: chunk\ndata: \D*(\d{19})")


def follow(port: int, path: str, token: str, count: int) -> tuple[float, float]:
    """Ask for ``count`` chunks; seconds to the first from when it was written, and from there to the end."""
    with connected(port) as connection:
        connection.sendall(post(path, token, str(count)))
        content = read_until(connection, b"event: chunk\n")
        came = time.time_ns()
        written = MADE.search(content)
        assert written is not None, content
        if b"event: done" not in content:
            content += read_until(connection, b"event: done")
        ended = time.time_ns()
    assert content.count(b"word ") == count
    return (came - int(written[1])) / 1e9, (ended - came) / 1e9


def commit_seconds(count: int = 200) -> float:
    """What it takes to make a small row durable, as the gateway does it."""
    times = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        store = sqlite3.connect(Path(home) / "store.db", isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE rows (data BLOB)"):
            store.execute(statement)
        for _ in range(count):
            began = time.perf_counter()
            store.execute("INSERT INTO rows VALUES (zeroblob(100))")
            times.append(time.perf_counter() - began)
        store.close()
    return statistics.median(times)


def main() -> None:
    """Measure and print the table."""
    firsts: dict[str, list[float]] = {"gateway": [], "bare": []}
    rates: dict[str, list[float]] = {"gateway": [], "bare": []}
    with gateway(APPS / "chunks.py") as running, bare() as reference:
        streams = {
            "gateway": (running.port, "/api/v1/app/chunks/stream", running.token),
            "bare": (reference.port, "/events", ""),
        }
        for number in range(WARM_UP + FIRSTS):
            for name, stream in streams.items():
                first, _ = follow(*stream, 0)
                firsts[name] += [first] if number >= WARM_UP else []
        for _ in range(ROUNDS):
            for name, stream in streams.items():
                _, rest = follow(*stream, CHUNKS)
                rates[name].append(CHUNKS / rest)
    medians = [{name: statistics.median(each) for name, each in kind.items()} for kind in (firsts, rates)]
    show(*medians)


def show(firsts: dict[str, float], rates: dict[str, float]) -> None:
    """Print the table."""
    commit = commit_seconds() * 1e3
    print(f"{'':<28}{'gateway':>10}{'bare':>10}{'ratio':>8}{'budget':>12}")
    ours, theirs = rates["gateway"], rates["bare"]
    print(f"{'events a second':<28}{ours:>10.0f}{theirs:>10.0f}{theirs / ours:>8.1f}{'50000':>12}")
    ours, theirs = firsts["gateway"] * 1e3, firsts["bare"] * 1e3
    print(f"{'first chunk, ms':<28}{ours:>10.2f}{theirs:>10.2f}{ours / theirs:>8.1f}{'1 + commit':>12}")
    print(f"{'one commit here, ms':<28}{commit:>10.2f}")


if __name__ == "__main__":
    main()
