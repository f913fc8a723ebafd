"""What holds for every address: who may ask, how errors look, and what no request may do."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from openapi_spec_validator import validate

from cpsl.gateway.http.protocol import CarefulProtocol
from tests.support.gateway import GatewayProcess

PUBLIC = {"/api/v1/auth/local", "/api/v1/auth/device/code", "/api/v1/auth/device/token"}
VISITORS = {"/api/v1/app/{app}/data/{name}"}
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/apps/{app}/users/{user}": {"json": {"disabled": False}},
    "/api/v1/app/{app}/chat": {"json": {"text": "hi"}},
    "/api/v1/app/{app}/stream": {"json": {"text": "hi"}, "params": {"text": "hi"}},
    "/api/v1/app/{app}/files": {"params": {"name": "x"}, "content": b"x"},
    "/api/v1/app/{app}/sessions/{session_id}": {"json": {"title": "x"}},
    "/api/v1/apps/{app}/rollback": {"json": {}},
    "/api/v1/fs/{name}/content": {"params": {"path": "/x"}, "content": b""},
    "/api/v1/fs/{name}/folders": {"params": {"path": "/x"}},
    "/api/v1/fs/{name}/move": {"json": {"source": "/x", "target": "/y"}},
    "/api/v1/fs/{name}/stat": {"params": {"path": "/x"}},
    "/api/v1/fs/{name}/uploads": {"params": {"path": "/x"}},
    "/api/v1/turns/{request_id}/prompts/{prompt_id}": {"json": {"fields": {}}},
    "/api/v1/turns/{request_id}/prompts/{prompt_id}/file": {"params": {"name": "x"}, "content": b"x"},
}


class Route(NamedTuple):
    method: str
    path: str
    needs_token: bool


@pytest.fixture(scope="module")
def routes(gateway: GatewayProcess) -> list[Route]:
    """Every route there is, from the schema that the gateway itself serves."""
    schema = gateway.ask("GET", "/openapi.json").json()
    return [
        Route(method.upper(), path, bool(operation.get("security")))
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


def _is_problem(answer: httpx.Response, *statuses: int) -> bool:
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/problem+json"
    if answer.request.method == "HEAD":
        return True  # it has no body
    problem = answer.json()
    assert re.fullmatch(r"[a-z][a-z0-9_]*", problem["code"])
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["title"]
    return True


def _ask(http: httpx.Client, route: Route, values: dict[str, str]) -> httpx.Response:
    path = re.sub(r"{(\w+)}", lambda match: values[match[1]], route.path.removeprefix("/api/v1"))
    return http.request(route.method, path, **BODIES.get(route.path, {}))


# --- who may ask


def test_every_route_wants_a_token_but_those_that_give_one(gateway: GatewayProcess, routes: list[Route]) -> None:
    assert {route.path for route in routes if not route.needs_token} == PUBLIC
    assert len(routes) > 35
    with gateway.http() as http:
        del http.headers["Authorization"]
        for route in routes:
            values = dict.fromkeys(re.findall(r"{(\w+)}", route.path), "x")
            answer = _ask(http, route, values)
            if route.path in VISITORS:
                assert _is_problem(answer, 401, 404)
            elif route.needs_token:
                assert _is_problem(answer, 401), route
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_body_is_not_read_before_it_is_known_who_sends_it(gateway: GatewayProcess) -> None:
    with gateway.http() as http:
        del http.headers["Authorization"]
        for content in (b"", b"not JSON", b'{"secrets": 1}'):
            assert _is_problem(http.post("/secrets", content=content), 401)


def test_what_another_workspace_owns_is_as_unknown_as_what_nobody_owns(
    echo: GatewayProcess, routes: list[Route]
) -> None:
    theirs = _things(echo)
    nobodys = {name: "zzz" + value[3:] for name, value in theirs.items()}
    with echo.http(echo.member("stranger@http.test", "strangers")) as http:
        for route in routes:
            names = re.findall(r"{(\w+)}", route.path)
            for found in [theirs, {**theirs, "name": theirs["name_id"]}] if names else []:
                answer, unknown = _ask(http, route, found), _ask(http, route, nobodys)
                assert _is_problem(answer, 404), route
                assert _without(answer, found) == _without(unknown, nobodys), route
    with echo.http() as mine:
        assert mine.get(f"/turns/{theirs['request_id']}").is_success
        assert mine.get("/fs/http-files").is_success
        assert mine.get(f"/apps/{theirs['app']}").is_success
        mine.delete("/fs/http-files")
        mine.delete("/secrets/http-files")


def _things(gateway: GatewayProcess) -> dict[str, str]:
    """Something of everything, by the names that the paths of routes give it."""
    with gateway.http() as http:
        turn = http.post("/app/echo/chat", json={"text": "hi"}).json()
        files = http.post("/fs", json={"name": "http-files"}).json()
        token = http.get("/me").json()["token"]["id"]
        app = http.get("/apps/echo").json()["id"]
        user = http.get("/apps/echo/users").json()["users"][0]["id"]
        deployment = http.get("/apps/echo/deploys").json()["deploys"][0]["deployment_id"]
    return {
        "user": user,
        "deployment_id": deployment,
        "integration": "aws",
        "app": app,
        "name": "http-files",
        "name_id": files["id"],
        "token_id": token,
        "session_id": turn["session_id"],
        "request_id": turn["request_id"],
        "prompt_id": "prm_1",
        "file_id": "fil_1",
        "upload_id": "upl_1",
    }


def _without(answer: httpx.Response, values: dict[str, str]) -> str:
    if answer.request.method == "HEAD":
        return ""
    text = answer.text.replace(answer.json()["request_id"], "")
    for value in sorted(values.values(), key=len, reverse=True):
        text = text.replace(value, "")
    return text


# --- bodies, paths, hosts


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"text": NaN}', "malformed"),
        (b'{"text": Infinity}', "malformed"),
        (b'{"text": "a", "text": "b"}', "same name twice"),
        (b'{"text": "a", "x": {"y": 1, "y": 2}}', "same name twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"text":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        (b'\xef\xbb\xbf{"text": "a"}', "malformed"),
        ('{"text": "a"}'.encode("utf-16"), "malformed"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (b'{"text": "\xc0\xae"}', "not UTF-8"),
        (b'{"text": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"text": "\\ud800"}', "cannot be read"),
        (b'{"text": "a\x01"}', "cannot be read"),
        (b'{"text": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"text": "a"', "cannot be read"),
        (b'{"text": "a"} {}', "malformed"),
        (b"text=a", "malformed"),
        (b"\x1f\x8b\x08", "malformed"),
    ],
)
def test_bodies_that_two_programs_could_read_differently(echo: GatewayProcess, body: bytes, why: str) -> None:
    with echo.http() as http:
        answer = http.post("/app/echo/chat", content=body, headers={"Content-Type": "application/json"})
    assert _is_problem(answer, 400)
    assert answer.json()["code"] == "invalid_json"
    assert why in answer.json()["title"]


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"1", b'"x"', b'{"text": null}', b'{"text": 1e400}', b'{"text": {"a": 1}}', b"{}"]
)
def test_bodies_of_another_shape(echo: GatewayProcess, body: bytes) -> None:
    with echo.http() as http:
        for path in ("/app/echo/chat", "/secrets", "/deploys/check", "/tokens", "/accounts", "/fs", "/channels"):
            if (path, body) != ("/tokens", b"{}") and not (path == "/tokens" and b"text" in body):
                assert _is_problem(http.post(path, content=body), 400, 422), path


@pytest.mark.parametrize("field", ["secrets", "channels", "name", "mounts", "data", "integrations"])
@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": 1}])
def test_fields_of_another_type(gateway: GatewayProcess, field: str, value: Any) -> None:
    if (field, value) != ("name", "x"):
        with gateway.http() as http:
            assert _is_problem(http.post("/deploys/check", json={"name": "app", field: value}), 422)


def test_a_body_that_is_cut_off_is_nobodys_failure(gateway: GatewayProcess) -> None:
    for path in ("/secrets", "/deploys?entry=app.py:app"):
        head = f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.token}\r\n"
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            time.sleep(0.05)
    assert gateway.ask("GET", "/healthz").status_code == 200  # and the fixture of this module looks at the log


def test_long_bodies_are_refused_with_and_without_their_length(gateway: GatewayProcess) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    with gateway.http() as http:
        assert _is_problem(http.post("/secrets", content=b" " * (2 * 1024 * 1024 + 1)), 413)
        assert _is_problem(http.post("/secrets", content=pieces()), 413)
        assert _is_problem(http.post("/app/echo/chat", content=b" " * (8 * 1024 * 1024 + 1)), 413)


@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e/%2e%2e/etc/passwd", "/static/%2e%2e/routes.py", "/static/..%2froutes.py", "/static/../app.py",
        "/api/v1/%252e%252e/me", "/api/v1/apps/%00", "/api/v1/apps/%c0%ae%c0%ae", "/api/v1/apps/%ff", "/api/v1/me;x=1",
        "/api/v1/apps/..%2f..%2fme", "//evil/api/v1/me", "/API/v1/me", "/api/v1/apps/" + "x" * 5000,
        "/a/%2e%2e%2f", "/a/..%2f..%2fapi", "/connect/x/y%00", "*",
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere(gateway: GatewayProcess, path: str) -> None:
    head = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gateway.token}\r\nConnection: close\r\n\r\n"
    )
    answer = _raw(gateway, head.encode())
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), answer[:200]
    assert b"x-request-id" in answer.lower()
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "host",
    ["evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "evil.com:1980", "", "127.0.0.1@evil.com", "[::1", "0"],
)
def test_other_host_names_are_not_ours(gateway: GatewayProcess, host: str) -> None:
    answer = gateway.ask("GET", "/healthz", headers={"Host": host})
    assert _is_problem(answer, 421)
    assert answer.json()["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:80", "app.localhost:1980", "[::1]:1980"])
def test_this_machines_names_are_ours(gateway: GatewayProcess, host: str) -> None:
    assert gateway.ask("GET", "/healthz", headers={"Host": host}).status_code == 200


def test_two_hosts_or_none_are_refused(gateway: GatewayProcess) -> None:
    for hosts in (b"", b"Host: 127.0.0.1\r\nHost: localhost\r\n"):
        assert b"wrong_host" in _raw(gateway, b"GET /healthz HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("PUT", "/me", 405, "method_not_allowed"),
        ("TRACE", "/me", 405, "method_not_allowed"),
        ("GET", "/apps/echo/logs?limit=x", 422, "invalid_request"),
        ("GET", "/apps/echo/logs?limit=0", 422, "invalid_request"),
        ("GET", f"/apps/echo/logs?after={2**70}", 422, "invalid_value"),
        ("GET", "/app/echo/sessions?limit=100000", 422, "invalid_request"),
        ("GET", "/app/echo/stream", 422, "invalid_request"),
    ],
)
def test_errors_have_one_shape(echo: GatewayProcess, method: str, path: str, status: int, code: str) -> None:
    with echo.http() as http:
        answer = http.request(method, path)
    assert _is_problem(answer, status)
    assert answer.json()["code"] == code


# --- headers, ids, the schema, health


def test_responses_are_careful(gateway: GatewayProcess) -> None:
    paths = ("/healthz", "/device", "/a/nothing", "/nothing", "/api/v1/me", "/openapi.json", "/static/style.css")
    for answer in [gateway.ask("GET", f"{path}") for path in paths]:
        assert answer.headers["X-Request-Id"].startswith("req_")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] in ("no-store", "max-age=3600")
        assert "Server" not in answer.headers
        assert len(answer.headers.get_list("X-Request-Id")) == 1


@pytest.mark.parametrize(
    ("given", "taken"),
    [("my-id.1", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("<x>", False), ("", False)],
)
def test_a_request_may_bring_its_own_id_if_it_is_sane(gateway: GatewayProcess, given: str, taken: bool) -> None:
    answer = gateway.ask("GET", "/api/v1/me", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) == taken
    assert _is_problem(answer, 401)


def test_the_schema_is_openapi_3_1_and_valid(gateway: GatewayProcess) -> None:
    answer = gateway.ask("GET", "/openapi.json")
    schema = answer.json()
    assert schema["openapi"].startswith("3.1")
    validate(schema)
    operations = [each for path in schema["paths"].values() for each in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    assert schema["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    assert "cps_" not in answer.text


def test_health(gateway: GatewayProcess) -> None:
    assert gateway.ask("GET", "/healthz").json() == {"status": "ok"}
    assert gateway.ask("GET", "/readyz").json() == {"status": "ready"}


@pytest.fixture(scope="module", autouse=True)
def _no_request_makes_the_gateway_fail(gateway: GatewayProcess) -> Iterator[None]:
    before = len(gateway.log())
    yield
    assert "Traceback" not in gateway.log()[before:]


# --- below HTTP


@pytest.mark.parametrize(
    "head",
    [
        b"POST /device HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /device HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n1234",
        b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\r\n c\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"b" * 1024 * 1024 + b"\r\n\r\n",
        b"GET /healthz?" + b"b" * 1024 * 1024 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["CL and TE", "two CLs", "bare LF", "obs-fold", "long header", "long URL", "nonsense", "TLS"],
)
def test_heads_that_are_refused_and_the_connection_closed(gateway: GatewayProcess, head: bytes) -> None:
    assert _raw(gateway, head).startswith(b"HTTP/1.1 400")
    assert gateway.ask("GET", "/healthz").status_code == 200


def _raw(gateway: GatewayProcess, sent: bytes) -> bytes:
    """What comes back until the gateway closes the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        try:
            connection.sendall(sent)
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except ConnectionError:
            return b"HTTP/1.1 400 (before all was sent)"


class _Hasty(CarefulProtocol):
    head_seconds = 0.2


@pytest.fixture
def hasty() -> Iterator[int]:
    """The port of a server that waits 0.2 s for a head, and answers after 0.3 s."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.3)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(app, http=_Hasty, lifespan="off", log_config=None, timeout_keep_alive=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-A"])
def test_a_head_that_does_not_end_is_not_waited_for(hasty: int, beginning: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hasty), timeout=5) as connection:
        began = time.monotonic()
        connection.sendall(beginning)
        assert connection.recv(100) == b""
        assert 0.1 < time.monotonic() - began < 3


def test_an_answer_may_take_longer_than_a_head(hasty: int) -> None:
    with httpx.Client(verify=False) as http:
        assert http.get(f"http://127.0.0.1:{hasty}/").status_code == 204
        assert http.get(f"http://127.0.0.1:{hasty}/").status_code == 204
