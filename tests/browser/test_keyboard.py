"""The whole of the tutorial's app by keyboard alone, and the keys that a chat has."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.chat import Chat
from tests.browser.conftest import Gate
from tests.browser.keyboard import Keyboard
from tests.browser.visitor import Visitor
from tests.support.gateway import GatewayProcess

PASSWORD = "correct horse battery"


def test_enter_sends_and_shift_enter_is_a_new_line(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    Keyboard(visitor.page).type("one").press("Shift+Enter").type("two").press("Enter")
    expect(chat.turns.last).to_contain_text("one two")
    assert "one\ntwo" in chat.turns.last.locator("[data-part=message]").inner_text()
    expect(chat.composer).to_have_value("")


def test_enter_that_ends_a_composition_does_not_send(visitor: Visitor) -> None:
    """As with Japanese: the key chooses among words, it is not meant for the page."""
    chat = visitor.open("parlour")
    devtools = visitor.context.new_cdp_session(visitor.page)
    devtools.send("Input.imeSetComposition", {"text": "かな", "selectionStart": 2, "selectionEnd": 2})
    chat.composer.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "keyCode": 229})
    expect(chat.turns).to_have_count(0)


def test_escape_stops(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    visitor.page.keyboard.press("Escape")
    stopped = chat.ended("stopped")
    expect(stopped).to_contain_text("First paragraph, finished.")
    expect(stopped).to_contain_text(re.compile("stopped", re.I))


def test_the_whole_tutorial(tutorial: GatewayProcess, come: Callable[..., Visitor]) -> None:
    visitor = come()
    chat = visitor.open("integrations-demo")
    keys = Keyboard(visitor.page)
    keys.go_to("^Sign in").enter()
    keys.go_to("^Sign up").enter()
    keys.go_to("^E-?mail").type("keys@example.com").go_to("^Password").type(PASSWORD).enter()
    expect(visitor.page.get_by_role("heading", name="Look at your mail")).to_be_visible()
    keys.go_to("^Password").type(PASSWORD).enter()
    expect(chat.composer).to_be_visible()
    say(keys, chat, "connect github")
    connect_github(visitor, keys, chat)
    say(keys, chat, "connect aws")
    keys.go_to("Access key ID", back=True).type("AKIA1").go_to("Secret access key").type("very secret")
    keys.go_to("Region").type("eu-west-1").press("Enter")
    assert chat.answer() == "Connected aws for region eu-west-1"
    say(keys, chat, "upload csv")
    with visitor.page.expect_file_chooser() as chooser:
        keys.go_to("Choose", back=True).press("Enter")
    chooser.value.set_files({"name": "keys.csv", "mimeType": "text/csv", "buffer": b"a"})
    assert chat.answer() == "Uploaded keys.csv to /data/uploads/keys.csv"
    say(keys, chat, "write report")
    assert chat.answer() == "Wrote /data/reports/summary.txt"
    assert keys.unseen == []


def say(keys: Keyboard, chat: Chat, text: str) -> None:
    before = chat.turns.count()
    keys.go_to("^Message").type(text).press("Enter")
    expect(chat.turns).to_have_count(before + 1)


def connect_github(visitor: Visitor, keys: Keyboard, chat: Chat) -> None:
    chat.card()
    with visitor.page.expect_popup() as opened:
        keys.go_to("Connect", back=True).press("Enter")
    window = opened.value
    with window.expect_event("close"):
        window.get_by_placeholder("sub").press_sequentially("octocat")
        window.keyboard.press("Enter")
    assert "repo" in chat.answer()
