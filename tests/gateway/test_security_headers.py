"""The headers that make browsers careful, for each kind of response.

After https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.gateway import GatewayProcess

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NEVER = ["Server", "X-Powered-By", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"]


class Case(NamedTuple):
    """One kind of response: how to get it, its status, and which of its headers are its own."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    how: dict[str, Any] = {}
    is_owner: bool = False


CASES = {
    "page": Case("GET", "/a/echo", 200, {"Content-Type": "text/html; charset=utf-8"}),
    "script": Case(
        "GET",
        "/static/theme.js",
        200,
        {"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "max-age=3600"},
    ),
    "page not found": Case("GET", "/a/nothing", 404, {"Content-Type": "text/html; charset=utf-8"}),
    "page of the device login": Case("GET", "/device", 200, {"Content-Type": "text/html; charset=utf-8"}),
    "style": Case("GET", "/static/style.css", 200, {"Cache-Control": "max-age=3600"}),
    "no such asset": Case("GET", "/static/nothing.js", 404, {"Content-Type": "application/problem+json"}),
    "answer": Case("GET", "/api/v1/me", 200, {"Content-Type": "application/json"}, is_owner=True),
    "problem": Case("GET", "/api/v1/me", 401, {"Content-Type": "application/problem+json"}),
    "no such route": Case("GET", "/nothing", 404, {"Content-Type": "application/problem+json"}),
    "no such method": Case("PUT", "/device", 405, {"Content-Type": "application/problem+json"}),
    "invalid body": Case(
        "POST", "/api/v1/app/echo/chat", 400, {"Content-Type": "application/problem+json"}, {"content": b"{"}, True
    ),
    "stream": Case(
        "POST",
        "/api/v1/app/echo/stream",
        200,
        {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"},
        {"json": {"text": "hi"}},
        True,
    ),
    "download": Case(
        "GET",
        "/api/v1/fs/shown/content?path=/page.html",
        200,
        {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": "attachment; filename*=UTF-8''page.html",
        },
        is_owner=True,
    ),
    "preflight of another origin": Case(
        "OPTIONS",
        "/api/v1/app/echo/chat",
        401,
        {"Content-Type": "application/problem+json"},
        {"headers": {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}},
    ),
    "schema": Case("GET", "/openapi.json", 200, {}),
    "health": Case("GET", "/healthz", 200, {"Content-Type": "application/json"}),
    "not for this host": Case(
        "GET", "/a/echo", 421, {"Content-Type": "application/problem+json"}, {"headers": {"Host": "evil.example"}}
    ),
}


@pytest.fixture(scope="session")
def shown(echo: GatewayProcess) -> GatewayProcess:
    """The shared gateway with an app, and a file that a browser would like to show."""
    with echo.client() as client:
        client.filesystems.create("shown")
        client.filesystems.upload("shown", "/page.html", b"<script>alert(1)</script>")
    return echo


def ask(gateway: GatewayProcess, case: Case) -> httpx.Response:
    """The response of this kind."""
    how = {"headers": {}} | case.how
    if case.is_owner:
        how["headers"] = {**how["headers"], "Authorization": f"Bearer {gateway.token}"}
    return gateway.ask(case.method, case.path, **how)


def policy(answer: httpx.Response) -> dict[str, str]:
    """The directives of its Content-Security-Policy."""
    parts = (each.strip().partition(" ") for each in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_kind_of_response_is_careful(shown: GatewayProcess, case: Case) -> None:
    answer = ask(shown, case)
    assert answer.status_code == case.status, answer.text
    wanted = ALWAYS | case.headers
    assert {name: answer.headers.get(name) for name in wanted} == wanted
    assert [name for name in NEVER if name in answer.headers] == []
    assert len(answer.headers.get_list("Content-Security-Policy")) == 1


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_policy_lets_nothing_in_from_elsewhere(shown: GatewayProcess, case: Case) -> None:
    directives = policy(ask(shown, case))
    assert directives.pop("default-src") in ("'none'", "'self'")
    assert directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert directives["form-action"] in ("'self'", "'none'")
    for name, value in directives.items():
        allowed = {"'self'", "'none'", "data:", "blob:"} if name == "img-src" else {"'self'", "'none'"}
        assert set(value.split()) <= allowed, f"{name} {value}"
