from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from cpsl import auth, config, errors
from cpsl.auth import store
from cpsl.client.login import Login, login_local, login_with_device, login_with_token, logout, profile_name
from cpsl.wire.accounts import Bootstrap, DeviceCode

LOCAL = "http://127.0.0.1:1980"
ME = {
    "account": {"id": "acc_1", "email": "me@here", "role": "owner", "workspace": "home"},
    "token": {"id": "tok_1", "name": "t", "account_id": "acc_1", "created_at": 0},
    "workspace": "home",
    "gateway_version": "1",
}
CODE = {
    "device_code": "canary-device", "user_code": "ABCD", "verification_uri": "https://gw.example/device",
    "verification_uri_complete": "https://gw.example/device?c=ABCD", "expires_in": 60, "interval": 5,
}  # fmt: skip


class Gateway:
    """Knows one token; gives it to the owner of the machine and to an approved device."""

    def __init__(self, *polls: httpx.Response | Exception) -> None:
        self.polls = list(polls)
        self.seen: list[httpx.Request] = []
        self.revoked = False
        self.http = httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        path = request.url.path.removeprefix("/api/v1")
        if path in ("/auth/local", "/auth/device/code", "/auth/device/token"):
            assert "Authorization" not in request.headers
            return getattr(self, path.replace("/", "_"))(request)  # type: ignore[no-any-return]
        if request.headers["Authorization"] != "Bearer cps_good" or self.revoked:
            return httpx.Response(401, json={"title": "Unknown token", "status": 401, "code": "unauthorized"})
        if request.method == "DELETE":
            self.revoked = True
            return httpx.Response(204)
        return httpx.Response(200, json=ME)

    def _auth_local(self, request: httpx.Request) -> httpx.Response:
        if b"right" not in request.content:
            return httpx.Response(401, json={"title": "Not the owner", "status": 401, "code": "unauthorized"})
        return httpx.Response(201, json={"access_token": "cps_good", "token": ME["token"], "workspace": "home"})

    def _auth_device_code(self, request: httpx.Request) -> httpx.Response:
        assert parse_qs(request.content.decode())["client_id"] == ["capsule-cli"]
        return httpx.Response(200, json=CODE)

    def _auth_device_token(self, request: httpx.Request) -> httpx.Response:
        assert parse_qs(request.content.decode())["device_code"] == ["canary-device"]
        poll = self.polls.pop(0)
        if isinstance(poll, Exception):
            raise poll
        return poll


GRANTED = httpx.Response(200, json={"access_token": "cps_good", "token_type": "Bearer", "workspace": "home"})


def told(error: str) -> httpx.Response:
    return httpx.Response(400, json={"error": error})


def device(gateway: Gateway) -> tuple[Login, list[DeviceCode], list[float]]:
    codes: list[DeviceCode] = []
    slept: list[float] = []
    login = login_with_device("gw.example", codes.append, http_client=gateway.http, sleep=slept.append)
    return login, codes, slept


def test_the_owner_of_the_machine(home: Path) -> None:
    login = login_local(Bootstrap(LOCAL, "right"), http_client=Gateway().http)
    assert login.profile == config.Profile("local", LOCAL, "home", "me@here")
    assert login.where == str(home / "credentials.json")
    assert auth.resolve().token == "cps_good"
    assert "cps_good" not in (home / "config.toml").read_text() + repr(login)


def test_somebody_else() -> None:
    with pytest.raises(errors.AuthError):
        login_local(Bootstrap(LOCAL, "wrong"), http_client=Gateway().http)
    assert config.load() == config.Config()


def test_a_token_that_is_refused_is_not_kept(home: Path) -> None:
    with pytest.raises(errors.AuthError):
        login_with_token(LOCAL, "cps_bad", http_client=Gateway().http)
    assert not home.exists()


def test_logging_in_does_not_need_the_profile_that_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_PROFILE", "work")
    login_with_token(LOCAL, "cps_good", profile="work", http_client=Gateway().http)
    assert auth.resolve().profile == "work"


def test_a_code_confirmed_elsewhere() -> None:
    gateway = Gateway(told("authorization_pending"), told("slow_down"), httpx.ReadError("x"), GRANTED)
    login, codes, slept = device(gateway)
    assert (codes[0].user_code, slept) == ("ABCD", [5, 5, 10, 20])
    assert login.profile.name == "gw.example"
    assert auth.resolve().gateway_url == "https://gw.example"


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant"])
def test_a_code_that_is_refused(error: str) -> None:
    with pytest.raises(errors.AuthError) as caught:
        device(Gateway(told(error)))
    assert caught.value.code == error


def test_no_gateway_at_all() -> None:
    with pytest.raises(errors.ConnectionFailed) as caught:
        device(Gateway(httpx.Response(302, headers={"Location": "https://wifi.example/"})))
    assert caught.value.code == "redirected"


def test_logging_out_forgets_it_here_and_there() -> None:
    gateway = Gateway()
    login_with_token(LOCAL, "cps_good", http_client=gateway.http)
    assert logout(http_client=gateway.http) is True
    assert gateway.revoked
    assert store.read("token:local") is None
    assert config.load().profiles == {}
    with pytest.raises(errors.NotLoggedIn):
        logout()


def test_logging_out_works_without_the_gateway() -> None:
    gateway = Gateway()
    login_with_token(LOCAL, "cps_good", http_client=gateway.http)
    gateway.revoked = True
    assert logout("local", http_client=gateway.http) is False
    assert store.read("token:local") is None


def test_profiles_are_called_after_their_gateway() -> None:
    assert profile_name("http://[::1]:1980") == "local"
    assert profile_name("https://gw.example:8443") == "gw.example:8443"
