"""Signing in at an OpenID provider: one of someone else's, one that lies, browsers, and all that can be wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey

from cpsl.errors import ConfigError
from cpsl.gateway.people.openid.providers import OpenIdProviders
from tests.support.gateway import APPS, GatewayProcess, running_gateway
from tests.support.oauth import Browser, query, signer_of
from tests.support.openid import CLIENT_ID, Told, told_provider
from tests.support.provider import Provider, running_provider

CORP, TOLD = "/a/echo/sign-in/corp", "/a/echo/sign-in/told"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider("--require-nonce", "true") as running:
        running.has("ada", email="Ada@Corp.Example", email_verified=True)
        running.has("eve", email="ada@corp.example", email_verified=False)
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Told]:
    with told_provider() as running:
        yield running


@pytest.fixture
def told(server: Told) -> Told:
    """The provider that a test tells what to do; until then it does all as it should."""
    server.reset()
    return server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, provider: Provider, server: Told) -> Iterator[GatewayProcess]:
    home = tmp_path_factory.mktemp("openid")
    (home / "secret").write_text("canary-secret-1\n")
    (home / "sign-in.toml").write_text(
        f'[corp]\ntitle = "Example Corp"\nissuer = "{provider.url}"\nclient_id = "client-1"\n'
        f'client_secret_file = "{home / "secret"}"\n'
        f'[told]\nissuer = "{server.url}"\nclient_id = "{CLIENT_ID}"\nclient_secret_env = "TOLD_SECRET"\n'
        f'[down]\nissuer = "http://127.0.0.1:9"\nclient_id = "client-1"\n'
        f'[html]\nissuer = "{server.url}/html"\nclient_id = "client-1"\n'
        f'[liar]\nissuer = "{server.url}/liar"\nclient_id = "client-1"\n'
        f'[github]\nissuer = "{server.url}"\nclient_id = "{CLIENT_ID}"\n'
    )
    (home / "providers.toml").write_text(
        f'[github]\nauthorize_url = "{provider.authorize_url}"\ntoken_url = "{provider.token_url}"\n'
    )
    settings = {
        "CAPSULE_SIGN_IN_FILE": str(home / "sign-in.toml"),
        "CAPSULE_PROVIDERS_FILE": str(home / "providers.toml"),
        "CAPSULE_PROVIDER_TIMEOUT": "1.5",
        "TOLD_SECRET": "canary-secret-2",
        "CAPSULE_BEHIND_PROXY": "1",
    }
    with running_gateway(home, **settings) as process:
        with process.client() as client:
            client.secrets.create({"CONNECTOR_ID": "client-1", "CONNECTOR_SECRET": "canary-secret-3"})
        process.deploy(APPS / "echo.py")
        process.deploy(APPS / "connector.py")
        yield process


@pytest.fixture
def browser(gateway: GatewayProcess) -> Browser:
    """Somebody who was never here before."""
    return Browser(gateway, "echo")


def leave(browser: Browser, path: str = CORP) -> str:
    """Press the button; the URL at the provider."""
    leaving = browser.http.get(path, follow_redirects=False)
    assert leaving.status_code == 303, leaving.text
    return leaving.headers["location"]


def cookie_of(browser: Browser) -> str:
    [value] = [each.value or "" for each in browser.http.cookies.jar if each.name.startswith("capsule_app_")]
    return value


def sign_in(browser: Browser, user: str = "ada", path: str = CORP) -> httpx.Response:
    """All of it; the browser keeps what its next page would know."""
    page = browser.get(browser.agree(leave(browser, path), user))
    browser.http.headers["X-CSRF-Token"] = signer_of(browser.gateway).csrf_token(cookie_of(browser))
    return page


def told_sign_in(browser: Browser, told: Told, **claims: Any) -> httpx.Response:
    """All of it at the provider that is told what to say."""
    url = leave(browser, TOLD)
    told.proves(query(url)["nonce"], **claims)
    return browser.come_back(url)


def me(browser: Browser) -> dict[str, Any]:
    """What the app knows of who asks it."""
    return dict(browser.get("/api/v1/app/echo/data/private").json())


def is_not_signed_in(browser: Browser, page: httpx.Response, status: int = 400) -> None:
    """A page says so, gives nothing away, and it is true."""
    assert page.status_code == status, page.text
    assert "Not signed in" in page.text or "not under way" in page.text
    assert "canary" not in page.text
    assert "Traceback" not in page.text
    assert cookie_of(browser).startswith("v.")


# --- as it should be ----------------------------------------------------------------------------------------------


def test_signing_in_gives_a_new_cookie_and_keeps_the_conversation(browser: Browser, gateway: GatewayProcess) -> None:
    browser.say("note of a visitor")
    before = cookie_of(browser)
    url = leave(browser)
    sent = query(url)
    assert sent["redirect_uri"] == f"{gateway.url}/oauth/callback/corp"
    assert (sent["code_challenge_method"], len(sent["nonce"]), sent["scope"]) == ("S256", 43, "openid email")
    page = sign_in(browser)
    assert "code=" not in str(page.url)
    assert cookie_of(browser).startswith("s.")
    assert cookie_of(browser) != before
    assert me(browser) == {"email": "ada@corp.example", "notes": 1}
    [session] = browser.get("/api/v1/app/echo/sessions").json()["sessions"]
    assert session["title"] == "note of a visitor"
    assert "canary" not in gateway.log()


def test_the_sign_in_page_has_a_button_for_each(browser: Browser) -> None:
    page = browser.get("/a/echo/sign-in?next=/a/echo/connections").text
    assert page.index("Continue with Example Corp") < page.index("Continue with Told")
    assert f'href="{CORP}?next=/a/echo/connections"' in page.replace("%2F", "/")


def test_the_same_person_on_a_second_browser(gateway: GatewayProcess) -> None:
    first, second = Browser(gateway, "echo"), Browser(gateway, "echo")
    for each in (first, second):
        sign_in(each, "bob")
        each.say("note of bob")
    assert me(first) == me(second) == {"email": None, "notes": 2}
    assert cookie_of(first) != cookie_of(second)


def test_an_address_that_is_not_verified_is_nobodys(browser: Browser) -> None:
    sign_in(browser, "eve")
    assert me(browser)["email"] is None


def test_nobody_goes_to_a_provider_without_end(browser: Browser) -> None:
    browser.http.headers["X-Forwarded-For"] = "10.9.9.9"
    asked = [browser.http.get(CORP, follow_redirects=False) for _ in range(101)]
    assert {answer.status_code for answer in asked[:-1]} == {303}
    is_not_signed_in(browser, asked[-1], 429)
    assert 800 < int(asked[-1].headers["Retry-After"]) <= 900
    browser.http.headers["X-Forwarded-For"] = "10.9.9.10"
    assert leave(browser)


def test_it_leads_on_to_what_was_wanted_and_to_no_other_site(browser: Browser) -> None:
    url = leave(browser, f"{CORP}?next=/a/echo/connections")
    assert urlsplit(str(browser.get(browser.agree(url)).url)).path == "/a/echo/connections"
    url = leave(browser, f"{CORP}?next=//evil.example/a/echo")
    assert urlsplit(str(browser.get(browser.agree(url)).url)).path == "/a/echo"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID},
        {"email": "told@corp.example", "email_verified": "true"},
        {"email": "no address", "email_verified": True},
    ],
    ids=str,
)
def test_what_providers_may_say(browser: Browser, told: Told, claims: dict[str, Any]) -> None:
    assert told_sign_in(browser, told, **claims).status_code == 200
    assert cookie_of(browser).startswith("s.")


# --- what must not be ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of-another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": [CLIENT_ID, "another-client"]},
        {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
        {"aud": CLIENT_ID, "azp": "another-client"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
    ids=lambda claims: str(claims)[:60],
)
def test_an_id_token_that_proves_nothing(browser: Browser, told: Told, claims: dict[str, Any]) -> None:
    page = told_sign_in(browser, told, **claims)
    assert "did not prove who you are" in page.text
    is_not_signed_in(browser, page)


def test_an_id_token_signed_by_somebody_else(browser: Browser, told: Told) -> None:
    told.key = RSAKey.generate_key(2048, {"kid": "key-1"})
    is_not_signed_in(browser, told_sign_in(browser, told))


def test_an_id_token_signed_with_a_secret_that_two_have(browser: Browser, told: Told) -> None:
    """By an HMAC, not by the provider's own key (RFC 8725 §2.1)."""
    told.key, told.algorithm = OctKey.import_key("canary-secret-2-canary-secret-2-"), "HS256"
    is_not_signed_in(browser, told_sign_in(browser, told))


@pytest.mark.parametrize(
    "token", ["eyJhbGciOiJub25lIn0.e30.", "not.a.token", "", 7, None, {"a": 1}], ids=lambda token: str(token) or "none"
)
def test_what_is_no_id_token(browser: Browser, told: Told, token: object) -> None:
    told.says("/token", {"access_token": "canary-access", "token_type": "Bearer", "id_token": token})
    is_not_signed_in(browser, told_sign_in(browser, told))


@pytest.mark.parametrize(
    ("path", "content", "status", "shown"),
    [
        ("/token", "<h1>canary</h1>", 200, 502),
        ("/token", "<h1>canary</h1>", 500, 502),
        ("/token", {"error": "invalid_grant", "error_description": "canary"}, 400, 400),
        ("/token", {"error": "invalid_client"}, 401, 502),
        ("/token", [], 200, 502),
        ("/keys", "<h1>canary</h1>", 200, 502),
        ("/keys", {"keys": []}, 200, 400),
        ("/keys", {"keys": [7, {"kty": "RSA"}]}, 200, 400),
        ("/keys", {"keys": 7}, 200, 400),
        ("/keys", {}, 200, 400),
    ],
)
def test_a_provider_that_answers_wrong(
    browser: Browser, told: Told, path: str, content: object, status: int, shown: int
) -> None:
    told.says(path, content, status)
    is_not_signed_in(browser, told_sign_in(browser, told), shown)


@pytest.mark.parametrize("name", ["down", "html", "liar"])
def test_a_provider_that_cannot_be_found(browser: Browser, told: Told, name: str) -> None:
    told.says("/html/.well-known/openid-configuration", "<h1>canary</h1>")
    told.says("/liar/.well-known/openid-configuration", told.metadata())
    is_not_signed_in(browser, browser.get(f"/a/echo/sign-in/{name}"), 502)


@pytest.mark.parametrize(
    "other",
    [{"jwks_uri": "http://evil.example/keys"}, {"token_endpoint": "file:///etc/passwd"}, {"jwks_uri": 7}],
    ids=str,
)
def test_a_provider_with_endpoints_that_are_not_safe(browser: Browser, told: Told, other: dict[str, Any]) -> None:
    issuer = f"{told.url}/liar"
    told.says("/liar/.well-known/openid-configuration", told.metadata(issuer=issuer, **other))
    is_not_signed_in(browser, browser.get("/a/echo/sign-in/liar"), 502)


def test_nobody_signs_in_with_a_provider_or_an_app_that_is_not_there(browser: Browser) -> None:
    assert browser.get("/a/echo/sign-in/nobody").status_code == 404
    assert browser.get("/a/nobody/sign-in/corp").status_code == 404


def test_somebody_says_no(browser: Browser) -> None:
    page = browser.get(browser.refuse(leave(browser)))
    assert "you did not sign in at Example Corp".lower() in page.text.lower()
    is_not_signed_in(browser, page)


def test_another_error_of_the_provider_is_not_shown(browser: Browser) -> None:
    page = browser.come_back(leave(browser), error="canary", code="")
    is_not_signed_in(browser, page)


def test_another_provider_answers(browser: Browser, told: Told) -> None:
    """A mix-up (RFC 9207)."""
    page = browser.come_back(leave(browser, TOLD), iss="https://evil.example")
    assert "Another provider answered" in page.text
    is_not_signed_in(browser, page)


@pytest.mark.parametrize("state", ["", "wrong", "x" * 4000])
def test_a_state_that_nobody_made(browser: Browser, state: str) -> None:
    is_not_signed_in(browser, browser.come_back(leave(browser), state=state))


def test_a_state_is_good_once(browser: Browser) -> None:
    url = leave(browser)
    back = browser.agree(url)
    browser.get(back)
    signed_in = cookie_of(browser)
    assert browser.get(back).status_code == 400
    assert cookie_of(browser) == signed_in


def test_a_state_that_took_too_long(browser: Browser, gateway: GatewayProcess) -> None:
    url = leave(browser)
    with sqlite3.connect(gateway.data_dir / "capsule.db") as db:
        db.execute("UPDATE oauth_states SET expires_at = 1")
    is_not_signed_in(browser, browser.get(browser.agree(url)))


def test_the_state_of_another_browser(browser: Browser, gateway: GatewayProcess) -> None:
    """Somebody lures a person into their own account (RFC 9700 §4.7)."""
    lured, url = Browser(gateway, "echo"), leave(browser)
    back = browser.agree(url)
    is_not_signed_in(lured, lured.get(back))
    leave(lured)  # also when it has something under way itself
    is_not_signed_in(lured, lured.get(back))
    assert browser.get(back).status_code == 200
    assert cookie_of(browser).startswith("s.")


def test_the_state_of_another_provider_or_app(browser: Browser, gateway: GatewayProcess) -> None:
    state = query(leave(browser))["state"]
    for path in (f"{TOLD}/complete", "/a/connector/sign-in/corp/complete", f"{CORP}/complete"):
        other = Browser(gateway, "echo")
        is_not_signed_in(other, other.get(f"{path}?{urlencode({'state': state, 'code': 'code-1'})}"))
    is_not_signed_in(browser, browser.get(f"{TOLD}/complete?{urlencode({'state': state, 'code': 'code-1'})}"))


def test_the_state_of_an_integration_signs_nobody_in_and_the_other_way_round(
    browser: Browser, gateway: GatewayProcess, told: Told
) -> None:
    connecting = Browser(gateway, "connector")
    to_connect = query(connecting.leave(connecting.get("/a/connector/connect/github")))
    to_sign_in = query(leave(connecting, "/a/connector/sign-in/github"))
    assert to_connect["redirect_uri"] == to_sign_in["redirect_uri"]
    given = {"code": "code-1"}
    page = connecting.get(f"/a/connector/sign-in/github/complete?{urlencode(given | {'state': to_connect['state']})}")
    is_not_signed_in(connecting, page)
    page = connecting.get(f"/a/connector/connect/github/complete?{urlencode(given | {'state': to_sign_in['state']})}")
    assert page.status_code == 400
    assert connecting.connections() == []


def test_somebody_disabled_cannot_sign_in(browser: Browser, gateway: GatewayProcess) -> None:
    sign_in(browser, "dan")
    with gateway.http() as http:
        [user] = [each for each in http.get("/apps/echo/users").json()["users"] if each["kind"] == "openid"][:1]
        http.patch(f"/apps/echo/users/{user['id']}", json={"disabled": True}).raise_for_status()
    assert browser.get("/api/v1/app/echo/sessions").status_code == 401
    again = Browser(gateway, "echo")
    page = again.get(again.agree(leave(again), "dan"))
    assert "cannot use this app any more" in page.text
    is_not_signed_in(again, page, 403)


# --- the operator's file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[corp", "cannot be used"),
        ("corp = 1", "cannot be used"),
        ('[corp]\nissuer = "https://a.example"', "client_id"),
        ('[corp]\nissuer = "http://a.example"\nclient_id = "1"', "https"),
        ('[corp]\nissuer = "https://a.example"\nclient_id = ""', "client_id"),
        ('["Corp/.."]\nissuer = "https://a.example"\nclient_id = "1"', "no name"),
        ('[corp]\nissuer = "https://a.example"\nclient_id = "1"\nsecret = "x"', "secret"),
        ('[corp]\nissuer = "https://a.example"\nclient_id = "1"\nclient_secret_env = "NOT_SET_1"', "NOT_SET_1"),
        ('[corp]\nissuer = "https://a.example"\nclient_id = "1"\nclient_secret_file = "/none"', "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_stops_the_gateway(tmp_path: Any, text: str, problem: str) -> None:
    (tmp_path / "sign-in.toml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        OpenIdProviders.configured(str(tmp_path / "sign-in.toml"))


def test_no_file_is_no_provider_and_a_secret_is_not_shown(tmp_path: Any) -> None:
    assert OpenIdProviders.configured("").all == []
    (tmp_path / "secret").write_text("canary-secret")
    (tmp_path / "sign-in.toml").write_text(
        f'[corp]\nissuer = "https://a.example"\nclient_id = "1"\nclient_secret_file = "{tmp_path / "secret"}"'
    )
    [known] = OpenIdProviders.configured(str(tmp_path / "sign-in.toml")).all
    assert (known.title, known.client_secret) == ("Corp", "canary-secret")
    assert "canary" not in repr(known)
