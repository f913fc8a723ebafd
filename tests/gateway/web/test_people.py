"""People of apps: they sign up, in and out, and look after their account; and what nobody else can do to them."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gateway.web.person import PASSWORD, Person, heading, told
from tests.support.gateway import APPS, GatewayProcess, running_gateway
from tests.support.mail import PostOffice, link_in, post_office

_numbers = itertools.count(1)
MEMBERS = """
import cpsl

app = cpsl.App(name="members", image=cpsl.Image(), channels=[cpsl.Chat(access="authenticated")])


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message):
    await session.reply(f"`{session.user.email} {session.user.email_verified}`")
"""


@pytest.fixture(scope="module")
def post() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, post: PostOffice) -> Iterator[GatewayProcess]:
    """A gateway with a mail server, and two apps: ``echo`` for everybody, ``members`` for who signed in."""
    home = tmp_path_factory.mktemp("people")
    mail = {"HOST": "127.0.0.1", "PORT": str(post.port), "TLS": "none", "FROM": "apps@example.com"}
    environment = {f"CAPSULE_SMTP_{name}": value for name, value in mail.items()}
    with running_gateway(home, **environment, CAPSULE_BEHIND_PROXY="1") as process:
        process.deploy(APPS / "echo.py")
        (home / "members.py").write_text(MEMBERS)
        process.deploy(home / "members.py")
        yield process


@pytest.fixture
def come(house: GatewayProcess) -> Iterator[Callable[..., Person]]:
    """Makes people, each in a browser and a network of their own."""
    came: list[Person] = []

    def make(email: str = "", app: str = "echo", host: str = "") -> Person:
        number = next(_numbers)
        person = Person(house, app, email or f"person{number}@example.com", host)
        person.http.headers["X-Forwarded-For"] = f"8.8.8.8, 10.0.{number // 250}.{number % 250}"
        came.append(person)
        return person

    yield make
    for each in came:
        each.http.close()


Come = Callable[..., Person]


# --- in and out ---------------------------------------------------------------------------------------------------


def test_what_a_visitor_said_and_did_is_theirs_when_they_sign_in(come: Come) -> None:
    person = come()
    said = person.say("note milk")
    person.answered(said["request_id"])
    person.enter()
    assert said["session_id"] in person.open(f"/c/{said['session_id']}").text
    assert person.call("GET", f"/api/v1/turns/{said['request_id']}").json()["state"] == "done"
    assert person.api("GET", "/data/private").json() == {"email": person.email, "notes": 1}
    again = person.say("note bread", said["session_id"])
    assert "2 notes" in "".join(person.answered(again["request_id"]).values())


def test_a_turn_that_runs_when_its_visitor_signs_in_runs_on_and_is_theirs(come: Come) -> None:
    person = come()
    said = person.say("sleep 1.5")
    waiting = person.say("note late", said["session_id"])
    person.enter()
    assert "slept" in "".join(person.answered(said["request_id"]).values())
    assert "1 notes" in "".join(person.answered(waiting["request_id"]).values())
    assert person.api("GET", "/data/private").json()["notes"] == 1


def test_who_has_an_account_comes_back_in_another_browser(come: Come) -> None:
    said = (first := come().enter()).say("hello")
    other = come(first.email)
    assert other.sign_in().status_code == 303
    assert [each["id"] for each in other.api("GET", "/sessions").json()["sessions"]] == [said["session_id"]]


def test_whoever_wanted_a_conversation_gets_it_after_signing_in(come: Come) -> None:
    member = come(app="members").enter()
    address = f"/c/{member.say('hi')['session_id']}"
    elsewhere = come(member.email, app="members")
    asked = elsewhere.open(address)
    assert (asked.status_code, asked.headers["location"]) == (303, f"/a/members/sign-in?next=/a/members{address}")
    for page in (asked.headers["location"], asked.headers["location"].replace("sign-in", "sign-up")):
        assert f'name="next" value="/a/members{address}"' in elsewhere.http.get(page).text
    assert elsewhere.sign_in(next=f"/a/members{address}").headers["location"] == f"/a/members{address}"
    assert elsewhere.open(address).status_code == 200


def test_a_visitor_comes_back_to_the_conversation_that_was_open(come: Come) -> None:
    person = come(host="echo.localhost")
    address = f"/c/{person.say('hi')['session_id']}"
    assert f'href="/sign-in?next={address}"' in person.open(address).text


def test_signing_out_leaves_a_visitor_who_knows_nothing(come: Come) -> None:
    person = come().enter()
    person.say("private")
    person.form("/sign-out", {}, "/account")
    assert not person.is_in
    assert person.api("GET", "/sessions").json()["sessions"] == []


def test_only_members_talk_to_members(come: Come) -> None:
    person = come(app="members")
    assert person.open().headers["location"] == "/a/members/sign-in"
    person.open("/sign-in")
    refused = person.call("POST", "/a/members/messages", json={"text": "hi"}, headers={"X-CSRF-Token": "0"})
    assert refused.status_code in (401, 403)
    person.enter()
    said = person.say("hi")
    assert f"{person.email} False" in "".join(person.answered(said["request_id"]).values())


def test_an_address_is_confirmed_by_its_link_once_and_apps_know(come: Come, post: PostOffice) -> None:
    person = come(app="members").enter()
    link = link_in(post.wait_for(person.email))
    path = "/verify/" + link.rpartition("/")[2]
    assert "Confirm your address" in person.open().text
    for _ in range(2):  # what looks at links before people do uses none up
        assert heading(person.open(path)) == "Confirm your address"
    done = person.form("/verify", {"token": link.rpartition("/")[2]}, path)
    assert heading(done) == "Your address is confirmed"
    assert "Confirm your address" not in person.open().text
    again = person.form("/verify", {"token": link.rpartition("/")[2]}, path)
    assert (again.status_code, heading(again)) == (410, "This link does not work any more")
    assert f"{person.email} True" in "".join(person.answered(person.say("hi")["request_id"]).values())


def test_on_the_apps_own_host_name(come: Come) -> None:
    person = come(host="echo.localhost")
    person.sign_up()
    assert person.sign_in(next="/account").headers["location"] == "/account"
    assert person.is_in


# --- recovery -----------------------------------------------------------------------------------------------------


def test_a_forgotten_password_is_replaced_once_and_everybody_is_signed_out(come: Come, post: PostOffice) -> None:
    person, stranger = come().enter(), come()
    stranger.form("/forgot", {"email": person.email})
    token = link_in(post.wait_for(person.email, 2)).rpartition("/")[2]
    done = stranger.form("/reset", {"token": token, "password": "another good one"}, f"/reset/{token}")
    assert heading(done) == "Your password is changed"
    assert not person.is_in
    again = stranger.form("/reset", {"token": token, "password": "a third one, too"}, f"/reset/{token}")
    assert again.status_code == 410
    assert person.sign_in().status_code == 422
    assert person.sign_in("another good one").status_code == 303


def test_a_link_is_for_its_purpose_and_its_app(come: Come, post: PostOffice) -> None:
    person, elsewhere = come().enter(), come(app="members")
    token = link_in(post.wait_for(person.email)).rpartition("/")[2]
    assert person.form("/reset", {"token": token, "password": "another good one"}, f"/reset/{token}").status_code == 410
    assert elsewhere.form("/verify", {"token": token}, f"/verify/{token}").status_code == 410
    assert person.form("/verify", {"token": "é" * 40}, "/verify/x").status_code == 410


def test_nobody_can_have_a_box_filled(come: Come, post: PostOffice) -> None:
    person = come()
    person.sign_up()
    for _ in range(6):
        assert person.form("/forgot", {"email": person.email}).status_code == 200
    post.wait_for(person.email, 3)
    time.sleep(0.3)
    assert len(post.to(person.email)) == 3


# --- the account --------------------------------------------------------------------------------------------------


def test_another_password_wants_the_old_one_and_signs_others_out(come: Come) -> None:
    first, second = come().enter(), None
    second = come(first.email)
    second.sign_in()
    before = first.cookie
    wrong = first.account("password", password="not that one", new_password="another good one")
    assert (wrong.status_code, told(wrong)) == (422, "This is not your password.")
    assert first.account("password", password=PASSWORD, new_password="another good one").status_code == 303
    assert first.is_in
    assert first.cookie != before
    assert not second.is_in


def test_browsers_are_listed_and_signed_out_one_by_one_or_all(come: Come) -> None:
    first = come().enter()
    others = [come(first.email), come(first.email)]
    for each in others:
        each.http.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        each.sign_in()
    page = first.open("/account").text
    assert page.count("Firefox on Linux") == 2
    browser = re.findall(r'name="browser" value="([^"]+)"', page)[0]
    first.account("browsers", browser=browser)
    assert [each.is_in for each in others].count(True) == 1
    first.account("sign-out-everywhere")
    assert not any(each.is_in for each in [first, *others])


def test_nobody_signs_out_the_browser_of_another(come: Come) -> None:
    victim, attacker = come().enter(), come().enter()
    other = come(victim.email)
    other.sign_in()
    browser = re.findall(r'name="browser" value="([^"]+)"', victim.open("/account").text)[0]
    attacker.account("browsers", browser=browser)
    assert other.is_in


def test_who_deletes_their_account_is_gone_with_all_that_was_theirs(come: Come, house: GatewayProcess) -> None:
    person = come()
    person.say("hello")
    person.enter()
    person.open()
    kept = person.api("POST", "/files?name=a.txt", content=b"mine")
    assert kept.status_code == 201
    assert told(person.account("delete", delete_password="wrong wrong")) == "This is not your password."
    assert person.account("delete", delete_password=PASSWORD).status_code == 303
    assert not person.is_in
    assert person.sign_in().status_code == 422
    assert not (house.data_dir / "files" / kept.json()["id"]).exists()
    with house.http() as http:
        assert person.email not in http.get("/apps/echo/users").text


def test_who_is_disabled_is_out_and_stays_out_until_they_are_let_in(come: Come, house: GatewayProcess) -> None:
    person = come().enter()
    with house.http() as http:
        changed = http.patch(f"/apps/echo/users/{person.email}", json={"disabled": True})
        assert changed.status_code == 200, changed.text
        assert not person.is_in
        refused = person.sign_in()
        assert (refused.status_code, "cannot use this app" in told(refused)) == (403, True)
        http.patch(f"/apps/echo/users/{person.email}", json={"disabled": False})
    assert person.sign_in().status_code == 303


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"csrf_token": ""}, {}),
        ({"csrf_token": "0" * 64}, {}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_a_form_of_another_site_signs_nobody_in(come: Come, fields: dict[str, str], headers: dict[str, str]) -> None:
    person = come()
    person.sign_up()
    given = {"csrf_token": person.token("/sign-in"), "email": person.email, "password": PASSWORD} | fields
    refused = person.http.post("/a/echo/sign-in", data=given, headers=headers)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert not person.is_in


def test_without_a_cookie_no_form_is_taken(come: Come) -> None:
    person = come()
    token = person.token("/sign-in")
    person.http.cookies.clear()
    assert person.http.post("/a/echo/sign-in", data={"csrf_token": token}).status_code == 403


def test_a_cookie_from_before_is_worth_nothing_after(come: Come, house: GatewayProcess) -> None:
    """Session fixation, and what was stolen before somebody signed out."""
    person, thief = come(), come()
    said = person.say("private")
    visitor = person.cookie
    person.enter()
    signed_in = person.cookie
    assert signed_in.startswith("s.")
    person.form("/sign-out", {}, "/account")
    name = next(each.name for each in person.http.cookies.jar if not each.name.endswith("_known"))
    for value in (visitor, signed_in):
        thief.http.cookies.clear()
        thief.http.cookies.set(name, value)
        assert thief.call("GET", f"/api/v1/turns/{said['request_id']}").status_code in (401, 404)


def test_cookies_are_of_one_app_and_out_of_reach_of_scripts(come: Come) -> None:
    person = come()
    person.sign_up()
    entered = person.sign_in()
    given = entered.headers.get_list("set-cookie")
    assert len(given) == 2
    assert all("HttpOnly" in each and "SameSite=lax" in each and "Path=/;" in each for each in given)
    other = come(person.email, app="members")
    other.open("/sign-in")
    name = next(each.name for each in other.http.cookies.jar)
    other.http.cookies.set(name, person.cookie)
    assert not other.is_in


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/a/echo/../../evil",
        "/a/echo@evil.example",
        "/a/echo2",
        "/a/members",
        "javascript:alert(1)",
        "/a/echo/\r\nSet-Cookie: x=1",
        "/" * 2000,
        "http:evil.example",
        "/a/echo/..//evil.example",
    ],
)
def test_where_sign_in_leads_is_in_the_app(come: Come, where: str) -> None:
    person = come("next@example.com")
    person.sign_up()
    assert person.sign_in(next=where).headers["location"] == "/a/echo"


def test_where_sign_in_leads_may_be_a_page_of_the_app(come: Come) -> None:
    person = come("next@example.com")
    person.sign_up()
    assert person.sign_in(next="/a/echo/c/ses_1?x=1").headers["location"] == "/a/echo/c/ses_1?x=1"


def _same(one: Any, other: Any, address: str, other_address: str) -> bool:
    def clean(page: Any, of: str) -> str:
        return re.sub(r'value="[0-9a-f]{64}"', "", str(page.text)).replace(of, "")

    return one.status_code == other.status_code and clean(one, address) == clean(other, other_address)


def test_nobody_learns_who_has_an_account(come: Come, post: PostOffice) -> None:
    known, asking = come(), come()
    known.sign_up()
    post.wait_for(known.email)
    forms = {"/sign-up": {"password": PASSWORD}, "/sign-in": {"password": "wrong wrong"}, "/forgot": {}}
    for path, fields in forms.items():
        answers = {}
        for address in (known.email, f"stranger{next(_numbers)}@example.com"):
            answers[address] = asking.form(path, {"email": address, **fields})
        (address, one), (other, two) = answers.items()
        assert _same(one, two, address, other), path
        assert one.headers.get_list("set-cookie") == two.headers.get_list("set-cookie") == []
    assert "You have an account there already" in post.wait_for(known.email, 2).get_content()


def test_who_forgot_without_an_account_gets_no_mail(come: Come, post: PostOffice) -> None:
    person = come()
    assert person.form("/forgot", {"email": person.email}).status_code == 200
    time.sleep(0.3)
    assert post.to(person.email) == []


def test_an_unknown_address_takes_as_long_as_a_wrong_password(come: Come) -> None:
    person = come()
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    person.sign_up()
    for _ in range(4):
        for name, address in (("known", person.email), ("unknown", f"stranger{next(_numbers)}@example.com")):
            token = person.token("/sign-in")
            begun = time.perf_counter()
            person.http.post("/a/echo/sign-in", data={"csrf_token": token, "email": address, "password": "wrong one"})
            took[name].append(time.perf_counter() - begun)
    known, unknown = min(took["known"]), min(took["unknown"])
    assert known / 2 < unknown < known * 2
    assert unknown > 0.01  # a hash was made


def test_guessing_is_slowed_and_its_owner_comes_in_from_elsewhere(come: Come) -> None:
    owner, guesser = come(), come()
    owner.sign_up()
    guesser.email = owner.email
    assert {guesser.sign_in(f"guess {number}").status_code for number in range(10)} == {422}
    refused = guesser.sign_in()
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 900
    assert "tried too often" in told(refused)
    assert owner.sign_in().status_code == 303


def test_who_guesses_at_once_has_no_more_guesses(come: Come) -> None:
    owner, guesser = come(), come()
    owner.sign_up()
    token = guesser.token("/sign-in")

    def guess(number: int) -> int:
        given = {"csrf_token": token, "email": owner.email, "password": f"guess {number}"}
        return guesser.http.post("/a/echo/sign-in", data=given).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(guess, range(20))).count(422) == 10


def test_the_password_of_an_account_is_not_guessed_from_within(come: Come) -> None:
    person = come().enter()
    answers = [person.account("delete", delete_password=f"guess {number}").status_code for number in range(11)]
    assert answers == [422] * 10 + [429]


def test_signing_up_is_slowed(come: Come) -> None:
    person = come()
    token = person.token("/sign-up")
    given = {"csrf_token": token, "email": "no address", "password": PASSWORD}
    answers = [person.http.post("/a/echo/sign-up", data=given).status_code for _ in range(101)]
    assert answers == [422] * 100 + [429]


def test_two_who_sign_up_with_one_address_at_once_make_one_account(come: Come, house: GatewayProcess) -> None:
    people = [come("twice@example.com") for _ in range(4)]
    tokens = [each.token("/sign-up") for each in people]

    def sign_up(number: int) -> int:
        given = {"csrf_token": tokens[number], "email": "twice@example.com", "password": PASSWORD}
        return people[number].http.post("/a/echo/sign-up", data=given).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(sign_up, range(4))) == {200}
    with house.http() as http:
        assert http.get("/apps/echo/users", params={"limit": 200}).text.count("twice@example.com") == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.com", "anna@example.COM"),
        ("josé@example.com", "jose\u0301@example.com"),
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        (" spaced@example.com ", "spaced@example.com"),
        ("someone@localhost", "SOMEONE@localhost"),
    ],
)
def test_two_ways_to_write_an_address_are_one_person(come: Come, one: str, other: str) -> None:
    assert come(one).sign_up().status_code == 200
    assert come(other).sign_in().status_code == 303


@pytest.mark.parametrize(
    "address",
    [
        *("", "nobody", "@example.com", "a@b@c.example", "a b@example.com", "a\0@example.com", "\u202ea@example.com"),
        *("a@example.com\nBcc: all@example.com", "<script>@example.com"),
        *("x" * 70 + "@example.com", "a@" + "b" * 300 + ".example"),
    ],
)
def test_what_is_no_address_is_told_so(come: Come, address: str) -> None:
    person = come()
    for path in ("/sign-up", "/forgot"):
        refused = person.form(path, {"email": address, "password": PASSWORD})
        assert refused.status_code == 422
        assert told(refused).startswith("This is not an e-mail address")
        assert 'aria-invalid="true" aria-describedby="email-error"' in refused.text
        assert "<script>@" not in refused.text
    assert person.form("/sign-in", {"email": address, "password": PASSWORD}).status_code == 422


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "at least 8"),
        ("seven77", "at least 8"),
        ("e\u0301" * 7, "at least 8"),
        ("password1", "Many people"),
        ("x" * 1025, "at most 1024"),
        ("x" * 1_000_000, "at most 1024"),
    ],
)
def test_a_password_that_nobody_should_have(come: Come, password: str, why: str) -> None:
    refused = come().sign_up(password)
    assert (refused.status_code, why in told(refused)) == (422, True)
    assert password not in refused.text or len(password) < 8


@pytest.mark.parametrize("password", ["nul \0 and more", "ünïcödé pässwörd", "😀" * 8, "x" * 1024, "   spaces   "])
def test_a_password_of_any_characters(come: Come, password: str) -> None:
    person = come()
    assert person.sign_up(password).status_code == 200
    assert person.sign_in(password[:-1]).status_code == 422
    assert person.sign_in(password).status_code == 303


def test_a_giant_password_signs_nobody_in(come: Come) -> None:
    person = come()
    person.sign_up()
    assert person.sign_in("x" * 1_000_000).status_code == 422
    assert person.sign_in("x" * 3_000_000).status_code == 413


def test_no_password_or_link_is_in_the_log(come: Come, house: GatewayProcess, post: PostOffice) -> None:
    person = come()
    person.sign_up("a very special secret")
    token = link_in(post.wait_for(person.email)).rpartition("/")[2]
    person.form("/verify", {"token": token}, f"/verify/{token}")
    assert "a very special secret" not in house.log()
    assert token not in house.log()


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/forgot", "/verify/x", "/reset/x"])
def test_no_other_site_can_frame_the_pages_or_learn_their_links(come: Come, path: str) -> None:
    headers = come().open(path).headers
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_an_app_that_is_not_there(house: GatewayProcess) -> None:
    for path in ("sign-in", "sign-up", "account", "forgot", "verify/x", "reset/x"):
        assert house.ask("GET", f"/a/nothing/{path}").status_code == 404


def test_links_in_mails_are_to_the_gateway(come: Come, house: GatewayProcess, post: PostOffice) -> None:
    person = come(host="evil.localhost")
    person.base = "/a/echo"
    person.sign_up()
    assert link_in(post.wait_for(person.email)).startswith(f"{house.url}/a/echo/verify/")
