"""The protocol without I/O: these tests are the driver, so no time passes and every fault can be had."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cpsl import errors
from cpsl.client import flows, streams, wall
from cpsl.client.operations import Answer, Emit, Flow, NextEvent, Open, Received, Request, Send, Sleep
from cpsl.client.sse import events as read_events
from cpsl.client.types import StreamChunk
from cpsl.wire import events

from .gateway import TURN, log_of, sse

URL = "http://gateway"
OK = {"content-type": "text/event-stream", "x-turn-id": TURN}


@dataclass
class Cut:
    """A connection that gives so many bytes, then ends: cleanly (None) or with a foreign error."""

    size: int
    error: Exception | None = None


@dataclass
class Script:
    """Plays a gateway whose connections are cut as told, then one that is whole. Collects what the flow did."""

    log: list[events.Event]
    cuts: list[Any]
    requests: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    emitted: list[Any] = field(default_factory=list)
    now: float = 0.0

    def play(self, flow: Flow[Any]) -> list[Any]:
        received: Iterator[Received] = iter(())
        operation = next(flow)
        while True:
            result: Any = None
            try:
                match operation:
                    case Emit(value):
                        self.emitted.append(value)
                    case Sleep(seconds):
                        self.slept.append(seconds)
                        self.now += seconds
                    case Open(request) | Send(request):
                        result, received = self.connect(request)
                    case NextEvent():
                        with wall.wall(URL):
                            result = next(received, None)
            except errors.CapsuleError as error:
                operation = flow.throw(error)
                continue
            try:
                operation = flow.send(result)
            except StopIteration:
                return self.emitted

    def connect(self, request: Request) -> tuple[Answer, Iterator[Received]]:
        self.requests.append(request)
        cut = self.cuts.pop(0) if self.cuts else Cut(10**9)
        if isinstance(cut, Answer):
            return cut, iter(())
        if isinstance(cut, Exception):
            raise wall.translated(cut, URL)
        content = sse(self.log, int(request.query.get("after", "0")))[: cut.size]
        return Answer(200, OK), read_events(httpx.Response(200, headers=OK, stream=Broken(content, cut.error)))

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.emitted)


class Broken(httpx.SyncByteStream):
    def __init__(self, content: bytes, error: Exception | None) -> None:
        self.content, self.error = content, error

    def __iter__(self) -> Iterator[bytes]:
        yield from (self.content[n : n + 7] for n in range(0, len(self.content), 7))
        if self.error is not None:
            raise self.error


def chat(**facts: Any) -> Flow[None]:
    return streams.new_turn(flows.Gateway(URL, **facts), "app", "hi", None, "key-1")


LOG = log_of(["Grüße ", "an\nalle", ", 🎈"], ["zwei", ""], ["drei"])
TEXT = "Grüße an\nalle, 🎈\n\nzwei\n\ndrei"
ENDINGS = st.sampled_from([None, httpx.ReadError("x"), httpx.RemoteProtocolError("x"), httpx.ReadTimeout("x")])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.builds(Cut, st.integers(0, len(sse(LOG))), ENDINGS), max_size=9))
@example([Cut(0)] * 3)
def test_wherever_it_is_cut_everything_comes_once_and_in_order(cuts: list[Cut]) -> None:
    script = Script(LOG, list(cuts))
    chunks = script.play(chat())
    assert script.text == TEXT
    assert [chunk.id for chunk in chunks] == list(range(1, len(LOG) + 1))
    assert chunks[-1].done


@pytest.mark.parametrize("ending", [None, httpx.ReadError("x")])
def test_every_single_cut_point(ending: Exception | None) -> None:
    for size in range(len(sse(LOG)) + 1):
        script = Script(LOG, [Cut(size, ending)])
        script.play(chat())
        assert script.text == TEXT, size


def test_a_cut_before_the_first_event_sends_the_same_key_again_and_later_resumes() -> None:
    script = Script(LOG, [Cut(10), Cut(len(sse(LOG[:3])))])
    script.play(chat())
    first, again, resumed = script.requests
    assert first.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] == "key-1"
    assert (resumed.method, resumed.path, resumed.query) == ("GET", f"/turns/{TURN}/events", {"after": "3"})
    assert resumed.headers["Last-Event-ID"] == "3"


def test_without_progress_it_gives_up_and_says_how_to_go_on() -> None:
    script = Script(LOG, [Cut(len(sse(LOG[:2]))), *[Cut(0)] * 99])
    with pytest.raises(errors.StreamCut) as caught:
        script.play(chat())
    assert len(script.requests) == flows.RESUME_ATTEMPTS + 1
    assert caught.value.request_id == TURN
    assert f"turns.events('{TURN}', after=2)" in (caught.value.hint or "")
    assert not any(chunk.done for chunk in script.emitted)


def test_progress_renews_the_budget() -> None:
    log = log_of(["x"] * 60)
    cuts = [Cut(0) if n % 5 else Cut(len(sse(log[:1])) + 20) for n in range(150)]
    script = Script(log, list(cuts))
    script.play(chat())
    assert script.text == "x" * 60


def test_a_connection_that_held_is_no_failed_attempt() -> None:
    """A proxy that ends every stream after a minute must not end a turn that waits for a person."""
    script = Script(LOG, [Cut(len(sse(LOG[:2]))), *[Cut(0)] * 50])

    def clock() -> float:
        script.now += 12
        return script.now

    script.play(chat(clock=clock))
    assert script.text == TEXT


def test_a_gateway_that_was_never_there_is_no_cut_stream() -> None:
    script = Script(LOG, [httpx.ConnectError("x")] * 99)
    with pytest.raises(errors.ConnectionFailed) as caught:
        script.play(chat())
    assert type(caught.value) is errors.ConnectionFailed
    assert len(script.requests) == 4


def test_a_restarting_gateway_is_waited_for() -> None:
    gone: list[Any] = [httpx.ConnectError("x"), Answer(503, {"retry-after": "2"}), Answer(502, {}, b"<html>")]
    script = Script(LOG, [Cut(len(sse(LOG[:2]))), *gone])
    script.play(chat())
    assert script.text == TEXT


@pytest.mark.parametrize(
    ("status", "kind"), [(404, errors.NotFound), (401, errors.AuthError), (422, errors.InvalidRequest)]
)
def test_a_refusal_is_final_and_names_the_turn(status: int, kind: type[errors.CapsuleError]) -> None:
    problem = b'{"title": "no", "status": %d, "code": "no"}' % status
    script = Script(LOG, [Cut(len(sse(LOG[:2]))), Answer(status, {}, problem)])
    with pytest.raises(kind) as caught:
        script.play(chat())
    assert caught.value.request_id == TURN


def test_an_error_event_is_emitted_then_raised() -> None:
    log = [*LOG[:3], events.Error("app_error", "It broke", TURN, "See the logs")]
    script = Script(log, [])
    with pytest.raises(errors.AppError, match="It broke") as caught:
        script.play(chat())
    assert script.emitted[-1].event == "error"
    assert (caught.value.partial, caught.value.request_id, caught.value.hint) == (
        "Grüße an\nalle",
        TURN,
        "See the logs",
    )


@pytest.mark.parametrize(
    "code", ["timeout", "gateway_unreachable", "connection_lost", "gateway_restarted", "stream_ended"]
)
def test_whatever_code_an_error_event_has_it_is_the_end(code: str) -> None:
    script = Script([*LOG[:2], events.Error(code, "over", TURN)], [])
    with pytest.raises(errors.AppError) as caught:
        script.play(chat())
    assert (caught.value.code, len(script.requests)) == (code, 1)


def test_a_cancelled_turn() -> None:
    with pytest.raises(errors.TurnCancelled):
        Script([LOG[0], events.Error("cancelled", "Cancelled", TURN)], []).play(chat())


def test_a_deadline_for_the_whole_answer() -> None:
    script = Script(LOG, [Cut(len(sse(LOG[:2]))), *[Cut(0)] * 9])
    gateway = flows.Gateway(URL, clock=lambda: script.now)
    with pytest.raises(errors.GatewayTimeout) as caught:
        script.play(streams.new_turn(gateway, "app", "hi", None, None, timeout=1.0))
    assert (caught.value.code, caught.value.request_id) == ("turn_timeout", TURN)
    assert script.requests[0].silence == 1.0
    assert script.now < 3


@pytest.mark.parametrize(
    "hostile",
    [
        b"id: 1\nevent: started\ndata: [1]\n\n",
        b"id: 1\ndata: {\n\n",
        b"id: one\ndata: {}\n\n",
        b"id: 99999999999999999999999\ndata: {}\n\n",
        b'id: 1\ndata: {"text": "\xff"}\n\n',
    ],
)
def test_a_malformed_stream_is_one_typed_error(hostile: bytes) -> None:
    class Hostile(Script):
        def connect(self, request: Request) -> tuple[Answer, Iterator[Received]]:
            return Answer(200, OK), read_events(httpx.Response(200, headers=OK, stream=Broken(hostile, None)))

    with pytest.raises(errors.GatewayError) as caught:
        Hostile(LOG, []).play(chat())
    assert caught.value.code == "invalid_answer"


def test_events_without_a_number_or_of_an_unknown_kind() -> None:
    content = b'data: {}\n\nid: 1\nevent: novel\ndata: {"a": 1}\n\nid: 2\nevent: done\ndata: {"text": "no"}\n\n'

    class New(Script):
        def connect(self, request: Request) -> tuple[Answer, Iterator[Received]]:
            return Answer(200, OK), read_events(httpx.Response(200, headers=OK, stream=Broken(content, None)))

    chunks = New(LOG, []).play(chat())
    assert chunks == [StreamChunk("novel", {"a": 1}, 1), StreamChunk("done", {"text": "no"}, 2)]
    assert [chunk.text for chunk in chunks] == ["", ""]


def test_a_line_without_end_is_bounded() -> None:
    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"x" * 2**20

    with pytest.raises(httpx.DecodingError):
        list(read_events(httpx.Response(200, headers=OK, stream=Endless())))


def test_a_compressed_stream_is_refused() -> None:
    with pytest.raises(httpx.DecodingError):
        list(read_events(httpx.Response(200, headers={**OK, "content-encoding": "gzip"}, stream=Broken(b"", None))))


def test_watching_a_turn_that_ended_before_where_one_looks() -> None:
    state = b'{"request_id":"t","session_id":"s","app":"a","version":1,"state":"done","text":"","created_at":0}'
    script = Script(LOG, [Cut(0), Answer(200, {}, state), Cut(0)])
    assert script.play(streams.turn_events(flows.Gateway(URL), TURN, len(LOG))) == []
    assert len(script.requests) == 3


def test_backing_off_is_jittered_bounded_and_obeys() -> None:
    delays = [[flows.delay(n) for _ in range(50)] for n in (1, 5, 50)]
    assert all(len(set(some)) > 1 for some in delays)
    assert max(max(some) for some in delays) <= 5
    assert 0.05 <= min(delays[0]) <= max(delays[0]) <= 0.1
    assert flows.delay(1, 7.0) == 7.0
