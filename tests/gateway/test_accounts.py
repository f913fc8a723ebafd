"""Logging in on this machine, tokens, and who may do what."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from cpsl.errors import AuthError
from cpsl.gateway.accounts.tokens import hash_of, is_well_formed, new_token
from cpsl.gateway.db.database import Database
from tests.support.gateway import GatewayProcess
from tests.support.store import accounts_of, opened

T = TypeVar("T")
TOKEN = new_token()


def test_the_bootstrap_file_logs_its_owner_in(gateway: GatewayProcess) -> None:
    made = gateway.log_in()
    with gateway.http(made.access_token) as http:
        me = http.get("/me").json()
    assert me["account"]["role"] == "owner"
    assert me["token"]["id"] == made.token.id
    assert me["workspace"] == made.workspace == "default"
    assert made.access_token not in repr(made)


def test_the_bootstrap_file_is_its_owners_alone(gateway: GatewayProcess) -> None:
    for name in ("bootstrap.json", "gateway.json"):
        assert (gateway.data_dir / name).stat().st_mode & 0o777 == 0o600
    assert gateway.data_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("secret", ["", "wrong", "é" * 1000, "x" * 100_000])
def test_another_bootstrap_secret_is_refused(gateway: GatewayProcess, secret: str) -> None:
    refused = gateway.ask("POST", "/api/v1/auth/local", json={"bootstrap_secret": secret})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert refused.json()["code"] == "unauthorized"
    assert not secret or secret not in refused.text


def test_tokens_are_made_listed_and_revoked_at_once(gateway: GatewayProcess) -> None:
    with gateway.http() as http:
        made = http.post("/tokens", json={"name": "deploys"})
        token, secret = made.json()["token"], made.json()["access_token"]
        assert made.status_code == 201
        assert made.headers["Cache-Control"] == "no-store"
        with gateway.http(secret) as other:
            assert other.get("/me").json()["token"]["name"] == "deploys"
            listed = http.get("/tokens")
            assert token["id"] in [each["id"] for each in listed.json()["tokens"]]
            assert "cps_" not in listed.text
            assert other.get("/tokens").json()["tokens"][-1]["last_used_at"]
            assert http.delete(f"/tokens/{token['id']}").status_code == 204
            assert other.get("/me").status_code == 401
        assert http.delete(f"/tokens/{token['id']}").status_code == 404


def test_current_is_the_token_that_asks(gateway: GatewayProcess) -> None:
    with gateway.http(gateway.log_in().access_token) as http:
        assert http.delete("/tokens/current").status_code == 204
        assert http.delete("/tokens/current").status_code == 401
    with gateway.http() as http:
        assert http.get("/me").status_code == 200


def test_no_token_that_is_no_good_is_told_from_another(gateway: GatewayProcess) -> None:
    """Wrong, expired, revoked, cut, altered, twice, empty: one answer for all (OWASP ASVS 7.4)."""
    with gateway.http() as http:
        expired = http.post("/tokens", json={"expires_in": 1}).json()["access_token"]
        revoked = http.post("/tokens", json={}).json()
        http.delete(f"/tokens/{revoked['token']['id']}")
        with gateway.http(expired) as other:
            assert other.get("/me").status_code == 200
    time.sleep(1.05)
    good = gateway.token
    bad = [expired, revoked["access_token"], new_token(), "cps_", "x" * 9000]
    bad += [good[:-1], good[:-6], good[4:], good + "x"]
    bad += [_flipped(good, place) for place in (0, 3, 4, 20, len(good) - 7, len(good) - 1)]
    headers = [[f"Bearer {token}"] for token in bad]
    headers += [[text] for text in ("Bearer ", "Bearer", "", good, f"Basic {good}", f"Bearer {good} x")]
    headers += [[f"Bearer {good}"] * 2]
    answers = {_refusal(gateway, each) for each in headers}
    assert len(answers) == 1
    status, body, authenticate = answers.pop()
    assert (status, authenticate) == (401, 'Bearer realm="capsule"')
    assert '"code":"unauthorized"' in body


def _flipped(token: str, place: int) -> str:
    return token[:place] + chr(ord(token[place]) ^ 1) + token[place + 1 :]


def _refusal(gateway: GatewayProcess, authorizations: list[str]) -> tuple[int, str, str]:
    connection = HTTPConnection("127.0.0.1", gateway.port)  # sends what other clients find too wrong to send
    connection.putrequest("GET", "/api/v1/me")
    for value in authorizations:
        connection.putheader("Authorization", value)
    connection.endheaders()
    with connection.getresponse() as answer:
        body = answer.read().decode().replace(answer.headers["X-Request-Id"], "")
    connection.close()
    return answer.status, body, answer.headers["WWW-Authenticate"]


def test_without_a_token_it_says_so(gateway: GatewayProcess) -> None:
    answer = gateway.ask("GET", "/api/v1/me")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="capsule"'
    assert (answer.json()["code"], answer.json()["hint"]) == ("not_logged_in", "Log in with: capsule login")


@pytest.mark.parametrize("expires_in", ["0", "-1", "1" + "0" * 300, "9" * 5000, "1.5", '"soon"', "true", "NaN"])
def test_impossible_expiries(gateway: GatewayProcess, expires_in: str) -> None:
    with gateway.http() as http:
        before = len(http.get("/tokens").json()["tokens"])
        refused = http.post("/tokens", content=f'{{"expires_in": {expires_in}}}')
        assert refused.status_code in (400, 422)
        assert len(http.get("/tokens").json()["tokens"]) == before


def test_a_name_cannot_move_a_terminals_cursor(gateway: GatewayProcess) -> None:
    with gateway.http() as http:
        made = http.post("/tokens", json={"name": "\x1b[2Jred\r\n\u2028\0" + "x" * 1000}).json()["token"]
        http.delete(f"/tokens/{made['id']}")
    assert made["name"] == ("[2Jred" + "x" * 1000)[:200]


def test_only_the_owner_lets_others_in(gateway: GatewayProcess) -> None:
    member = gateway.member("member@accounts.test")
    with gateway.http(member) as theirs, gateway.http() as mine:
        owner, me = mine.get("/me").json()["account"], theirs.get("/me").json()["account"]
        assert me["role"] == "member"
        for refused in (
            theirs.post("/accounts", json={"email": "friend@accounts.test"}),
            theirs.post("/tokens", json={"account_id": owner["id"]}),
            theirs.post("/tokens", json={"account_id": "acc_nobody"}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert mine.post("/tokens", json={"account_id": "acc_nobody"}).status_code == 404
        assert theirs.delete(f"/tokens/{mine.get('/me').json()['token']['id']}").status_code == 404
        assert theirs.post("/tokens", json={"account_id": me["id"]}).status_code == 201
        assert {each["account_id"] for each in theirs.get("/tokens").json()["tokens"]} == {me["id"]}


@pytest.mark.parametrize(
    ("account", "status", "code"),
    [
        ({"email": "owner@localhost"}, 409, "account_exists"),
        ({"email": "nobody"}, 422, "invalid_email"),
        ({"email": "a@b\n"}, 422, "invalid_email"),
        ({"email": "a@b@c"}, 422, "invalid_email"),
        ({"email": "a" * 65 + "@b"}, 422, "invalid_email"),
        ({"email": "a@\0"}, 422, "invalid_email"),
        ({"email": "new@accounts.test", "workspace": "../x"}, 422, "invalid_workspace_name"),
        ({"email": 1}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
    ],
)
def test_impossible_accounts(gateway: GatewayProcess, account: dict[str, Any], status: int, code: str) -> None:
    with gateway.http() as http:
        refused = http.post("/accounts", json=account)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_the_store_holds_hashes_only(gateway: GatewayProcess) -> None:
    token = gateway.log_in().access_token
    with sqlite3.connect(f"file:{gateway.data_dir}/capsule.db?mode=ro", uri=True) as store:
        hashes = {row[0] for row in store.execute("SELECT hash FROM tokens")}
    store.close()
    assert hashlib.sha256(token.encode()).digest() in hashes
    needle = token.removeprefix("cps_").encode()[:43]
    for path in gateway.home.rglob("*"):
        assert not path.is_file() or needle not in path.read_bytes(), path


@given(st.integers(0, len(TOKEN) - 1), st.characters(max_codepoint=0x2FF))
def test_a_mistyped_token_is_told_without_looking_it_up(place: int, character: str) -> None:
    assert is_well_formed(TOKEN)
    assert is_well_formed(TOKEN[:place] + character + TOKEN[place + 1 :]) == (TOKEN[place] == character)
    assert not is_well_formed(TOKEN[:place])


def test_tokens_have_256_random_bits() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {4 + 43 + 6}
    assert len(hash_of(TOKEN)) == 32


class _HeldReads(Database):
    """A store that can hold its next read back when it has the answer: what a slow disk does at the worst moment.

    ``hold`` is two events: it has the answer, it may give it.
    """

    hold: tuple[asyncio.Event, asyncio.Event] | None = None

    async def read(self, work: Callable[[Connection], T]) -> T:
        found = await super().read(work)
        if self.hold is not None:
            (reached, release), self.hold = self.hold, None
            reached.set()
            await release.wait()
        return found


def test_a_token_that_is_revoked_while_it_is_looked_up_is_not_trusted(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/capsule.db", _HeldReads) as db:
            assert isinstance(db, _HeldReads)
            accounts, owner = await accounts_of(db)
            issued = await accounts.issue(owner.account_id, "short")
            reached, release = db.hold = (asyncio.Event(), asyncio.Event())
            looking_up = asyncio.create_task(accounts.authenticate(issued.access_token))
            await reached.wait()
            await accounts.delete_token(owner, issued.token.id)
            release.set()
            await looking_up
            with pytest.raises(AuthError):
                await accounts.authenticate(issued.access_token)

    asyncio.run(run())
