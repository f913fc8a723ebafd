"""Logging in on a machine without a browser: RFC 8628, through the page and through the client."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

import cpsl
from cpsl.client.login import login_with_device
from cpsl.errors import AuthError, CapsuleError, NotFound, RateLimited
from cpsl.gateway.accounts.devices import GRANT_TYPE, Devices, TokenRefused
from cpsl.gateway.accounts.service import Accounts, Actor
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import device_codes
from cpsl.wire.accounts import DeviceCode, DeviceToken
from tests.support.gateway import GatewayProcess
from tests.support.store import accounts_of, opened


def _begin(gateway: GatewayProcess, name: str = "a laptop") -> dict[str, Any]:
    form = {"client_id": "capsule-cli", "client_name": name}
    found: dict[str, Any] = gateway.ask("POST", "/api/v1/auth/device/code", data=form).json()
    return found


def _poll(gateway: GatewayProcess, code: dict[str, Any], **changed: str) -> httpx.Response:
    form = {"grant_type": GRANT_TYPE, "device_code": code["device_code"], "client_id": "capsule-cli", **changed}
    return gateway.ask("POST", "/api/v1/auth/device/token", data=form)


def _decide(gateway: GatewayProcess, user_code: str, decision: str = "approve", token: str = "") -> httpx.Response:
    form = {"user_code": user_code, "decision": decision, "token": token or gateway.token}
    return gateway.ask("POST", "/device", data=form)


def test_the_whole_flow(gateway: GatewayProcess) -> None:
    code = _begin(gateway)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", code["user_code"])
    assert (code["verification_uri"], code["expires_in"], code["interval"]) == (f"{gateway.url}/device", 600, 5)
    pending = _poll(gateway, code)
    assert (pending.status_code, pending.json()["error"]) == (400, "authorization_pending")
    page = gateway.ask("GET", code["verification_uri_complete"])
    assert page.status_code == 200
    assert f'value="{code["user_code"]}"' in page.text
    assert "is logged in" in _decide(gateway, code["user_code"]).text
    granted = _poll(gateway, code)
    assert granted.headers["Cache-Control"] == "no-store"
    assert granted.json()["token_type"] == "Bearer"
    with gateway.http(granted.json()["access_token"]) as http:
        assert http.get("/me").json()["token"]["name"] == "a laptop"
    again = _poll(gateway, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert "access_token" not in again.json()


def test_a_denied_login(gateway: GatewayProcess) -> None:
    code = _begin(gateway)
    assert "was denied" in _decide(gateway, code["user_code"], "deny").text
    refused = _poll(gateway, code)
    assert (refused.status_code, refused.json()["error"]) == (400, "access_denied")
    assert _decide(gateway, code["user_code"]).status_code == 404


@pytest.mark.parametrize("decision", ["", "yes", "APPROVE"])
def test_a_form_without_a_decision_decides_nothing(gateway: GatewayProcess, decision: str) -> None:
    code = _begin(gateway)
    assert _decide(gateway, code["user_code"], decision).status_code == 422
    assert _poll(gateway, code).json()["error"] == "authorization_pending"


def test_nothing_but_the_form_with_a_token_approves(gateway: GatewayProcess) -> None:
    code = _begin(gateway)
    query = {"user_code": code["user_code"], "decision": "approve", "token": gateway.token}
    page = gateway.ask("GET", "/device", params=query)
    assert page.status_code == 200
    assert gateway.token not in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    assert gateway.ask("PUT", "/device", params=query).status_code == 405
    foreign = gateway.ask("POST", "/device", data={"user_code": code["user_code"], "decision": "approve"})
    assert foreign.status_code == 401
    assert _decide(gateway, code["user_code"], token="cps_wrong").status_code == 401
    assert _poll(gateway, code).json()["error"] == "authorization_pending"


def test_a_code_is_read_as_people_type_it(gateway: GatewayProcess) -> None:
    code = _begin(gateway)
    typed = " ".join(code["user_code"].lower().replace("-", " "))
    assert _decide(gateway, typed).status_code == 200


def test_the_page_shows_what_it_was_given_as_text(gateway: GatewayProcess) -> None:
    page = gateway.ask("GET", "/device", params={"user_code": '"><script>x</script>'})
    assert "<script>" not in page.text
    assert gateway.ask("GET", "/device", params={"user_code": "B" * 10_000}).text.count("B") < 100


def test_guessing_codes(gateway: GatewayProcess) -> None:
    code = _begin(gateway)
    guesser = gateway.member("guesser@devices.test")
    wrong = ["BBBB-BBBB", "", "аеиоу", "B" * 10_000, "' OR 1=1 --"]
    assert [_decide(gateway, guess, token=guesser).status_code for guess in wrong] == [404] * 5
    limited = _decide(gateway, code["user_code"], token=guesser)
    assert limited.status_code == 429
    assert "too many wrong codes" in limited.text
    assert _decide(gateway, code["user_code"]).status_code == 200


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"device_code": ""}, "invalid_request"),
        ({"device_code": "guessed"}, "invalid_grant"),
        ({"device_code": "x" * 10_000}, "invalid_grant"),
    ],
)
def test_refusals_have_the_shape_of_oauth(gateway: GatewayProcess, changed: dict[str, str], error: str) -> None:
    refused = _poll(gateway, _begin(gateway), **changed)
    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.json()["error"] == error


class _Person:
    """Sits before the terminal that shows the code; stands in for the clock of the one who waits."""

    def __init__(self, gateway: GatewayProcess, decision: str, after: int) -> None:
        self._gateway = gateway
        self._decision = decision
        self._left = after
        self.waits: list[float] = []
        self.code: DeviceCode | None = None

    def see(self, code: DeviceCode) -> None:
        self.code = code

    def pass_time(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._left -= 1
        if self._left == 0:
            assert self.code is not None
            _decide(self._gateway, self.code.user_code, self._decision)


def test_the_client_waits_and_slows_down_until_someone_approves(gateway: GatewayProcess) -> None:
    person = _Person(gateway, "approve", after=3)
    done = login_with_device(gateway.url, person.see, sleep=person.pass_time)
    assert person.waits == [5, 5, 10]  # the second came too soon, on the clock of the gateway
    assert done.me.account.role == "owner"
    assert done.me.token.name.startswith("capsule on ")
    with cpsl.Client() as client:
        assert client.me().token.id == done.me.token.id


def test_the_client_hears_a_no(gateway: GatewayProcess) -> None:
    person = _Person(gateway, "deny", after=1)
    with pytest.raises(AuthError) as caught:
        login_with_device(gateway.url, person.see, sleep=person.pass_time)
    assert caught.value.code == "access_denied"


# --- the clock, and two at once: on the store, without a gateway around it


def _run(folder: Path, test: Callable[[Database, Devices, Accounts, Actor], Awaitable[None]]) -> None:
    async def with_store() -> None:
        async with opened(f"sqlite:///{folder}/capsule.db") as db:
            accounts, owner = await accounts_of(db)
            await test(db, Devices(db, accounts, "http://gateway"), accounts, owner)

    asyncio.run(with_store())


async def _change(db: Database, **values: Any) -> None:
    await db.write(lambda connection: connection.execute(update(device_codes).values(**values)) and None)


async def _refusal(devices: Devices, code: DeviceCode) -> str:
    with pytest.raises(TokenRefused) as caught:
        await devices.exchange(GRANT_TYPE, code.device_code)
    return caught.value.code


def test_polling_too_fast_lengthens_the_interval(tmp_path: Path) -> None:
    async def test(db: Database, devices: Devices, accounts: Accounts, owner: Actor) -> None:
        code = await devices.begin("test")
        interval = select(device_codes.c.interval)
        assert await _refusal(devices, code) == "authorization_pending"
        assert await _refusal(devices, code) == "slow_down"
        assert await _refusal(devices, code) == "slow_down"
        assert await db.read(lambda connection: connection.execute(interval).scalar()) == 15
        await _change(db, last_poll_at=time.time() - 13)
        assert await _refusal(devices, code) == "slow_down"
        await _change(db, last_poll_at=time.time() - 20)
        assert await _refusal(devices, code) == "authorization_pending"

    _run(tmp_path, test)


@pytest.mark.parametrize("state", ["pending", "approved", "denied"])
def test_after_its_time_a_code_is_good_for_nothing(tmp_path: Path, state: str) -> None:
    async def test(db: Database, devices: Devices, accounts: Accounts, owner: Actor) -> None:
        code = await devices.begin("test")
        await _change(db, state=state, expires_at=time.time() - 1, account_id=owner.account_id)
        assert await _refusal(devices, code) == "expired_token"
        with pytest.raises(NotFound):
            await devices.decide(owner, code.user_code, approve=True)
        assert len(await accounts.tokens(owner)) == 1

    _run(tmp_path, test)


def test_two_tabs_that_approve_and_deny_at_once(tmp_path: Path) -> None:
    async def test(db: Database, devices: Devices, accounts: Accounts, owner: Actor) -> None:
        for _ in range(20):
            code = await devices.begin("test")
            decisions = (devices.decide(owner, code.user_code, approve=each) for each in (True, False))
            outcomes = await asyncio.gather(*decisions, return_exceptions=True)
            assert Counter(type(each) for each in outcomes) == {type(None): 1, NotFound: 1}
            devices._misses.clear()

    _run(tmp_path, test)


def test_an_approved_code_gives_one_token_however_many_ask(tmp_path: Path) -> None:
    async def test(db: Database, devices: Devices, accounts: Accounts, owner: Actor) -> None:
        code = await devices.begin("test")
        await devices.decide(owner, code.user_code, approve=True)
        asked = [devices.exchange(GRANT_TYPE, code.device_code) for _ in range(30)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, DeviceToken) for each in outcomes) == 1
        assert {each.code for each in outcomes if isinstance(each, CapsuleError)} == {"invalid_grant"}
        assert len(await accounts.tokens(owner)) == 2

    _run(tmp_path, test)


def test_nobody_can_fill_the_store_with_codes(tmp_path: Path) -> None:
    async def test(db: Database, devices: Devices, accounts: Accounts, owner: Actor) -> None:
        row = {"client_name": "", "state": "pending", "interval": 5}
        rows = [
            {**row, "hash": bytes([1]) + n.to_bytes(31), "user_code": str(n), "expires_at": time.time() + 60}
            for n in range(1000)
        ]
        await db.write(lambda connection: connection.execute(device_codes.insert(), rows) and None)
        with pytest.raises(RateLimited):
            await devices.begin("one more")
        await _change(db, expires_at=time.time() - 4000)
        await devices.begin("one more")
        assert len(await db.read(lambda connection: connection.execute(select(device_codes)).all())) == 1

    _run(tmp_path, test)
