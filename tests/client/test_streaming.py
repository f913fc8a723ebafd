"""Streams and files of the public client, over real connections to a small server on loopback."""

import asyncio
import io
import pickle
import resource
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

import cpsl
from cpsl import errors
from cpsl.client import AsyncClient, Client
from cpsl.wire import events

from .gateway import SESSION, TURN, FakeGateway, log_of, sse


def test_chat_folds_the_stream(gateway: FakeGateway) -> None:
    gateway.log = log_of(["Hel", "lo"], ["two\n", "lines"])
    with Client("cps_x", gateway.url) as client:
        reply = client.chat("hello", "hi", "ses_1")
    assert str(reply) == reply.text == "Hello\n\ntwo\nlines"
    assert (reply.session_id, reply.request_id) == (SESSION, TURN)
    assert reply.raw["replies"] == [{"text": "Hello"}, {"text": "two\nlines"}]
    assert {name: reply.raw[name] for name in ("text", "session_id", "request_id")} == {
        "text": reply.text,
        "session_id": SESSION,
        "request_id": TURN,
    }


def test_the_text_is_in_the_body_and_the_token_in_one_header(gateway: FakeGateway) -> None:
    with Client("cps_canary", gateway.url) as client:
        client.chat("a/b ü", "a secret question", idempotency_key="k")
    (seen,) = gateway.seen
    assert (seen.method, seen.path, seen.query) == ("POST", "/api/v1/app/a%2Fb%20%C3%BC/stream", {})
    assert msgspec.json.decode(seen.body) == {"text": "a secret question"}
    assert seen.headers["authorization"] == "Bearer cps_canary"
    assert seen.headers["user-agent"] == f"capsule/{cpsl.__version__}"
    assert seen.headers["idempotency-key"] == "k"


def test_each_call_without_a_key_is_a_turn_of_its_own(gateway: FakeGateway) -> None:
    with Client("cps_x", gateway.url) as client:
        client.chat("hello", "hi")
        client.chat("hello", "hi")
    assert len(gateway.runs) == 2


@pytest.mark.parametrize("abrupt", [True, False])
def test_two_thousand_pieces_survive_five_cuts(gateway: FakeGateway, abrupt: bool) -> None:
    gateway.log = log_of([f"{n} " for n in range(1500)], [f"{n} " for n in range(1500, 2000)])
    gateway.cuts, gateway.abrupt = [30_000, 31_234, 1, 20_001, 17], abrupt
    with Client("cps_x", gateway.url) as client:
        text = "".join(chunk.text for chunk in client.stream("hello", "hi"))
    assert text.replace("\n\n", "") == "".join(f"{n} " for n in range(2000))
    assert len(gateway.streams) == 6
    assert len(gateway.runs) == 1


def test_the_async_client_survives_the_same(gateway: FakeGateway) -> None:
    gateway.log = log_of([f"{n} " for n in range(2000)])
    gateway.cuts = [30_000, 31_234, 1, 20_001, 17]

    async def main() -> str:
        async with AsyncClient("cps_x", gateway.url) as client:
            return (await client.chat("hello", "hi")).text

    assert asyncio.run(main()) == "".join(f"{n} " for n in range(2000))


def test_a_cut_before_the_first_event_runs_it_once(gateway: FakeGateway) -> None:
    gateway.cuts = [0, 5]
    with Client("cps_x", gateway.url) as client:
        assert client.chat("hello", "hi").text == "hi"
    assert len(gateway.runs) == 1


def test_missing_heartbeats_are_a_cut(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpsl.client.flows.STREAM_SILENCE_SECONDS", 0.2)
    gateway.cuts, gateway.silent = [len(sse(gateway.log[:2]))], True
    with Client("cps_x", gateway.url) as client:
        assert client.chat("hello", "hi").text == "hi"
    assert len(gateway.streams) == 2


def test_an_answer_has_a_deadline_if_one_is_given(gateway: FakeGateway) -> None:
    gateway.cuts, gateway.silent = [len(sse(gateway.log[:1]))] * 9, True
    with Client("cps_x", gateway.url) as client, pytest.raises(errors.GatewayTimeout) as caught:
        client.chat("hello", "hi", timeout=0.3)
    assert (caught.value.code, caught.value.request_id) == ("turn_timeout", TURN)


def test_a_prompt_is_raised_at_once(gateway: FakeGateway) -> None:
    prompt = events.Prompt("pmt_1", "form", "Connect AWS", 99.0, link="http://x/p", fields=[events.PromptField("key")])
    gateway.log = [events.Started(TURN, SESSION, 1), events.Chunk("First "), prompt]
    with Client("cps_x", gateway.url) as client, pytest.raises(cpsl.PromptRequired) as caught:
        client.chat("hello", "connect")
    error = caught.value
    assert (error.link, error.request_id, error.session_id, error.partial) == ("http://x/p", TURN, SESSION, "First ")
    assert error.prompt["prompt_id"] == "pmt_1"
    assert error.prompt["fields"] == [{"name": "key"}]
    assert pickle.loads(pickle.dumps(error)).prompt == error.prompt


def test_stream_yields_the_error_then_raises(gateway: FakeGateway) -> None:
    gateway.log = [events.Started(TURN, SESSION, 1), events.Chunk("part"), events.Error("app_error", "It broke", TURN)]
    seen: list[cpsl.StreamChunk] = []
    with Client("cps_x", gateway.url) as client, pytest.raises(cpsl.AppError) as caught:
        seen.extend(client.stream("hello", "hi"))
    assert [chunk.event for chunk in seen] == ["started", "chunk", "error"]
    assert caught.value.partial == "part"


def test_leaving_a_stream_closes_its_connection(gateway: FakeGateway) -> None:
    gateway.cuts, gateway.silent = [len(sse(gateway.log[:2]))], True
    with Client("cps_x", gateway.url) as client:
        chunks = client.stream("hello", "hi")
        assert next(chunks).event == "started"
        chunks.close()  # type: ignore[attr-defined]
        assert list(chunks) == []


def test_one_client_serves_many_threads(gateway: FakeGateway) -> None:
    gateway.log = log_of(["x"] * 50)
    with Client("cps_x", gateway.url) as client, ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda n: client.chat("hello", str(n)).text, range(40)))
    assert replies == ["x" * 50] * 40


# --- files --------------------------------------------------------------------------------------------------------

SIZE = 48 * 1024 * 1024


class Zeros(io.RawIOBase):
    """A file of SIZE zeros that never exists."""

    left = SIZE

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def test_files_of_any_size_take_little_memory(gateway: FakeGateway) -> None:
    gateway.file = SIZE
    with Client("cps_x", gateway.url) as client:
        client.filesystems.upload("f", "/warm", iter([b"up"]))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        gateway.uploaded = 0
        assert client.filesystems.upload("f", "/a", Zeros()).size == SIZE
        assert sum(map(len, client.filesystems.download("f", "/a"))) == SIZE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12 * 1024


def test_async_uploads_take_every_kind_of_content(gateway: FakeGateway) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    async def main() -> list[int]:
        sizes = []
        async with AsyncClient("cps_x", gateway.url) as client:
            for content in (b"abc", [b"a", b"bc"], io.BytesIO(b"abc"), pieces()):
                gateway.uploaded = 0
                sizes.append((await client.filesystems.upload("f", "/a b", content)).size)
        return sizes

    assert asyncio.run(main()) == [3, 3, 3, 3]


def test_a_download_that_breaks_off_raises(gateway: FakeGateway) -> None:
    gateway.file = 65536 + 7  # says so, and sends only whole pieces
    with Client("cps_x", gateway.url, max_retries=0) as client, pytest.raises(errors.ConnectionFailed):
        list(client.filesystems.download("f", "/a"))
