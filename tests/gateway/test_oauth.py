"""Connecting by OAuth: a provider of someone else's, browsers, and all that can be wrong with either."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

import cpsl
from cpsl.gateway.integrations import oauth, providers
from tests.gateway.test_prompts import asked
from tests.support.gateway import APPS, GatewayProcess, running_gateway
from tests.support.oauth import Bad, Browser, bad_provider, query
from tests.support.provider import Provider, running_provider

GITHUB, LINEAR = "/a/connector/connect/github", "/a/connector/connect/linear"
TOKEN = {"access_token": "canary-a7Jq2Lm9", "token_type": "bearer", "scope": "openid"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        running.has("ada", email="ada@github.example")
        yield running


@pytest.fixture(scope="module")
def told() -> Iterator[Bad]:
    with bad_provider() as server:
        yield server


@pytest.fixture
def bad(told: Bad) -> Bad:
    """The provider that is called Linear here; it answers well until it is told otherwise."""
    told.asked.clear()
    told.revoked.clear()
    told.gives(**TOKEN)
    return told


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, provider: Provider, told: Bad) -> Iterator[GatewayProcess]:
    """A gateway whose operator says where GitHub and Linear are."""
    home = tmp_path_factory.mktemp("oauth")
    (home / "providers.toml").write_text(
        f'[github]\nauthorize_url = "{provider.authorize_url}"\ntoken_url = "{provider.token_url}"\n'
        f'[linear]\nauthorize_url = "{told.url}/authorize"\ntoken_url = "{told.url}/token"\n'
        f'revoke_url = "{told.url}/revoke"\nissuer = "{told.url}/issuer"\n'
    )
    with running_gateway(home, CAPSULE_PROVIDERS_FILE=str(home / "providers.toml")) as process:
        with process.client() as client:
            client.secrets.create({"CONNECTOR_ID": "client-1", "CONNECTOR_SECRET": "canary-secret-Z1"})
        process.deploy(APPS / "connector.py")
        yield process


@pytest.fixture
def browser(gateway: GatewayProcess) -> Browser:
    """Somebody who was never here before."""
    return Browser(gateway)


def is_not_connected(browser: Browser, page: httpx.Response, status: int = 400) -> None:
    """A page says so, gives nothing away, and it is true."""
    assert page.status_code == status, page.text
    assert "Not connected" in page.text
    assert "canary" not in page.text
    assert "Traceback" not in page.text
    assert browser.connections() == []


# --- as it should be ----------------------------------------------------------------------------------------------


def test_a_prompt_is_answered_by_connecting(browser: Browser, gateway: GatewayProcess) -> None:
    waiting = browser.say("connect github")
    prompt = waiting["prompt"]
    page = browser.get(urlsplit(prompt["link"]).path)  # the card's link leads the person to their own page
    assert urlsplit(str(page.url)).path == GITHUB
    for shown in ("GitHub", "connector", "to see your repositories", "openid", "email", "Continue to GitHub"):
        assert shown in page.text
    url = browser.leave(page)
    sent = query(url)
    assert (sent["code_challenge_method"], len(sent["code_challenge"]), len(sent["state"])) == ("S256", 43, 43)
    assert sent["redirect_uri"] == f"{gateway.url}/oauth/callback/github"
    done = browser.get(browser.agree(url))
    assert "GitHub is connected" in done.text
    assert "code=" not in str(done.url)
    assert browser.end_of(waiting["request_id"]) == "Bearer token with openid email, expires: True, new"
    assert browser.say("connect github")["text"] == "Bearer token with openid email, expires: True, as before"
    [connection] = browser.connections()
    assert (connection["account"], connection["scopes"]) == ("ada@github.example", ["openid", "email"])
    assert "access_token" not in connection


def test_all_prompts_of_the_user_are_answered_at_once(browser: Browser) -> None:
    waiting = [browser.say("connect github")["request_id"] for _ in range(3)]
    other = Browser(browser.gateway)
    others = other.say("connect github")["request_id"]
    browser.connect(GITHUB)
    for request_id in waiting:
        assert browser.end_of(request_id).endswith("new")
    assert other.http.get(f"/api/v1/turns/{others}").json()["state"] == "running"
    other.http.post(f"/api/v1/turns/{others}/cancel")


def test_somebody_at_a_terminal_connects_in_any_browser(gateway: GatewayProcess) -> None:
    anywhere = Browser(gateway, is_known=False)
    with asked(gateway, "connector", "connect github", gateway.member("term@example.com", "default")) as talk:
        link = talk.prompt["link"]
        page = anywhere.get(link)
        for shown in ("term@example.com", "connector", "to see your repositories", "openid", "decline"):
            assert shown in page.text
        assert "GitHub is connected" in anywhere.connect(link).text
        assert talk.rest() == "Bearer token with openid email, expires: True, new"
        assert talk.outcomes() == ["answered"]
        assert "GitHub is connected" in anywhere.get(link).text
        assert talk.client.chat("connector", "have github").text.startswith("Bearer token")


def test_somebody_at_a_terminal_grants_less(gateway: GatewayProcess, bad: Bad) -> None:
    anywhere = Browser(gateway, is_known=False)
    bad.gives(**{**TOKEN, "scope": "a"})
    with asked(gateway, "connector", "connect linear", gateway.member("less@example.com", "default")) as talk:
        page = anywhere.come_back(anywhere.leave(anywhere.get(talk.prompt["link"])))
        assert "Linear is connected" in page.text
        assert "not granted: openid" in page.text
        assert talk.rest() == "bearer token with a, expires: False, new"


def test_somebody_at_a_terminal_declines_on_the_page(gateway: GatewayProcess) -> None:
    anywhere = Browser(gateway, is_known=False)
    with asked(gateway, "connector", "connect github", gateway.member("no@example.com", "default")) as talk:
        page = anywhere.get(talk.prompt["link"])
        assert "Not connected" in anywhere.send(page, decision="decline").text
        assert talk.rest() == "declined"
        assert anywhere.get(talk.prompt["link"]).status_code == 404


def test_the_own_host_name_of_an_app_is_where_it_comes_back_to(browser: Browser, gateway: GatewayProcess) -> None:
    here, host = browser.http, f"connector.localhost:{gateway.port}"
    [(name, value)] = here.cookies.items()
    here.headers["Host"], here.headers["Cookie"] = host, f"{name}={value}"  # a machine may not know the name
    here.cookies.clear()
    here.follow_redirects = False
    assert 'action="/connect/github"' in here.get("/connect/github").text
    leaving = here.post("/connect/github", data={"csrf_token": here.headers["X-CSRF-Token"]})
    back = browser.agree(leaving.headers["refresh"].removeprefix("0; url="))
    onward = httpx.get(back, follow_redirects=False, trust_env=False).headers["location"]
    assert onward.startswith(f"http://{host}/")
    here.headers["Cookie"] += "; " + leaving.headers["set-cookie"].partition(";")[0]
    done = here.get(onward.removeprefix(f"http://{host}"))
    assert (done.status_code, done.headers["location"]) == (303, "/connect/github")
    assert "GitHub is connected" in here.get("/connect/github").text


def test_a_restart_while_somebody_is_at_the_provider(browser: Browser, gateway: GatewayProcess) -> None:
    waiting = browser.say("connect github")
    url = browser.leave(browser.get(GITHUB))
    gateway.kill()
    gateway.start()
    assert "GitHub is connected" in browser.get(browser.agree(url)).text
    assert browser.end_of(waiting["request_id"]).endswith("new")


# --- tokens -------------------------------------------------------------------------------------------------------


def connected_to_bad(browser: Browser, bad: Bad, **token: Any) -> None:
    bad.gives(**{**TOKEN, **token})
    done = browser.come_back(browser.leave(browser.get(LINEAR)))
    assert "Linear is connected" in done.text, done.text
    bad.asked.clear()


def test_a_token_that_expires_is_renewed_before_an_app_gets_it(browser: Browser, bad: Bad) -> None:
    connected_to_bad(browser, bad, expires_in=30, refresh_token="refresh-1")
    bad.gives(**{**TOKEN, "access_token": "second"}, expires_in=3600, refresh_token="refresh-2")
    assert browser.say("connect linear")["text"] == "bearer token with openid, expires: True, as before"
    [renewal] = bad.asked
    assert (renewal["grant_type"], renewal["refresh_token"]) == ("refresh_token", "refresh-1")
    browser.say("connect linear")
    assert len(bad.asked) == 1
    bad.gives(**{**TOKEN, "access_token": "third"}, expires_in=3600)
    assert browser.say("fresh linear")["text"].endswith("new")
    assert bad.asked[-1]["refresh_token"] == "refresh-2"  # the one that came with the last renewal
    browser.say("fresh linear")
    assert bad.asked[-1]["refresh_token"] == "refresh-2"  # and stays when none comes


def test_one_renewal_serves_all_who_ask(browser: Browser, bad: Bad) -> None:
    connected_to_bad(browser, bad, expires_in=30, refresh_token="refresh-1")

    def slowly(form: dict[str, str]) -> tuple[int, str, Any]:
        time.sleep(0.3)
        return 200, "application/json", {**TOKEN, "expires_in": 3600, "refresh_token": "refresh-2"}

    bad.answer = slowly
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: browser.say("connect linear")["text"], range(6)))
    assert set(answers) == {"bearer token with openid, expires: True, as before"}
    assert len(bad.asked) == 1


@pytest.mark.parametrize("refresh_token", ["refresh-1", None], ids=["refused", "no refresh token"])
def test_what_cannot_be_renewed_is_asked_for_again(browser: Browser, bad: Bad, refresh_token: str | None) -> None:
    connected_to_bad(browser, bad, refresh_token=refresh_token)
    bad.gives(error="invalid_grant")
    waiting = browser.say("fresh linear")
    assert waiting["prompt"]["integration"] == "linear"
    [shown] = browser.connections()
    assert shown["needs_reconnect"] is True
    assert "does not renew" in browser.get("/a/connector/connections").text
    assert browser.say("have linear")["text"] == "nothing"
    bad.gives(**{**TOKEN, "access_token": "anew"})
    browser.come_back(browser.leave(browser.get(LINEAR)))
    assert browser.end_of(waiting["request_id"]).endswith("new")
    assert not browser.connections()[0].get("needs_reconnect")


@pytest.mark.parametrize("trouble", [500, 503, 429])
def test_a_provider_in_trouble_loses_nobody_their_connection(browser: Browser, bad: Bad, trouble: int) -> None:
    connected_to_bad(browser, bad, expires_in=30, refresh_token="refresh-1")
    bad.says("<html>busy</html>", trouble)
    assert browser.say("connect linear")["text"].startswith("provider_failed: linear")
    assert browser.say("have linear")["text"] == "nothing"
    bad.gives(**TOKEN, expires_in=3600)
    assert browser.say("have linear")["text"].startswith("bearer token")


def test_disconnecting_tells_the_provider(browser: Browser, bad: Bad) -> None:
    connected_to_bad(browser, bad, refresh_token="refresh-1")
    page = browser.send(browser.get("/a/connector/connections"))
    assert "Nothing is connected yet" in page.text
    assert [(form["token"], form["token_type_hint"]) for form in bad.revoked] == [("refresh-1", "refresh_token")]
    assert browser.say("have linear")["text"] == "nothing"


def test_a_provider_that_does_not_listen_keeps_nobody(browser: Browser, bad: Bad) -> None:
    connected_to_bad(browser, bad)
    bad.says("no", 500)
    assert browser.http.delete("/api/v1/app/connector/connections/linear").status_code == 204
    assert browser.connections() == []
    again = browser.http.delete("/api/v1/app/connector/connections/linear")
    assert (again.status_code, again.json()["code"]) == (404, "connection_not_found")


def test_fewer_scopes_are_shown_and_asked_for_no_more(browser: Browser, bad: Bad) -> None:
    connected_to_bad(browser, bad, scope="")
    assert browser.connections()[0]["missing_scopes"] == ["openid"]
    for page in (browser.get(LINEAR), browser.get("/a/connector/connections")):
        assert "ot granted" in page.text
    assert browser.say("connect linear")["text"] == "bearer token with , expires: False, as before"


@pytest.mark.parametrize("scope", ["a,openid", "openid a", ["openid", "a"]])
def test_scopes_come_in_many_forms(browser: Browser, bad: Bad, scope: Any) -> None:
    connected_to_bad(browser, bad, scope=scope, expires_in="3600")
    [shown] = browser.connections()
    assert set(shown["scopes"]) == {"openid", "a"}
    assert "missing_scopes" not in shown


# --- states that are no good --------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["", "x", "é" * 50, "a" * 43, "' OR 1=1 --"])
def test_a_missing_or_wrong_state(browser: Browser, state: str) -> None:
    is_not_connected(browser, browser.come_back(browser.leave(browser.get(GITHUB)), state=state))


def test_a_state_is_good_once(browser: Browser, provider: Provider) -> None:
    back = browser.agree(browser.leave(browser.get(GITHUB)))
    assert "GitHub is connected" in browser.get(back).text
    replayed = browser.get(back)
    assert (replayed.status_code, "used already" in replayed.text) == (400, True)
    assert len(browser.connections()) == 1


def test_a_state_expires(browser: Browser, gateway: GatewayProcess) -> None:
    back = browser.agree(browser.leave(browser.get(GITHUB)))
    with sqlite3.connect(gateway.data_dir / "capsule.db", timeout=10) as store:
        left = store.execute("SELECT max(expires_at) FROM oauth_states").fetchone()[0] - time.time()
        store.execute("UPDATE oauth_states SET expires_at = ?", (time.time() - 1,))
    assert 590 < left <= 600
    is_not_connected(browser, browser.get(back))


def test_a_state_is_of_one_browser_and_one_user(browser: Browser, gateway: GatewayProcess) -> None:
    back = browser.agree(browser.leave(browser.get(GITHUB)))
    victim = Browser(gateway)
    is_not_connected(victim, victim.get(back))
    victim.get(GITHUB)
    victim.leave(victim.get(GITHUB))
    is_not_connected(victim, victim.get(back))
    stolen = Browser(gateway)
    stolen.http.cookies.set("capsule_connect", browser.http.cookies["capsule_connect"], domain="127.0.0.1")
    is_not_connected(stolen, stolen.get(back))


def test_the_state_of_a_terminals_prompt_is_of_one_browser(gateway: GatewayProcess) -> None:
    attacker, victim = Browser(gateway, is_known=False), Browser(gateway, is_known=False)
    with asked(gateway, "connector", "connect github", gateway.member("att@example.com", "default")) as talk:
        back = attacker.agree(attacker.leave(attacker.get(talk.prompt["link"])))
        refused = victim.get(back)
        assert (refused.status_code, "Not connected" in refused.text) == (400, True)
        talk.client.turns.cancel(talk.request_id)


def test_providers_are_not_mixed_up(browser: Browser, bad: Bad) -> None:
    of_github, of_linear = (browser.leave(browser.get(path)) for path in (GITHUB, LINEAR))
    state = query(of_github)["state"]
    is_not_connected(browser, browser.come_back(of_linear, state=state))
    is_not_connected(browser, browser.get(f"{LINEAR}/complete?{urlencode({'code': 'c', 'state': state})}"))
    is_not_connected(browser, browser.come_back(of_linear, iss="https://evil.example"))
    assert bad.asked == []
    again = browser.leave(browser.get(LINEAR))
    assert "Linear is connected" in browser.come_back(again, iss=f"{bad.url}/issuer").text


@pytest.mark.parametrize("iss", ["https://evil.example", "http://[::1", "x", "http://localhost.evil.example/"])
def test_an_issuer_of_unknown_name_is_of_the_same_origin(browser: Browser, iss: str) -> None:
    is_not_connected(browser, browser.get(browser.agree(browser.leave(browser.get(GITHUB))) + f"&iss={iss}"))


def test_nobody_is_sent_anywhere_else(browser: Browser) -> None:
    url = browser.leave(browser.get(f"{GITHUB}?next=https://evil.example&origin=https://evil.example"))
    evil = {"origin": "https://evil.example", "return_to": "https://evil.example", "next": "//evil.example"}
    onward = httpx.get(
        f"{browser.gateway.url}/oauth/callback/github",
        params={"state": query(url)["state"], "code": "c", **evil},
        trust_env=False,
    )
    assert onward.status_code == 303
    assert onward.headers["location"].startswith(f"{browser.gateway.url}{GITHUB}/complete?state=")
    assert "evil" not in onward.headers["location"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
def test_a_host_of_others_is_refused(browser: Browser, host: str) -> None:
    assert browser.http.get(GITHUB, headers={"Host": host}).status_code == 421


# --- people and providers who say no, or nonsense -------------------------------------------------------------------


def test_saying_no_at_the_provider_leaves_the_prompt_open(browser: Browser) -> None:
    waiting = browser.say("connect github")
    page = browser.get(browser.refuse(browser.leave(browser.get(GITHUB))))
    is_not_connected(browser, page)
    assert "You did not let the app use github" in page.text
    assert f'href="{GITHUB}"' in page.text
    turn = browser.http.get(f"/api/v1/turns/{waiting['request_id']}").json()
    assert turn["prompt"]["prompt_id"] == waiting["prompt"]["prompt_id"]
    browser.connect(GITHUB)
    assert browser.end_of(waiting["request_id"]).endswith("new")


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable", "<script>alert(1)</script>", "é"])
def test_other_errors_of_a_provider(browser: Browser, error: str) -> None:
    page = browser.come_back(browser.leave(browser.get(LINEAR)), error=error)
    is_not_connected(browser, page)
    assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    ("status", "kind", "content"),
    [
        (200, "text/html", "<html>canary-html</html>"),
        (500, "text/html", "<html>canary-html</html>"),
        (302, "text/html", ""),
        (200, "application/json", "[]"),
        (200, "application/json", "null"),
        (200, "application/json", "{}"),
        (200, "application/json", '{"access_token": 7}'),
        (200, "application/json", '{"access_token": ["a"]}'),
        (200, "application/json", '{"access_token": "a", "refresh_token": {"a": 1}}'),
        (200, "application/json", '{"access_token": "' + "a" * 70_000 + '"}'),
        (200, "application/json", '{"error": "odd_error"}'),
        (400, "application/json", '{"error": "invalid_client", "error_description": "canary"}'),
        (200, "application/json", "[" * 100_000),
        (200, "application/x-www-form-urlencoded", "access_token=canary&scope=openid"),
    ],
)
def test_answers_that_are_no_token(browser: Browser, bad: Bad, status: int, kind: str, content: str) -> None:
    bad.says(content, status, kind)
    page = browser.come_back(browser.leave(browser.get(LINEAR)))
    is_not_connected(browser, page, 502)
    assert f'href="{LINEAR}"' in page.text


def test_a_code_that_is_refused(browser: Browser, bad: Bad) -> None:
    bad.gives(error="invalid_grant")
    is_not_connected(browser, browser.come_back(browser.leave(browser.get(LINEAR))))


def test_a_provider_that_is_down(browser: Browser, gateway: GatewayProcess, tmp_path: Any) -> None:
    with bad_provider() as server:
        app = tmp_path / "acme.py"
        app.write_text(
            "import cpsl\napp = cpsl.App('acmed')\n"
            f"app.add_integration('acme', client_id=cpsl.Secret.from_name('CONNECTOR_ID'), scopes=['s'],\n"
            f"    authorize_url='{server.url}/a', token_url='{server.url}/t')\n"
            "@app.message()\nasync def handle(session, msg):\n"
            "    await session.reply((await session.prompt_integration('acme')).access_token[-3:])\n"
        )
        gateway.deploy(app)
        visitor = Browser(gateway, "acmed")
        url = visitor.leave(visitor.get("/a/acmed/connect/acme"))
        server.gives(**TOKEN)
        assert "acme is connected" in visitor.come_back(url).text
        assert "client_secret" not in server.asked[0]
        assert visitor.say("hi")["text"] == TOKEN["access_token"][-3:]
        visitor.http.delete("/api/v1/app/acmed/connections/acme")
        url = visitor.leave(visitor.get("/a/acmed/connect/acme"))
    is_not_connected(visitor, visitor.come_back(url), 502)


def test_a_provider_that_is_slow(bad: Bad) -> None:
    may_go_on = threading.Event()

    def slowly(form: dict[str, str]) -> tuple[int, str, Any]:
        may_go_on.wait(30)
        return 200, "application/json", TOKEN

    bad.answer = slowly
    there = providers.Provider(f"{bad.url}/authorize", f"{bad.url}/token")
    client = oauth.Client("linear", there, "client-1", "canary", "http://127.0.0.1/back", timeout=0.3)
    try:
        with pytest.raises(cpsl.ProviderFailed) as caught:
            asyncio.run(oauth.exchange(client, [], "code-1", "verifier"))
    finally:
        may_go_on.set()
    assert caught.value.message == "linear did not answer within 0.3 seconds"
    assert "canary" not in repr(client)


def test_a_missing_client_is_told_without_its_name(gateway: GatewayProcess, browser: Browser) -> None:
    with gateway.client() as client:
        client.secrets.delete("CONNECTOR_SECRET")
        try:
            page = browser.send(browser.get(GITHUB))
        finally:
            client.secrets.create({"CONNECTOR_SECRET": "canary-secret-Z1"})
    assert page.status_code == 404
    assert "Not connected" in page.text


# --- forms --------------------------------------------------------------------------------------------------------


def test_a_form_is_a_page_of_its_own(browser: Browser) -> None:
    waiting = browser.say("connect box")
    page = browser.get("/a/connector/connect/box")
    assert 'type="password"' in page.text
    assert 'autocomplete="off"' in page.text
    wrong = browser.send(page, user="ada", password="")
    assert (wrong.status_code, wrong.text.count("is missing")) == (422, 2)
    assert 'aria-describedby="error-password"' in wrong.text
    done = browser.send(wrong, user="ada", password="canary-word", region="eu")
    assert "box is connected" in done.text
    assert "canary-word" not in done.text
    assert browser.end_of(waiting["request_id"]) == "form of ada, new"


def test_a_form_of_somebody_at_a_terminal(gateway: GatewayProcess) -> None:
    anywhere = Browser(gateway, is_known=False)
    with asked(gateway, "connector", "connect box", gateway.member("form@example.com", "default")) as talk:
        page = anywhere.get(talk.prompt["link"])
        assert "form@example.com" in page.text
        assert "box is connected" in anywhere.send(page, user="bob", password="p", region="eu").text
        assert talk.rest() == "form of bob, new"
        late = anywhere.send(page, user="eve", password="p", region="eu")
        assert late.status_code == 404


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_a_form_of_another_site_is_refused(browser: Browser, gateway: GatewayProcess, token: str) -> None:
    answers = {"user": "eve", "password": "p", "region": "eu"}
    forged = browser.send(browser.get("/a/connector/connect/box"), csrf_token=token, **answers)
    assert forged.status_code == 403
    headers = {"Sec-Fetch-Site": "cross-site"}
    data = {"csrf_token": browser.http.headers["X-CSRF-Token"], **answers}
    assert browser.http.post("/a/connector/connect/box", data=data, headers=headers).status_code == 403
    assert browser.connections() == []
    with asked(gateway, "connector", "connect box") as talk:
        anywhere = Browser(gateway, is_known=False)
        forged = anywhere.send(anywhere.get(talk.prompt["link"]), csrf_token=token, **answers)
        assert forged.status_code == 403
        talk.client.turns.cancel(talk.request_id)


def test_two_tabs_answer_one_prompt(browser: Browser) -> None:
    waiting = browser.say("connect github")
    backs = [browser.agree(browser.leave(browser.get(GITHUB))) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(browser.get, backs))
    for page in pages:
        assert "GitHub is connected" in page.text
    assert browser.end_of(waiting["request_id"]).count("token") == 1
    assert len(browser.connections()) == 1


# --- whose credentials these are (issue 5, "Must show" 6) -----------------------------------------------------------


def test_credentials_are_of_their_user_and_app_alone(browser: Browser, gateway: GatewayProcess, bad: Bad) -> None:
    connected_to_bad(browser, bad, refresh_token="canary-refresh-B2")
    session = browser.say("have linear")["session_id"]
    others = Browser(gateway)
    assert others.say("have linear")["text"] == "nothing"
    assert others.say("all")["text"] == "{}"
    assert others.connections() == []
    stolen = others.http.post("/api/v1/app/connector/chat", json={"text": "have linear", "session_id": session})
    assert (stolen.status_code, stolen.json()["code"]) == (404, "session_not_found")
    assert others.http.delete("/api/v1/app/connector/connections/linear").status_code == 404
    source = (APPS / "connector.py").read_text().replace('name="connector"', 'name="copycat"')
    copy = gateway.home / "copycat.py"
    copy.write_text(source)
    gateway.deploy(copy)
    [(name, value)] = [(n, v) for n, v in browser.http.cookies.items() if n.startswith("capsule_app")]
    with gateway.client() as client:
        theirs = f"capsule_{client.apps.get('copycat').id}"
    assert name != theirs
    forged = httpx.get(f"{gateway.url}/api/v1/app/copycat/connections", cookies={theirs: value}, trust_env=False)
    assert forged.status_code == 401
    assert Browser(gateway, "copycat").say("have linear")["text"] == "nothing"
    for token in (gateway.token, gateway.member("another@example.com", "default")):
        with gateway.http(token) as http:
            assert http.get("/app/connector/connections").json() == {"connections": []}
            assert http.delete("/app/connector/connections/linear").status_code == 404
            asked = http.post("/app/connector/chat", json={"text": "have linear", "session_id": session})
            assert asked.status_code == 404
            assert http.get("/app/connector/data/account").json() == []
    assert browser.say("have linear")["text"].startswith("bearer token")
    assert browser.say("all")["text"].count("[secure]") == 1
    with gateway.client() as client:
        logs = repr(client.apps.logs("connector", limit=1000)) + repr(client.apps.logs("copycat", limit=1000))
    assert "canary" not in logs + gateway.log()
    kept = [path for path in gateway.data_dir.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"canary-" in path.read_bytes() and "versions" not in path.parts]


def test_another_user_cannot_use_the_link_of_a_prompt(browser: Browser, gateway: GatewayProcess) -> None:
    waiting = browser.say("connect github")
    link = urlsplit(waiting["prompt"]["link"]).path
    for other in (Browser(gateway), Browser(gateway, is_known=False)):
        refused = other.get(link)
        assert (refused.status_code, "another conversation" in refused.text) == (403, True)
        assert other.http.post(link, data={"decision": "decline"}).status_code in (403, 404)
    assert browser.get(link).status_code == 200
    browser.http.post(f"/api/v1/turns/{waiting['request_id']}/cancel")


def test_a_card_that_waits_for_nobody(browser: Browser) -> None:
    shown = browser.say("show github")
    assert shown["text"] == "shown"
    events = browser.http.get(f"/api/v1/turns/{shown['request_id']}/events").text
    assert f'"link":"{browser.gateway.url}{GITHUB}"' in events
    assert "Continue to GitHub" in browser.get(GITHUB).text


def test_connections_of_a_caller_of_the_api(gateway: GatewayProcess) -> None:
    token = gateway.member("caller@example.com", "default")
    with asked(gateway, "connector", "connect box", token) as talk:
        talk.client.turns.answer(talk.request_id, talk.prompt_id, {"user": "c", "password": "p", "region": "eu"})
        assert talk.rest() == "form of c, new"
        [shown] = talk.client.connections.list("connector")
        assert (shown.integration, shown.mode) == ("box", "form")
        talk.client.connections.delete("connector", "box")
        with pytest.raises(cpsl.NotFound):
            talk.client.connections.delete("connector", "box")
        assert talk.client.chat("connector", "have box").text == "nothing"


def test_an_app_that_is_not_there(browser: Browser) -> None:
    for path in ("/a/nowhere/connect/github", "/a/connector/connect/nothing", "/connect/trn_x/prm_x"):
        page = browser.get(path)
        assert page.status_code in (404, 422)
        assert "Not connected" in page.text


def test_settings_that_cannot_be(tmp_path: Any) -> None:
    for text in (
        "nonsense [",
        "[acme]\nauthorize_url='https://x/a'\ntoken_url='https://x/t'",
        "[github]\ntoken_url='https://x/t'",
        "[github]\nauthorize_url='http://x/a'\ntoken_url='https://x/t'",
        "[github]\nauthorize_url='https://x/a'\ntoken_url='https://x/t'\ncolour='red'",
        "github = 7",
    ):
        file = tmp_path / "providers.toml"
        file.write_text(text)
        with pytest.raises(cpsl.ConfigError) as caught:
            providers.Providers.configured(str(file))
        assert caught.value.code == "invalid_setting"
    with pytest.raises(cpsl.ConfigError):
        providers.Providers.configured(str(tmp_path / "nowhere.toml"))
