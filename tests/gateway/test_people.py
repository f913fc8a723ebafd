"""The people of an app, for whoever operates it: listed, disabled, enabled, deleted with all that is theirs."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import cpsl
from cpsl.errors import AuthError, Conflict, NotFound
from tests.support.gateway import APPS, GatewayProcess, running_gateway
from tests.support.oauth import Bad, Browser, bad_provider, query
from tests.support.processes import eventually

SIGNED_IN = "/api/v1/app/connector/sessions"


@pytest.fixture(scope="module")
def told() -> Iterator[Bad]:
    with bad_provider() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, told: Bad) -> Iterator[GatewayProcess]:
    home = tmp_path_factory.mktemp("people")
    (home / "providers.toml").write_text(
        f'[linear]\nauthorize_url = "{told.url}/authorize"\ntoken_url = "{told.url}/token"\n'
        f'revoke_url = "{told.url}/revoke"\nissuer = "{told.url}/issuer"\n'
    )
    with running_gateway(home, CAPSULE_PROVIDERS_FILE=str(home / "providers.toml")) as process:
        with process.client() as client:
            client.secrets.create({"CONNECTOR_ID": "client-1", "CONNECTOR_SECRET": "secret"})
        process.deploy(APPS / "echo.py")
        process.deploy(APPS / "connector.py")
        yield process


@pytest.fixture
def owner(gateway: GatewayProcess) -> Iterator[cpsl.Client]:
    with gateway.client() as client:
        yield client


def rows(gateway: GatewayProcess, user_id: str) -> dict[str, int]:
    """How many rows name a user, in every table that could."""
    found = {}
    with sqlite3.connect(gateway.data_dir / "capsule.db") as db:
        for table in ("sessions", "turns", "files", "connections", "oauth_states", "browser_sessions", "mail_links"):
            found[table] = db.execute(f"SELECT count(*) FROM {table} WHERE app_user_id = ?", [user_id]).fetchone()[0]
        key = f"user/{user_id}"
        found["documents"] = db.execute("SELECT count(*) FROM documents WHERE scope_key = ?", [key]).fetchone()[0]
        found["app_users"] = db.execute("SELECT count(*) FROM app_users WHERE id = ?", [user_id]).fetchone()[0]
    return found


def newest(owner: cpsl.Client, app: str) -> str:
    return owner.users.list(app, 1, visitors=True).users[0].id


# --- seeing them --------------------------------------------------------------------------------------------------


def test_people_are_listed_newest_first_and_visitors_when_asked_for(
    gateway: GatewayProcess, owner: cpsl.Client
) -> None:
    with gateway.colleague("list-1@example.com") as one, gateway.colleague("list-2@example.com") as other:
        one.chat("echo", "hi")
        other.chat("echo", "hi")
    Browser(gateway, "echo").say("hi")
    visitor = newest(owner, "echo")
    second, first = owner.users.list("echo", 2).users
    assert (first.email, second.email, first.kind) == ("list-1@example.com", "list-2@example.com", "account")
    assert first.email_verified
    assert not first.disabled
    assert visitor not in [user.id for user in owner.users.iter("echo")]
    assert owner.users.get("echo", visitor).kind == "visitor"


def test_pages_follow_each_other(gateway: GatewayProcess, owner: cpsl.Client) -> None:
    for number in range(3):
        with gateway.colleague(f"page-{number}@example.com") as client:
            client.chat("echo", "hi")
    every = [user.id for user in owner.users.iter("echo", visitors=True)]
    paged: list[str] = []
    after = None
    while True:
        page = owner.users.list("echo", 2, after, visitors=True)
        paged += [user.id for user in page.users]
        if (after := page.next) is None:
            break
    assert paged == every
    assert len(set(paged)) == len(paged) >= 3


@pytest.mark.parametrize("name", ["nobody@example.com", "usr_none", "x" * 2000, "%2e", "' OR 1=1 --"])
def test_somebody_who_is_not_there(owner: cpsl.Client, name: str) -> None:
    for ask in (owner.users.get, owner.users.disable, owner.users.enable, owner.users.delete):
        with pytest.raises(NotFound) as caught:
            ask("echo", name)
        assert caught.value.code == "user_not_found"


def test_an_address_that_two_have_names_nobody(gateway: GatewayProcess, owner: cpsl.Client) -> None:
    with gateway.colleague("both@example.com") as client:
        client.chat("echo", "hi")
    known = owner.users.get("echo", "both@example.com")
    with sqlite3.connect(gateway.data_dir / "capsule.db") as db:
        db.execute(
            "INSERT INTO app_users (id, app_id, kind, subject, email, created_at)"
            " SELECT 'usr_0', app_id, 'openid', 'x|y', email, created_at FROM app_users WHERE id = ?",
            [known.id],
        )
    with pytest.raises(Conflict) as caught:
        owner.users.delete("echo", "both@example.com")
    assert caught.value.code == "ambiguous_user"
    assert known.id in str(caught.value.hint)
    assert owner.users.get("echo", known.id) == known


def test_people_are_those_of_the_own_workspace(gateway: GatewayProcess) -> None:
    with gateway.client(gateway.member("stranger@example.com", "elsewhere")) as stranger:
        for ask in (stranger.users.list, lambda app: stranger.users.get(app, "usr_1")):
            with pytest.raises(NotFound):
                ask("echo")
    browser = Browser(gateway, "echo")
    assert browser.get("/api/v1/apps/echo/users").status_code == 401


# --- disabling ----------------------------------------------------------------------------------------------------


def test_who_is_disabled_is_out_at_once_and_comes_back_enabled(gateway: GatewayProcess, owner: cpsl.Client) -> None:
    with gateway.colleague("out@example.com") as client:
        session = client.chat("echo", "note kept").session_id
        assert owner.users.disable("echo", "Out@Example.com").disabled
        for refused in (lambda: client.chat("echo", "hi"), lambda: client.sessions.get("echo", session)):
            with pytest.raises(AuthError) as caught:
                refused()
            assert (caught.value.code, caught.value.status) == ("user_disabled", 403)
        assert not owner.users.enable("echo", "out@example.com").disabled
        assert client.chat("echo", "note again").text == "2 notes"


def test_what_runs_for_who_is_disabled_ends(gateway: GatewayProcess, owner: cpsl.Client) -> None:
    with gateway.colleague("running@example.com") as client:
        turn: list[Any] = []
        talk = threading.Thread(target=lambda: turn.extend(_told(client)))
        talk.start()
        assert eventually(lambda: owner.users.list("echo", 1).users[0].email == "running@example.com")
        assert eventually(lambda: _states(gateway, owner.users.get("echo", "running@example.com").id) == ["running"])
        user = owner.users.disable("echo", "running@example.com")
        talk.join(10)
        assert not talk.is_alive()
        assert _states(gateway, user.id) == ["cancelled"]
    assert "slept" not in turn


def _told(client: cpsl.Client) -> list[str]:
    try:
        return [client.chat("echo", "sleep 60").text]
    except cpsl.CapsuleError as error:
        return [str(error.code)]


def _states(gateway: GatewayProcess, user_id: str) -> list[str]:
    with sqlite3.connect(gateway.data_dir / "capsule.db") as db:
        return [state for (state,) in db.execute("SELECT state FROM turns WHERE app_user_id = ?", [user_id])]


def test_a_visitor_who_is_disabled(gateway: GatewayProcess, owner: cpsl.Client) -> None:
    browser = Browser(gateway)
    browser.say("all")
    owner.users.disable("connector", newest(owner, "connector"))
    assert (answer := browser.get(SIGNED_IN)).status_code == 403
    assert answer.json()["code"] == "user_disabled"
    assert Browser(gateway).get(SIGNED_IN).status_code == 200


# --- deleting -----------------------------------------------------------------------------------------------------


def test_deleting_removes_all_that_is_theirs(gateway: GatewayProcess, owner: cpsl.Client) -> None:
    with gateway.colleague("gone@example.com") as client, gateway.colleague("stays@example.com") as other:
        client.chat("echo", "note one")
        client.chat("echo", "print a canary of gone")
        client.chat("echo", "picture")
        other.chat("echo", "note of another")
        gone, stays = owner.users.get("echo", "gone@example.com"), owner.users.get("echo", "stays@example.com")
        before = rows(gateway, gone.id)
        assert min(before[table] for table in ("sessions", "turns", "files", "documents")) >= 1
        others = rows(gateway, stays.id)
        kept = {path.name for path in (gateway.data_dir / "files").iterdir()}
        owner.users.delete("echo", "gone@example.com")
        assert set(rows(gateway, gone.id).values()) == {0}
        assert rows(gateway, stays.id) == others
        assert len(kept - {path.name for path in (gateway.data_dir / "files").iterdir()}) == before["files"]
        assert client.chat("echo", "note anew").text == "1 notes"
        assert owner.users.get("echo", "gone@example.com").id != gone.id
        assert other.chat("echo", "note two").text == "2 notes"


def test_deleting_ends_what_runs_and_takes_the_process_along(gateway: GatewayProcess, owner: cpsl.Client) -> None:
    with gateway.colleague("process@example.com") as client:
        assert client.chat("echo", "runs").text == "1"
        assert client.chat("echo", "runs").text == "2"
        talk = threading.Thread(target=lambda: _told(client))
        talk.start()
        user = owner.users.get("echo", "process@example.com")
        assert eventually(lambda: "running" in _states(gateway, user.id))
        owner.users.delete("echo", user.id)
        talk.join(10)
        assert not talk.is_alive()
        assert rows(gateway, user.id)["turns"] == 0
        assert client.chat("echo", "runs").text == "1"


def test_deleting_takes_back_what_was_connected(gateway: GatewayProcess, owner: cpsl.Client, told: Bad) -> None:
    told.gives(access_token="canary-access", token_type="bearer", scope="openid", refresh_token="canary-refresh")
    browser = Browser(gateway)
    browser.say("all")
    asked = query(browser.leave(browser.get("/a/connector/connect/linear")))
    browser.get(f"{asked['redirect_uri']}?code=c&state={asked['state']}")
    assert browser.connections()
    user = newest(owner, "connector")
    waiting = query(browser.leave(browser.get("/a/connector/connect/linear")))
    owner.users.delete("connector", user)
    assert [form["token"] for form in told.revoked] == ["canary-refresh"]
    assert set(rows(gateway, user).values()) == {0}
    assert browser.get(f"{waiting['redirect_uri']}?code=c&state={waiting['state']}").status_code == 400
    assert browser.connections() == []
