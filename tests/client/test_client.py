"""The public client over httpx.MockTransport, and what it says when the other side is not what it should be."""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import cpsl
from cpsl import errors
from cpsl.client import Client, operations
from cpsl.wire import apps

from .gateway import FakeGateway

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


# --- plain calls --------------------------------------------------------------------------------------------------


def test_an_error_of_the_content_itself_passes() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise OSError("disk on fire")

    def handler(request: httpx.Request) -> httpx.Response:
        request.read()
        return httpx.Response(201, json={"id": "upl_1", "offset": 0, "sha256": ""})

    with pytest.raises(OSError, match="disk on fire"):
        client_of(handler).filesystems.upload("f", "/a", broken())


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
        client_of(handler).turns.upload("trn_1", "prm_1", "a.txt", b"a")
    assert len(seen) == 1


def test_what_is_made_is_asked_for_again_with_the_same_key() -> None:
    made = {"id": "fs_1", "name": "f", "created_at": 1.0}
    handler, seen = answers(httpx.ReadError("x"), httpx.Response(503), httpx.Response(201, json=made))
    client = client_of(handler)
    assert client.filesystems.create("f").id == "fs_1"
    keys = {request.headers["idempotency-key"] for request in seen}
    assert (len(seen), len(keys)) == (3, 1)
    handler, seen = answers(*[httpx.Response(201, json=made)] * 2)
    client = client_of(handler)
    client.filesystems.create("f")
    client.filesystems.create("f")
    assert len({request.headers["idempotency-key"] for request in seen}) == 2


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
    monkeypatch.setattr("cpsl.client.connections.MAX_ANSWER_BYTES", 1000)
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
        "print([m for m in ('keyring', 'litestar', 'sqlalchemy', 'typer', 'rich', 'click') if m in sys.modules])"
    )
    nowhere = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CAPSULE_CONFIG_DIR": "/nonexistent/x"}
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=nowhere, check=False)
    assert shown.stdout == f"Client(gateway_url='{URL}', token=[secure])\n[]\n", shown.stderr


def test_what_hangs_on_a_client_says_what_it_is_and_where() -> None:
    with Client("cps_canary", "http://localhost:9") as client:
        assert repr(client.apps) == "Apps(gateway_url='http://localhost:9')"
        assert "canary" not in repr(vars(client))


@pytest.mark.parametrize("number", [-1, 1.5, "3"])
def test_what_is_no_number_of_retries_is_refused(number: Any) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        Client("cps_x", "http://localhost", max_retries=number)
    assert caught.value.code == "invalid_retries"
