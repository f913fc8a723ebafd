"""Secrets over HTTP: they go in, all or none, and nothing of them comes out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.gateway import GatewayProcess

CANARY = 'canary "value" + 7f3a/né'


@pytest.fixture(scope="session")
def member(gateway: GatewayProcess) -> str:
    return gateway.member("me@secrets.test", "secrets")


@pytest.fixture
def http(gateway: GatewayProcess, member: str) -> Iterator[httpx.Client]:
    """A workspace of its own, emptied before each test."""
    with gateway.http(member) as client:
        for name in _names(client):
            client.delete(f"/secrets/{name}")
        yield client


def _names(http: httpx.Client) -> list[str]:
    return [each["name"] for each in http.get("/secrets").json()["secrets"]]


def _create(http: httpx.Client, secrets: dict[str, Any], *, overwrite: bool = False) -> httpx.Response:
    return http.post("/secrets", json={"secrets": secrets, "overwrite": overwrite})


def test_they_are_stored_together_and_listed_without_values(http: httpx.Client) -> None:
    made = _create(http, {"B_KEY": "two", "A_KEY": "one"})
    assert made.status_code == 201
    listed = http.get("/secrets").json()["secrets"]
    assert made.json()["secrets"] == listed
    assert [set(each) for each in listed] == [{"name", "digest", "created_at", "updated_at"}] * 2
    assert [each["name"] for each in listed] == ["A_KEY", "B_KEY"]


def test_one_that_exists_keeps_all_of_them_out(http: httpx.Client) -> None:
    _create(http, {"OLD": "kept"})
    before = http.get("/secrets").json()
    refused = _create(http, {"NEW": "x", "OLD": "y"})
    assert (refused.status_code, refused.json()["code"]) == (409, "secret_exists")
    assert "OLD" in refused.json()["title"]
    assert "NEW" not in refused.json()["title"]
    assert http.get("/secrets").json() == before


def test_overwrite_replaces_and_says_so_by_the_digest(http: httpx.Client) -> None:
    first = _create(http, {"KEY": "one"}).json()["secrets"][0]
    second = _create(http, {"KEY": "two", "OTHER": "one"}, overwrite=True).json()["secrets"]
    assert second[0]["created_at"] == first["created_at"]
    assert second[0]["updated_at"] > first["updated_at"]
    assert second[0]["digest"] != first["digest"]
    assert second[1]["digest"] == first["digest"]


def test_the_same_value_again_is_no_change_and_no_conflict(http: httpx.Client) -> None:
    first = _create(http, {"KEY": "same"}).json()["secrets"]
    assert _create(http, {"KEY": "same"}).json()["secrets"] == first
    assert _create(http, {"KEY": "same"}, overwrite=True).json()["secrets"] == first
    assert _create(http, {"KEY": "other"}).status_code == 409


def test_a_value_too_short_to_be_masked_is_noted(http: httpx.Client) -> None:
    made = _create(http, {"PIN": "123", "LONG_ENOUGH": "1234"}).json()
    assert made["notes"] == ["PIN has fewer than 4 characters: it is not masked in logs"]


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP", "CAPSULE_TOKEN", "HOME", "IFS", "DYLD_INSERT_LIBRARIES"),
        *("A=B", "", "A\0B", "A\n", "1A", "Ä", "A-B", "A B", "../A", "x" * 300),
    ],
)
def test_names_that_cannot_be_variables_of_an_app(http: httpx.Client, name: str) -> None:
    refused = _create(http, {"GOOD": "x", name: "y"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_secret_name")
    assert refused.json()["hint"]
    assert _names(http) == []


@pytest.mark.parametrize(
    ("value", "status", "code"),
    [
        ("", 422, "empty_secret"),
        ("a\0b", 422, "invalid_secret_value"),
        ("x" * (256 * 1024 + 1), 413, "too_large"),
        ("é" * (128 * 1024 + 1), 413, "too_large"),
        ("x" * (1024 * 1024), 413, "too_large"),
        ("x" * (3 * 1024 * 1024), 413, "too_large"),
        (None, 422, "invalid_request"),
        (1, 422, "invalid_request"),
        ({"nested": "x"}, 422, "invalid_request"),
    ],
    ids=["empty", "NUL", "a byte too long", "in bytes", "1 MiB", "3 MiB", "null", "number", "object"],
)
def test_values_that_are_refused(http: httpx.Client, value: Any, status: int, code: str) -> None:
    refused = http.post("/secrets", json={"secrets": {"GOOD": "x", "BAD": value}})
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert _names(http) == []


@pytest.mark.parametrize(
    "body",
    [{}, {"secrets": {}}, {"secrets": []}, {"secrets": None}, {"secrets": {f"A{n}": "x" for n in range(60_000)}}],
    ids=["nothing", "none", "list", "null", "sixty thousand"],
)
def test_bodies_that_are_refused(http: httpx.Client, body: Any) -> None:
    refused = http.post("/secrets", json=body)
    assert refused.status_code == 422
    assert _names(http) == []


def test_the_longest_values_and_many_lines_are_taken(http: httpx.Client) -> None:
    values = {"LONG": "x" * (256 * 1024), "LINES": "-----BEGIN\nKEY\r\n", "a" * 128: "1"}
    assert _create(http, values).status_code == 201


def test_a_deleted_secret_is_gone(http: httpx.Client) -> None:
    _create(http, {"KEY": "x"})
    done = http.delete("/secrets/KEY")
    assert (done.status_code, done.json()) == (200, {"name": "KEY"})
    gone = http.delete("/secrets/KEY")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert _names(http) == []
    assert len(http.delete(f"/secrets/{'x' * 5000}").text) < 500


def test_another_workspace_sees_and_touches_none(http: httpx.Client, gateway: GatewayProcess) -> None:
    mine = _create(http, {"SHARED_NAME": "x"}).json()["secrets"][0]
    with gateway.http() as owner:
        assert "SHARED_NAME" not in _names(owner)
        theirs = owner.delete("/secrets/SHARED_NAME")
        nobodys = owner.delete("/secrets/NOBODYS_NAME")
        assert theirs.status_code == nobodys.status_code == 404
        assert _create(owner, {"SHARED_NAME": "x"}).status_code == 201
        assert owner.get("/secrets").json()["secrets"][0]["digest"] != mine["digest"]
        owner.delete("/secrets/SHARED_NAME")
    assert _names(http) == ["SHARED_NAME"]


def test_a_value_is_nowhere_to_be_found(http: httpx.Client, gateway: GatewayProcess) -> None:
    """Not in an answer, not in the store or its journal, not in any file of the gateway's, not in what it printed."""
    answers = [
        _create(http, {"KEY": CANARY}),
        _create(http, {"KEY": CANARY}),
        _create(http, {"KEY": CANARY}, overwrite=True),
        _create(http, {"BAD NAME": CANARY}),
        _create(http, {"LONG": CANARY * 20_000}),
        http.post("/secrets", json={"secrets": {"KEY": [CANARY]}}),
        http.post("/secrets", json={"secrets": CANARY}),
        http.post("/secrets", content=json.dumps({"secrets": {"KEY": CANARY}})[:-1]),
        http.post("/secrets", content=b'{"secrets": {"A": "' + CANARY.encode() + b'\xff"}}'),
        http.post("/secrets", content=f'{{"secrets": {{"A": {json.dumps(CANARY)}, "A": ""}}}}'.encode()),
        http.get("/secrets"),
        http.delete("/secrets/KEY"),
        _create(http, {"KEY": CANARY}),
    ]
    needles = _spellings(CANARY)
    for answer in answers:
        assert not any(needle in answer.content for needle in needles), answer.text
        assert not any(needle in str(answer.headers).encode() for needle in needles)
    for path in gateway.home.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(needle in content for needle in needles), path


def _spellings(value: str) -> list[bytes]:
    plain = value.encode()
    whole = base64.b64encode(plain)[:-4]
    return [plain, whole, plain.hex().encode(), quote(value).encode(), json.dumps(value).encode(), repr(value).encode()]
