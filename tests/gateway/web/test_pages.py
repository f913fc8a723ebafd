"""An app's pages against a real gateway, by a browser without a screen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.gateway.web.browser import Browser
from tests.support.gateway import APPS, GatewayProcess

TEXT = "# Title\n\nOne <b>two</b>.\n\n```py\nx = 1\n```\n\n- a\n- b\n\nThe end."
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def browser(echo: GatewayProcess) -> Iterator[Browser]:
    with Browser(echo, "echo") as made:
        yield made


@pytest.fixture(scope="module")
def asker(gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> GatewayProcess:
    """The shared gateway with an app of these tests' own that asks for things."""
    source = tmp_path_factory.mktemp("asker") / "app.py"
    text = (
        (APPS / "asker.py").read_text().replace('name="asker"', 'name="asking"').replace('"asked"', '"asked-by-page"')
    )
    source.write_text(text)
    with gateway.client() as client:
        client.filesystems.create("asked-by-page")
    gateway.deploy(source)
    return gateway


def test_a_visitor_talks_and_finds_the_conversation_again(browser: Browser) -> None:
    page = browser.open()
    assert page.status_code == 200
    assert "echo" in page.text
    assert "HttpOnly" in page.headers["Set-Cookie"]
    assert "SameSite=lax" in page.headers["Set-Cookie"]
    sent = browser.say(TEXT)
    assert sent["html"].count("One &lt;b&gt;two&lt;/b&gt;.") == 1
    assert sent["title"] == "# Title"
    shown = browser.answered(sent["request_id"])
    assert browser.transcript(sent["session_id"]) == shown
    again = browser.open(f"/c/{sent['session_id']}")
    assert "Set-Cookie" not in again.headers
    assert f'id="turn-{sent["request_id"]}"' in again.text
    assert 'data-state="done"' in again.text
    assert f'href="/a/echo/c/{sent["session_id"]}"' in again.text


def test_an_answer_can_be_followed_from_every_point(browser: Browser) -> None:
    sent = browser.say(TEXT)
    events = list(browser.follow(sent["request_id"]))
    assert events[-1][1:] == ("state", {"state": "done", "message": ""})
    whole = browser.answered(sent["request_id"])
    last = int(events[-1][0])
    for after in range(last + 2):
        assert browser.answered(sent["request_id"], after).items() <= whole.items()
    (end,) = browser.follow(sent["request_id"], last=str(last))
    assert end[1:] == ("state", {"state": "done", "message": ""})


def test_a_message_that_is_sent_twice_arrives_once(browser: Browser) -> None:
    first, second = browser.say("once", key="k1"), browser.say("once", key="k1")
    assert first == second
    page = browser.open(f"/c/{first['session_id']}").text
    assert page.count('class="turn"') == 1


def test_what_is_sent_from_elsewhere_is_refused(browser: Browser) -> None:
    browser.open()
    for headers in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}, {"Sec-Fetch-Site": "cross-site"}):
        answer = browser.call("POST", "/a/echo/messages", json={"text": "x"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


def test_nobody_else_sees_a_conversation(browser: Browser, echo: GatewayProcess) -> None:
    sent = browser.say("mine")
    with Browser(echo, "echo") as other:
        other.open()
        assert other.open(f"/c/{sent['session_id']}").status_code == 404
        assert other.http.get(f"/a/echo/turns/{sent['request_id']}/parts").status_code == 404
        assert other.api("PATCH", f"/sessions/{sent['session_id']}", json={"title": "x"}).status_code == 404
        assert other.api("GET", f"/sessions/{sent['session_id']}/export").status_code == 404
    with Browser(echo, "echo") as nobody:
        assert nobody.http.get(f"/a/echo/c/{sent['session_id']}").status_code == 404
        assert nobody.http.get(f"/a/echo/turns/{sent['request_id']}/parts").status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/a/nothing", 404),
        ("/a/echo/c/ses_nothing", 404),
        ("/a/<script>", 404),
        ("/a/echo/turns/trn_nothing/parts", 404),
        ("/static/nothing.js", 404),
        ("/static/../routes.py", 404),
        ("/static/%2e%2e/routes.py", 404),
    ],
)
def test_what_is_not_there(browser: Browser, path: str, status: int) -> None:
    browser.open()
    answer = browser.http.get(path)
    assert answer.status_code == status
    assert "<script>" not in answer.text.replace('<script src="', "")


@pytest.mark.parametrize(("accept", "kind"), [("text/html,*/*", "text/html"), ("*/*", "application/problem+json")])
def test_people_get_a_page_where_nothing_is_and_programs_a_problem(browser: Browser, accept: str, kind: str) -> None:
    for path in ("/a/echo/nothing", "/nothing", "/static/nothing.css"):
        answer = browser.http.get(path, headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith(kind) or path.startswith("/static")
    assert browser.http.get("/api/v1/nothing", headers={"Accept": accept}).json()["code"] == "not_found"


def test_an_app_for_known_people_sends_visitors_to_its_sign_in(own_gateway: GatewayProcess) -> None:
    source = (
        (APPS / "echo.py")
        .read_text()
        .replace('name="echo"', 'name="members", channels=[cpsl.Chat(access="authenticated")]')
    )
    assert "members" in source
    path = own_gateway.home / "members.py"
    path.write_text(source)
    own_gateway.deploy(path)
    with Browser(own_gateway, "members") as browser:
        answer = browser.open()
        assert (answer.status_code, answer.headers["Location"]) == (303, "/a/members/sign-in")
        assert browser.http.post("/a/members/messages", json={"text": "x"}).status_code in (401, 403)


# --- cards


def test_a_form_is_filled_in_from_the_page(asker: GatewayProcess) -> None:
    with Browser(asker, "asking") as browser:
        sent = browser.say("aws")
        stream = browser.follow(sent["request_id"])
        card = next(data["html"] for _, kind, data in stream if kind == "part")
        prompt = re.search(r'data-prompt="([^"]+)"', card)
        assert prompt is not None
        assert card.count("<label") == 3
        page = browser.open(f"/c/{sent['session_id']}").text
        assert 'data-state="waiting"' in page
        assert prompt[0] in page
        fields = {"access_key_id": "a", "secret_access_key": "hush-hush", "region": "eu"}
        path = f"/api/v1/turns/{sent['request_id']}/prompts/{prompt[1]}"
        assert browser.call("POST", path, json={"fields": fields}).status_code == 200
        rest = [(kind, data) for _, kind, data in stream]
        states = [data["state"] for kind, data in rest if kind == "state"]
        assert states[-2:] in (["answering", "done"], ["waiting", "done"])
        assert any("Connected" in data["html"] for kind, data in rest if kind == "part")
        assert "hush-hush" not in browser.open(f"/c/{sent['session_id']}").text
        assert browser.call("POST", path, json={"declined": True}).status_code == 409


# --- sessions


def test_conversations_are_renamed_pinned_found_and_exported(echo: GatewayProcess) -> None:
    with Browser(echo, "echo") as browser:
        said = [browser.say(text) for text in ("Äpfel kaufen", "100% sure_", "pears")]
        assert all(browser.answered(each["request_id"]) for each in said)
        first, second, third = (each["session_id"] for each in said)
        changed = browser.api("PATCH", f"/sessions/{first}", json={"title": "  Fruit \n list ", "pinned": True})
        assert changed.json()["title"] == "Fruit list"
        listed = browser.api("GET", "/sessions").json()["sessions"]
        assert [each["id"] for each in listed] == [first, third, second]
        assert listed[0]["pinned"] is True

        def found(query: str) -> list[str]:
            answer = browser.api("GET", "/sessions", params={"q": query})
            return [each["id"] for each in answer.json()["sessions"]]

        assert found("fruit") == [first]
        assert found("äpfel") == [first]
        assert found("YOU said") == [first, third, second]
        assert found("100% sure_") == [second]
        assert found("%") == [second]
        assert found("pears äpfel") == []
        page = browser.api("GET", "/sessions", params={"limit": 1}).json()
        following = browser.api("GET", "/sessions", params={"limit": 1, "after": page["next"]}).json()
        assert [page["sessions"][0]["id"], following["sessions"][0]["id"]] == [first, third]
        exported = browser.api("GET", f"/sessions/{first}/export")
        assert exported.text.startswith("# Fruit list\n\n**You** (")
        assert exported.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Fruit%20list.md"
        kept = browser.api("GET", f"/sessions/{first}/export", params={"format": "json"}).json()
        assert kept["messages"][0]["text"] == "Äpfel kaufen"
        browser.api("PATCH", f"/sessions/{first}", json={"pinned": False})
        assert [each["id"] for each in browser.api("GET", "/sessions").json()["sessions"]] == [third, second, first]


@pytest.mark.parametrize("title", ["", "  ", "x" * 201, "a\u202eb", "a\0b"])
def test_a_title_is_one_line_that_can_be_shown(browser: Browser, title: str) -> None:
    session = browser.say("hi")["session_id"]
    answer = browser.api("PATCH", f"/sessions/{session}", json={"title": title})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_title")


def test_client_and_command_rename_too(echo: GatewayProcess) -> None:
    with echo.client() as client:
        reply = client.chat("echo", "to be renamed quincewise")
        changed = client.sessions.update("echo", reply.session_id, title="Renamed", pinned=True)
        assert (changed.title, changed.pinned) == ("Renamed", True)
        assert [each.id for each in client.sessions.list("echo", search="quincewise").sessions] == [reply.session_id]


# --- files


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [("a.png", PNG, "image/png"), ("a.svg", b"<svg onload=alert(1)>", None), ("b.png", b"<html>", None)],
)
def test_only_pictures_are_shown(browser: Browser, name: str, content: bytes, kind: str | None) -> None:
    browser.open()
    kept = browser.api("POST", "/files", params={"name": name}, content=content).json()
    answer = browser.api("GET", f"/files/{kept['id']}")
    assert answer.content == content
    assert answer.headers["Content-Type"] == (kind or "application/octet-stream")
    assert answer.headers["Content-Disposition"].startswith("inline" if kind else "attachment")
    if kind:
        assert answer.headers["Content-Security-Policy"].startswith("sandbox;")


def test_static_files_are_kept_for_good_under_their_own_address(browser: Browser) -> None:
    page = browser.open().text
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(files) > 5
    for path in files:
        answer = browser.http.get(path)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert browser.http.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
        plain = browser.http.get(path, headers={"Accept-Encoding": "identity"})
        assert plain.content == answer.content
        assert "Content-Encoding" not in plain.headers


def test_a_page_and_all_that_it_needs_is_light(browser: Browser) -> None:
    page = browser.open()
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
    total = len(page.content)
    for path in files:
        with browser.http.stream("GET", path) as answer:
            total += len(b"".join(answer.iter_raw()))
    assert total < 60 * 1024


def test_a_page_may_do_what_it_needs_and_nothing_else(browser: Browser) -> None:
    page = browser.open()
    policy = dict(each.strip().partition(" ")[::2] for each in page.headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["default-src"] == policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert "camera=()" in page.headers["Permissions-Policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", page.text)
    assert "script-src" not in browser.http.get("/api/v1/me").headers["Content-Security-Policy"]


# --- {app}.localhost


def test_an_app_has_a_host_name_of_its_own(echo: GatewayProcess) -> None:
    with Browser(echo, "echo", host="echo.localhost") as browser:
        page = browser.open()
        assert page.status_code == 200
        assert 'data-base=""' in page.text
        sent = browser.say(TEXT)
        shown = browser.answered(sent["request_id"])
        assert browser.transcript(sent["session_id"]) == shown
        assert browser.http.get(f"/a/echo/c/{sent['session_id']}").status_code == 200
        assert browser.api("GET", "/sessions").json()["sessions"][0]["id"] == sent["session_id"]


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("nothing.localhost", "/", 404),
        ("nothing.localhost", "/healthz", 200),
        ("ECHO.localhost", "/", 200),
        ("echo.localhost", "/c/ses_x", 404),
        ("echo.localhost", "/api/v1/me", 401),
        ("x.echo.localhost", "/", 404),
        ("echo.localhost.evil.example", "/", 421),
        ("evil.example", "/a/echo", 421),
    ],
)
def test_host_names(echo: GatewayProcess, host: str, path: str, status: int) -> None:
    assert echo.ask("GET", path, headers={"Host": f"{host}:{echo.port}"}).status_code == status


# --- long answers


def test_a_page_shows_the_last_turns_and_leads_to_the_rest(browser: Browser) -> None:
    sent = browser.say("first-" + "x" * 900_000)
    for _ in range(5):
        last = browser.say("y" * 900_000, sent["session_id"])
        browser.answered(last["request_id"])
    page = browser.open(f"/c/{sent['session_id']}").text
    assert 'class="notice">What was said before' not in page
    for _ in range(5):
        browser.answered(browser.say("y" * 900_000, sent["session_id"])["request_id"])
    page = browser.open(f"/c/{sent['session_id']}").text
    assert 'class="notice">What was said before' in page
    assert "first-" not in page.partition('id="turns"')[2]
    assert "first-" in browser.api("GET", f"/sessions/{sent['session_id']}/export").text


def test_a_long_answer_arrives_soon_and_whole(browser: Browser) -> None:
    text = "\n\n".join(f"## Part {n}\n\nSome **words** and `code`.\n\n```py\nx = {n}\n```" for n in range(1200))
    began = time.monotonic()
    sent = browser.say(text)
    shown = browser.answered(sent["request_id"])
    assert time.monotonic() - began < 20
    assert len(shown) > 3000
    assert browser.transcript(sent["session_id"]) == shown
