"""Cards ask, and wait or do not; they are answered, skipped, or run out; nobody is led away from the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Card, drop, paste
from tests.browser.conftest import Gate
from tests.browser.test_tutorial import authorize
from tests.browser.visitor import Visitor
from tests.support.gateway import GatewayProcess
from tests.support.provider import Provider


def test_a_form_hides_secrets_and_forgets_them(visitor: Visitor, house: GatewayProcess) -> None:
    chat = visitor.open("parlour").say("aws")
    card = chat.card()
    expect(card.element.get_by_label("Secret access key")).to_have_attribute("type", "password")
    card.fill(Access_key_ID="AKIA1", Secret_access_key="sesame-sesame", Region="eu-west-1").send()
    assert "Thanks for access_key_id, region, secret_access_key." in chat.answer()
    assert "sesame-sesame" not in visitor.page.content()
    visitor.page.reload()
    chat.card().expect_closed("connected|answered")
    assert "sesame-sesame" not in visitor.page.content()
    assert "sesame-sesame" not in house.log()


def test_a_form_says_what_is_missing(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("box")
    card = chat.card().fill(user="me")
    card.send()
    expect(chat.turns.last).to_have_attribute("data-state", "waiting")
    card.fill(password="secret").send()
    assert "Thanks for" in chat.answer()


@pytest.mark.parametrize("what", ["box", "github"])
def test_skip(visitor: Visitor, what: str) -> None:
    chat = visitor.open("parlour").say(what)
    chat.card().skip()
    assert "Then not." in chat.answer()
    chat.card().expect_closed("skipped|declined")


def test_a_card_says_how_long_it_waits_and_runs_out(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("box 3")
    expect(chat.card().element).to_contain_text(re.compile(r"\d s|second", re.I))
    assert "Too late." in chat.answer()
    chat.card().expect_closed("expired|too late")


def test_a_card_that_is_optional_blocks_nothing(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("hint github")
    assert chat.answer() == "Only if you like."
    expect(chat.card().element).to_contain_text(re.compile("optional", re.I))
    assert chat.say("hello").answer() == "Message 1: hello"


@pytest.mark.parametrize("tab", ["this", "another"])
def test_an_optional_card_says_that_it_is_connected(visitor: Visitor, tab: str) -> None:
    """At once, where it is looked at, and from then on."""
    chat = visitor.open("parlour").say("hint box")
    chat.ended()
    path = f"/c/{chat.session_id}"
    other = visitor.open_tab("parlour", path) if tab == "another" else chat
    window = Card(window := other.card().connect(), window.locator("main"))
    window.fill(user="me", password="secret").send()
    chat.card().expect_closed("Connected")
    chat.open(path).card().expect_closed("Connected")
    assert "Optional" not in chat.card().element.inner_text()
    expect(chat.say("hint box").card().element).to_contain_text("Connected")


def test_an_optional_card_of_an_answer_that_goes_on(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"offer {gate.name}")
    window = Card(window := chat.card().connect(), window.locator("main"))
    window.fill(user="me", password="secret").send()
    chat.card().expect_closed("Connected")
    expect(chat.composer).to_be_focused()
    gate.open()
    chat.ended()
    chat.card().expect_closed("Connected")


def test_the_composer_is_free_while_a_card_waits(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("box")
    chat.card()
    chat.composer.fill("something else")
    expect(chat.composer).to_have_value("something else")
    expect(chat.composer).to_be_enabled()


def test_a_connection_in_a_window_of_its_own(visitor: Visitor, github: Provider) -> None:
    """The page stays where it is and goes on by itself; the scopes that are asked for are there to read before."""
    chat = visitor.open("parlour").say("github")
    card = chat.card()
    expect(card.element).to_contain_text("repo")
    where = visitor.page.url
    authorize(card.connect(), "octocat")
    assert "Thanks for ['repo', 'read:user']." in chat.answer()
    assert visitor.page.url == where
    assert len(visitor.context.pages) == 1


def test_somebody_who_says_no_at_the_provider(visitor: Visitor, github: Provider) -> None:
    """Nothing is lost: the card still waits, and one can try again."""
    chat = visitor.open("parlour").say("github")
    window = chat.card().connect()
    window.get_by_role("button", name="Deny").click()
    expect(chat.turns.last).to_have_attribute("data-state", "waiting")
    if not window.is_closed():
        window.close()
    authorize(chat.card().connect(), "octocat")
    assert "Thanks for" in chat.answer()


def test_a_window_that_is_closed_too_early(visitor: Visitor, github: Provider) -> None:
    chat = visitor.open("parlour").say("github")
    chat.card().connect().close()
    authorize(chat.card().connect(), "octocat")
    assert "Thanks for" in chat.answer()


# --- files


@pytest.mark.parametrize("give", [drop, paste])
def test_a_file_by_drag_and_by_paste(visitor: Visitor, give: type[object]) -> None:
    chat = visitor.open("parlour").say("file")
    give(chat.card().element, [{"name": "a.csv", "type": "text/csv", "text": "a,b\n"}])  # type: ignore[call-arg]
    assert chat.answer() == "a.csv: 4 bytes"


def test_the_server_too_checks_the_type(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("file")
    drop(chat.card().element, [{"name": "a.png", "type": "image/png", "text": "x"}])
    expect(chat.card().element.get_by_role("alert")).to_contain_text("csv")
    drop(chat.card().element, [{"name": "a.csv", "type": "text/csv", "text": "a,b\n"}])
    assert chat.answer() == "a.csv: 4 bytes"
