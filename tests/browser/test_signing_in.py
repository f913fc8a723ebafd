"""App users: from a visitor to somebody with an account, and back."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import Visitor
from tests.support.gateway import APPS, GatewayProcess
from tests.support.mail import PostOffice, link_in

PASSWORD = "correct horse battery"
_people = itertools.count(1)


@pytest.fixture
def email() -> str:
    """An address that nobody has used yet."""
    return f"person{next(_people)}@example.com"


@pytest.fixture(scope="module")
def person(house: GatewayProcess, browser: Browser) -> str:
    """Somebody who has an account."""
    first = Visitor(browser.new_context(base_url=house.url), house.url)
    first.open("parlour").sign_up("somebody@example.com", PASSWORD)
    first.close()
    return "somebody@example.com"


def test_signing_up_keeps_the_conversation(visitor: Visitor, email: str) -> None:
    chat = visitor.open("parlour")
    assert chat.say("hello").answer() == "Message 1: hello"
    where = chat.session_id
    chat.sign_up(email, PASSWORD).open(f"/c/{where}")
    assert chat.say("again").answer() == "Message 2: again"


def test_who_signs_in_from_a_conversation_comes_back_to_it(visitor: Visitor, person: str) -> None:
    chat = visitor.open("parlour")
    chat.say("hello").ended()
    where = f"/a/parlour/c/{chat.session_id}"
    chat.page.get_by_role("link", name="Sign in").click()
    chat.page.get_by_label("E-mail").fill(person)
    chat.give_password(PASSWORD, "Sign in")
    chat.page.wait_for_url(f"**{where}")
    expect(chat.page.get_by_text("Message 1: hello")).to_be_visible()


def test_a_new_cookie_at_sign_in(visitor: Visitor, email: str) -> None:
    """Session fixation: what was known before is worth nothing after; scripts cannot read either."""
    chat = visitor.open("parlour")
    chat.say("hello").ended()
    before = {each["name"]: each["value"] for each in visitor.context.cookies()}
    chat.sign_up(email, PASSWORD)
    cookies = visitor.context.cookies()
    assert all(each["httpOnly"] and each["sameSite"] == "Lax" for each in cookies)
    assert not {each["value"] for each in cookies} & set(before.values())
    assert visitor.page.evaluate("document.cookie") == ""


def test_the_same_account_in_another_browser(come: Callable[..., Visitor], email: str) -> None:
    chat = come().open("parlour").sign_up(email, PASSWORD)
    chat.open().say("hello").ended()
    other = come().open("parlour").sign_in(email, PASSWORD).open(f"/c/{chat.session_id}")
    assert other.answer() == "Message 1: hello"


def test_sign_out(visitor: Visitor, email: str) -> None:
    chat = visitor.open("parlour").sign_up(email, PASSWORD)
    chat.open().say("private").ended()
    where = chat.session_id
    visitor.open("parlour", "/account")
    visitor.page.get_by_role("button", name=re.compile("^Sign out$")).click()
    visitor.open("parlour", f"/c/{where}")
    expect(visitor.page.get_by_text("private")).to_have_count(0)


def test_sign_out_everywhere(come: Callable[..., Visitor], email: str) -> None:
    first, second = come(), come()
    first.open("parlour").sign_up(email, PASSWORD)
    second.open("parlour").sign_in(email, PASSWORD)
    first.open("parlour", "/account")
    first.page.get_by_role("button", name=re.compile("everywhere|all (browsers|devices)", re.I)).click()
    first.page.wait_for_load_state()
    for each in (first, second):
        each.open("parlour", "/account")
        expect(each.page).to_have_url(re.compile("sign-in"))


def test_a_forgotten_password(visitor: Visitor, post: PostOffice, email: str) -> None:
    chat = visitor.open("parlour").sign_up(email, PASSWORD)
    mails = len(post.to(email))
    visitor.context.clear_cookies()
    chat.open("/forgot")
    visitor.page.get_by_label("E-mail").fill(email)
    with visitor.page.expect_navigation():  # the letter may be here before the answer to the form
        visitor.page.keyboard.press("Enter")
    visitor.page.goto(link_in(post.wait_for(email, mails + 1)))
    visitor.page.get_by_label("New password").fill("another horse entirely")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("heading", name="Your password is changed")).to_be_visible()
    visitor.context.clear_cookies()
    chat.sign_in(email, "another horse entirely")


def test_a_wrong_password_says_no_more_than_that(visitor: Visitor, email: str) -> None:
    """Neither does an address that nobody has: who has an account is nobody's business."""
    chat = visitor.open("parlour").sign_up(email, PASSWORD)
    visitor.context.clear_cookies()
    said = []
    for address in (email, "nobody-at-all@example.com"):
        chat.try_to_sign_in(address, "wrong wrong wrong")
        expect(visitor.page.get_by_role("alert")).to_be_visible()
        said.append(visitor.page.get_by_role("alert").inner_text())
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_where_sign_in_leads_is_on_this_site(visitor: Visitor, person: str, house: GatewayProcess, where: str) -> None:
    """An open redirect would lend our name to others."""
    chat = visitor.open("parlour")
    chat.try_to_sign_in(person, PASSWORD, f"/sign-in?next={where}")
    expect(chat.composer).to_be_visible()
    assert visitor.page.url.startswith(house.url)


def test_an_app_for_people_it_knows(visitor: Visitor, house: GatewayProcess, email: str) -> None:
    """Who is not signed in is asked to, and then comes to where they wanted to go."""
    house.deploy(APPS / "members.py")
    chat = visitor.open("members")
    expect(visitor.page).to_have_url(re.compile("/sign-in"))
    chat.sign_up(email, PASSWORD)
    assert chat.say("hello").answer() == f"Hello {email}"
