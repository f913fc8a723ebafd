"""The public client over real connections (a small server on loopback) and over httpx.MockTransport."""

import asyncio
import io
import os
import pickle
import resource
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

import cpsl
from cpsl import errors
from cpsl.client import AsyncClient, Client, operations
from cpsl.wire import apps, events

from .gateway import SESSION, TURN, FakeGateway, log_of, sse

URL = "http://127.0.0.1:1980"
APP = {
    "id": "app_1", "name": "hello", "hostname": "hello", "url": "http://x/a/hello", "live_version": 3,
    "price_in_cents": 0, "pricing_type": "one_time", "description": "", "created_at": 1.0, "updated_at": 2.0,
    "trouble": "",
}  # fmt: skip
Handler = Callable[[httpx.Request], httpx.Response]


def client_of(handler: Handler, **facts: object) -> Client:
    http = httpx.Client(transport=httpx.MockTransport(handler), follow_redirects=True)
    return Client("cps_canary", URL, http_client=http, **facts)  # type: ignore[arg-type]


def answers(*responses: httpx.Response | Exception) -> tuple[Handler, list[httpx.Request]]:
    """A gateway that gives these one after another, and the requests it saw."""
    left, seen = list(responses), list[httpx.Request]()

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        response = left.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    return handler, seen


# --- chat and stream ----------------------------------------------------------------------------------------------


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


def test_an_error_of_the_content_itself_passes() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise OSError("disk on fire")

    def handler(request: httpx.Request) -> httpx.Response:
        request.read()
        return httpx.Response(200)

    with pytest.raises(OSError, match="disk on fire"):
        client_of(handler).filesystems.upload("f", "/a", broken())


def test_a_download_that_breaks_off_raises(gateway: FakeGateway) -> None:
    gateway.file = 65536 + 7  # says so, and sends only whole pieces
    with Client("cps_x", gateway.url, max_retries=0) as client, pytest.raises(errors.ConnectionFailed):
        list(client.filesystems.download("f", "/a"))


# --- plain calls --------------------------------------------------------------------------------------------------


def test_apps_are_dicts() -> None:
    handler, seen = answers(httpx.Response(200, json={"apps": [APP]}), httpx.Response(200, json={**APP, "new": 1}))
    client = client_of(handler)
    assert client.list_apps() == [APP]
    assert client.get_app("hello") == APP
    assert [request.url.path for request in seen] == ["/api/v1/apps", "/api/v1/apps/hello"]
    assert set(cpsl.client.AppInfo.__annotations__) == {field.name for field in msgspec.structs.fields(apps.App)}


def test_what_may_be_repeated_is_repeated() -> None:
    handler, seen = answers(httpx.ConnectError("x"), httpx.Response(503), httpx.Response(200, json={"apps": []}))
    assert client_of(handler).list_apps() == []
    assert len(seen) == 3


def test_a_post_without_a_key_is_not_repeated() -> None:
    handler, seen = answers(httpx.ReadError("x"))
    with pytest.raises(errors.ConnectionFailed):
        client_of(handler).filesystems.create("f")
    assert len(seen) == 1


def test_retries_end() -> None:
    handler, seen = answers(*[httpx.Response(503)] * 3)
    with pytest.raises(errors.GatewayError) as caught:
        client_of(handler, max_retries=2).list_apps()
    assert (len(seen), caught.value.status) == (3, 503)


def test_retry_after_is_obeyed_or_handed_on() -> None:
    problem = {"title": "Slow down", "status": 429, "code": "rate_limited"}
    handler, seen = answers(
        httpx.Response(429, json=problem, headers={"Retry-After": "0"}),
        httpx.Response(429, json=problem, headers={"Retry-After": "3600"}),
    )
    with pytest.raises(errors.RateLimited) as caught:
        client_of(handler).list_apps()
    assert (len(seen), caught.value.retry_after) == (2, 3600)


def test_a_delete_whose_answer_was_lost_has_worked() -> None:
    gone = httpx.Response(404, json={"title": "No such secret", "status": 404, "code": "not_found"})
    handler, _ = answers(httpx.ReadError("x"), gone)
    client_of(handler).secrets.delete("A")
    handler, _ = answers(gone)
    with pytest.raises(errors.NotFound):
        client_of(handler).secrets.delete("A")


def test_problems_keep_their_facts() -> None:
    problem = {"title": "Taken", "status": 409, "code": "secret_exists", "hint": "Use --force", "request_id": "req_1"}
    handler, _ = answers(httpx.Response(409, json=problem))
    with pytest.raises(errors.Conflict) as caught:
        client_of(handler).secrets.create({"A": "canary"})
    assert (caught.value.code, caught.value.hint, caught.value.request_id) == ("secret_exists", "Use --force", "req_1")


def test_the_header_names_the_request_when_the_body_does_not() -> None:
    problem = {"title": "No", "status": 500, "code": "gateway_error"}
    handler, _ = answers(httpx.Response(500, json=problem, headers={"X-Request-Id": "req_2"}))
    with pytest.raises(errors.GatewayError) as caught:
        client_of(handler).list_apps()
    assert caught.value.request_id == "req_2"


def test_a_refused_token_is_told_where_it_came_from() -> None:
    handler, _ = answers(httpx.Response(401, json={"title": "Bad token", "status": 401, "code": "unauthorized"}))
    with pytest.raises(errors.AuthError) as caught:
        client_of(handler).me()
    assert "came from argument" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["", " ", ".", "..", "./"])
def test_what_is_no_name_is_not_sent(name: str) -> None:
    handler, seen = answers()
    for call in (client_of(handler).get_app, client_of(handler).secrets.delete):
        if name != "./":
            with pytest.raises(errors.InvalidRequest):
                call(name)
    assert seen == []


def test_half_characters_are_refused() -> None:
    handler, _ = answers()
    client = client_of(handler)
    for text in ("\ud800", "ok\udcff"):
        with pytest.raises(errors.InvalidRequest):
            client.chat("hello", text)
        with pytest.raises(errors.InvalidRequest):
            client.get_app(text)


# --- the other side is not what it should be ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["https://evil.example/steal", "http://127.0.0.1:1/x", "/other"])
def test_redirects_are_not_followed(status: int, target: str) -> None:
    handler, seen = answers(httpx.Response(status, headers={"Location": target}))
    with pytest.raises(errors.ConnectionFailed) as caught:
        client_of(handler).list_apps()
    assert caught.value.code == "redirected"
    assert len(seen) == 1
    if "evil" in target:
        assert "https://evil.example" in str(caught.value)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, html="<html>Log in to the Wi-Fi</html>"),
        httpx.Response(404, html="<h1>nginx</h1>"),
        httpx.Response(403, text="no"),
        httpx.Response(418, json={"some": "teapot"}),
    ],
)
def test_what_is_no_gateway_is_called_so(response: httpx.Response) -> None:
    calls: list[Callable[[Client], object]] = [
        lambda client: client.list_apps(),
        lambda client: client.chat("hello", "hi"),
        lambda client: list(client.filesystems.download("f", "/")),
    ]
    for call in calls:
        again = httpx.Response(response.status_code, headers=response.headers, content=response.content)
        handler, seen = answers(again)
        with pytest.raises(errors.ConnectionFailed) as caught:
            call(client_of(handler))
        assert (caught.value.code, len(seen)) == ("not_a_gateway", 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"apps": 3}', b"\xff"])
def test_an_answer_that_cannot_be_understood(body: bytes) -> None:
    handler, _ = answers(httpx.Response(200, content=body, headers={"Content-Type": "application/json"}))
    with pytest.raises(errors.GatewayError) as caught:
        client_of(handler).list_apps()
    assert caught.value.code == "invalid_answer"


def test_an_endless_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpsl.client.drivers.MAX_ANSWER_BYTES", 1000)
    handler, _ = answers(httpx.Response(200, content=bytes(2000)))
    with pytest.raises(errors.GatewayError):
        client_of(handler).list_apps()


def test_nothing_listens_there() -> None:
    with Client("cps_x", "http://127.0.0.1:9", max_retries=0) as client:
        for call in (client.list_apps, lambda: client.chat("hello", "hi")):
            with pytest.raises(errors.ConnectionFailed) as caught:
                call()
            assert caught.value.code == "gateway_unreachable"
            assert caught.value.hint == "Start the gateway with 'capsule gateway start'."


def test_something_else_listens_there() -> None:
    import socket

    def talk() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk)
        thread.start()
        with Client("cps_x", f"http://127.0.0.1:{server.getsockname()[1]}", max_retries=0) as client:
            with pytest.raises(errors.ConnectionFailed):
                client.list_apps()
        thread.join()


def test_a_proxy_for_the_outside_does_not_get_this_machines_token(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with Client("cps_x", gateway.url) as client:
        assert client.chat("hello", "hi").text == "hi"


def test_a_closed_client_says_so(gateway: FakeGateway) -> None:
    client = Client("cps_x", gateway.url)
    client.close()
    client.close()
    with pytest.raises(errors.InvalidRequest, match="closed"):
        client.list_apps()


def test_no_token_in_anything_that_is_printed() -> None:
    handler, _ = answers(httpx.ReadError("x"))
    client = client_of(handler, max_retries=0)
    shown = [repr(client), str(vars(client))]
    with pytest.raises(errors.ConnectionFailed) as caught:
        client.me()
    shown += [repr(caught.value), str(caught.getrepr(showlocals=False))]
    assert not any("cps_canary" in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(client)
    assert "hunter2" not in repr(operations.Request("POST", "/x", content=b"hunter2", headers={"a": "hunter2"}))


def test_importing_cpsl_loads_no_client() -> None:
    script = "import cpsl, sys; print([m for m in ('httpx', 'msgspec', 'keyring', 'cpsl.client') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_a_client_needs_no_home(tmp_path: Path) -> None:
    """Token and URL given: no config is read, no keyring asked, nothing of the gateway's dependencies loaded."""
    script = (
        "import cpsl, sys; print(cpsl.Client(token='cps_x', gateway_url='http://127.0.0.1:1980'));"
        "print([m for m in ('keyring', 'litestar', 'sqlalchemy', 'typer', 'pathspec') if m in sys.modules])"
    )
    nowhere = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CAPSULE_CONFIG_DIR": "/nonexistent/x"}
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=nowhere, check=False)
    assert shown.stdout == f"Client(gateway_url='{URL}', token=[secure])\n[]\n", shown.stderr
