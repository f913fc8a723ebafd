"""The link without a process: torn frames, batches, questions with and without a loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpsl.errors import ConnectionFailed, NotFound, TooLarge
from cpsl.runtime.bridge import LinkBridge
from cpsl.runtime.link import Link
from cpsl.wire import frames
from cpsl.wire.events import Chunk


@given(st.lists(st.binary(max_size=300), max_size=20), st.lists(st.integers(1, 500), max_size=60))
def test_torn_frames_come_out_whole(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    buffer = frames.FrameBuffer()
    out: list[bytes] = []
    position = 0
    for cut in [*cuts, len(stream)]:
        out += buffer.feed(stream[position : position + cut])
        position += cut
    assert out == bodies


@given(st.text(max_size=200), st.integers(0, 2**31))
def test_frames_survive_the_way(text: str, call_id: int) -> None:
    frame = frames.Call(call_id, frames.GetSecret(text))
    [raw] = frames.FrameBuffer().feed(frames.encode(frame))
    assert frames.decode_to_gateway(raw) == frame


@contextmanager
def linked() -> Iterator[tuple[Link, socket.socket, list[frames.ToRuntime], list[str]]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    got: list[frames.ToRuntime] = []
    closed: list[str] = []
    try:
        yield Link(ours, got.append, closed.append), theirs, got, closed
    finally:
        ours.close()
        theirs.close()


def receive(sock: socket.socket, count: int) -> list[frames.ToGateway]:
    buffer = frames.FrameBuffer()
    out: list[frames.ToGateway] = []
    while len(out) < count:
        out += [frames.decode_to_gateway(raw) for raw in buffer.feed(sock.recv(65536))]
    return out


def answer(sock: socket.socket, *before: frames.ToRuntime) -> None:
    [call] = receive(sock, 1)
    assert isinstance(call, frames.Call)
    for frame in before:
        sock.sendall(frames.encode(frame))
    sock.sendall(frames.encode(frames.Result(call.call_id, "yes")))


def test_events_of_one_iteration_share_a_frame() -> None:
    async def go() -> None:
        with linked() as (link, host, _, _):
            link.attach(asyncio.get_running_loop())
            for number in range(10):
                link.emit("req_1", Chunk(str(number)))
            link.emit("req_2", Chunk("other"))
            link.send(frames.TurnEnded("req_2"))
            await asyncio.sleep(0.01)
            one, two, ended = receive(host, 3)
            assert one == frames.TurnEvents("req_1", [Chunk(str(number)) for number in range(10)])
            assert two == frames.TurnEvents("req_2", [Chunk("other")])
            assert ended == frames.TurnEnded("req_2")

    asyncio.run(go())


def test_asking_on_the_loops_thread_keeps_other_frames_for_later() -> None:
    async def go() -> None:
        with linked() as (link, host, got, _):
            link.attach(asyncio.get_running_loop())
            threading.Thread(target=answer, args=(host, frames.CancelTurn("req_9"))).start()
            bridge = LinkBridge(link, "")
            assert bridge.ask_blocking(frames.GetSecret("A")) == "yes"
            assert got == []
            await asyncio.sleep(0.05)
            assert got == [frames.CancelTurn("req_9")]

    asyncio.run(go())


def test_asking_from_threads_and_tasks() -> None:
    async def go() -> None:
        with linked() as (link, host, _, _):
            link.attach(asyncio.get_running_loop())
            bridge = LinkBridge(link, "")
            asked = asyncio.gather(
                asyncio.to_thread(bridge.ask_blocking, frames.GetSecret("A")), bridge.ask(frames.GetSecret("B"))
            )
            calls = await asyncio.to_thread(receive, host, 2)
            for call in reversed(calls):
                assert isinstance(call, frames.Call)
                assert isinstance(call.question, frames.GetSecret)
                host.sendall(frames.encode(frames.Result(call.call_id, call.question.name)))
            assert list(await asked) == ["A", "B"]

    asyncio.run(go())


def test_errors_keep_their_class() -> None:
    with linked() as (link, host, _, _):
        error = frames.CallError("secret_not_found", "no such secret", "create it")
        host.sendall(frames.encode(frames.Result(1, error=error)))
        with pytest.raises(NotFound, match="no such secret") as caught:
            LinkBridge(link, "").ask_blocking(frames.GetSecret("A"))
        assert (caught.value.code, caught.value.hint) == ("secret_not_found", "create it")


def test_a_question_that_no_frame_can_hold() -> None:
    with linked() as (link, _, _, _), pytest.raises(TooLarge):
        link.ask(frames.StoreFile("x", "image/png", bytes(frames.MAX_FRAME_BYTES)))


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff\xff", b"\0\0\0\x01\xc1", b"\0\0\0\x03abc"])
def test_a_broken_link_is_told_once_and_fails_what_waits(data: bytes) -> None:
    with linked() as (link, host, _, closed):
        host.sendall(data)
        host.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionFailed):
            LinkBridge(link, "").ask_blocking(frames.GetSecret("A"))
        assert len(closed) == 1
