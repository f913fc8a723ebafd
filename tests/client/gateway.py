"""A small real server for the client's tests: turns with their logs over raw HTTP/1.1, cut wherever a test wants."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cpsl.wire import events

TURN, SESSION = "trn_1", "ses_1"


def log_of(*replies: Sequence[str]) -> list[events.Event]:
    """The log of a turn that answers with these replies, each given in pieces."""
    log: list[events.Event] = [events.Started(TURN, SESSION, 1)]
    for number, pieces in enumerate(replies, 1):
        if number > 1:
            log.append(events.Chunk("\n\n", separator=True))
        log += [events.Chunk(piece) for piece in pieces]
        log.append(events.Reply(number))
    return [*log, events.Done(TURN, SESSION)]


def sse(log: Sequence[events.Event], after: int = 0) -> bytes:
    """The log as server-sent events, with a heartbeat in front of each."""
    return b"".join(
        b": beat\n\nid: %d\nevent: %s\ndata: %s\n\n" % (number, events.type_of(event).encode(), events.encode(event))
        for number, event in enumerate(log, 1)
        if number > after
    )


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeGateway:
    """``log`` is the turn's. The n-th stream is cut after ``cuts[n]`` bytes, if there is such a number.

    ``abrupt`` cuts break HTTP's framing; the others look like a clean end. ``silent``: instead of cutting, say nothing.
    """

    log: list[events.Event] = field(default_factory=lambda: log_of(["hi"]))
    cuts: list[int] = field(default_factory=list)
    abrupt: bool = True
    silent: bool = False
    seen: list[Seen] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    file: bytes | int = b""
    uploaded: int = 0

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,))
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def streams(self) -> list[Seen]:
        """The requests for event streams."""
        return [seen for seen in self.seen if "event-stream" in seen.headers.get("accept", "")]

    def _serve(self, ready: threading.Event) -> None:
        asyncio.run(self._main(ready))

    async def _main(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(await self._read(reader), writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Seen:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                self.uploaded += len(await reader.readexactly(size))
                await reader.readline()
        elif length := int(headers.get("content-length", "0")):
            body = await reader.readexactly(length)
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        seen = Seen(method, parts.path, query, headers, body)
        self.seen.append(seen)
        return seen

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        if seen in self.streams:
            if "idempotency-key" in seen.headers:
                self.runs.add(seen.headers["idempotency-key"])
            await self._stream(sse(self.log, int(seen.query.get("after", "0"))), writer)
        elif seen.path.endswith("/content") and seen.method == "GET":
            await self._file(writer)
        elif seen.path.endswith("/uploads"):
            self._json(writer, {"id": "upl_1", "offset": 0, "sha256": ""})
        elif seen.path.endswith("/uploads/upl_1"):
            self._json(writer, {"path": "/a", "size": self.uploaded or len(seen.body)})
        elif seen.path.endswith("/content"):
            self._json(writer, {"path": seen.query["path"], "size": self.uploaded or len(seen.body)})
        else:
            self._json(writer, {"secrets": []})
        await writer.drain()

    async def _stream(self, content: bytes, writer: asyncio.StreamWriter) -> None:
        cut = self.cuts[len(self.streams) - 1] if len(self.streams) <= len(self.cuts) else None
        framing = f"content-length: {len(content) + 1}" if self.abrupt and cut is not None else "connection: close"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-turn-id: {TURN}\r\n{framing}\r\n\r\n"
        writer.write(head.encode() + content[:cut])
        await writer.drain()
        if self.silent and cut is not None:
            await self._stop.wait()

    async def _file(self, writer: asyncio.StreamWriter) -> None:
        size = self.file if isinstance(self.file, int) else len(self.file)
        head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-disposition: attachment\r\n"
        writer.write(f"{head}content-length: {size}\r\n\r\n".encode())
        if isinstance(self.file, bytes):
            writer.write(self.file)
            return
        for _ in range(size // 65536):
            writer.write(bytes(65536))
            await writer.drain()

    def _json(self, writer: asyncio.StreamWriter, value: Any) -> None:
        body = json.dumps(value).encode()
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
