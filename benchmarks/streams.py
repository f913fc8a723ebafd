"""What a thousand idle streams cost the gateway in memory, against a bare Litestar that streams nothing to as many.

Idle in two ways: all follow one turn; or each follows a turn of its own, which the gateway has to remember as well.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.support import bare, connected, gateway, get, post, read_until
from tests.support.gateway import APPS, GatewayProcess

WARM_UP, STREAMS = 200, 1000
SLEEP = "sleep 3600"
TURN = re.compile(rb"x-turn-id: (\S+)", re.IGNORECASE)


def kib(pid: int) -> int:
    """The memory that a process has in RAM, in KiB."""
    found = re.search(r"^Rss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def opened(port: int, content: bytes) -> tuple[socket.socket, bytes]:
    """A stream that has said that it began, and what it said."""
    connection = connected(port)
    connection.sendall(content)
    return connection, read_until(connection, b"event: started\n")


def each(port: int, pid: int, content: bytes) -> float:
    """KiB that one more stream takes, once there are some."""
    with ExitStack() as streams:

        def open_streams(count: int) -> int:
            for _ in range(count):
                streams.enter_context(opened(port, content)[0])
            time.sleep(1)
            return kib(pid)

        before = open_streams(WARM_UP)
        return (open_streams(STREAMS) - before) / STREAMS


@contextmanager
def a_turn(running: GatewayProcess) -> Iterator[str]:
    """A turn that does nothing for long; its id."""
    connection, content = opened(running.port, post("/api/v1/app/echo/stream", running.token, SLEEP))
    with connection:
        found = TURN.search(content)
        assert found is not None, content
        yield found[1].decode()


def main() -> None:
    """Measure and print the table."""
    with bare() as reference:
        theirs = each(reference.port, reference.pid, get("/idle"))
    with gateway(APPS / "echo.py") as running, a_turn(running) as turn_id:
        one_turn = each(running.port, running.pid, get(f"/api/v1/turns/{turn_id}/events", running.token))
    with gateway(APPS / "echo.py") as running:
        own_turns = each(running.port, running.pid, post("/api/v1/app/echo/stream", running.token, SLEEP))
    print(f"{'KiB a stream':<24}{'gateway':>10}{'bare':>10}{'ratio':>8}{'budget':>8}")
    for name, ours in (("all follow one turn", one_turn), ("each its own turn", own_turns)):
        print(f"{name:<24}{ours:>10.1f}{theirs:>10.1f}{ours / theirs:>8.1f}{45:>8}")


if __name__ == "__main__":
    main()
