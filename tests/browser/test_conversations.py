"""The list of conversations: what it holds, and what can be done with each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.chat import Chat, wait_until
from tests.browser.conftest import Gate
from tests.browser.keyboard import Keyboard
from tests.browser.visitor import Visitor
from tests.support.gateway import GatewayProcess

_SAY = """text => fetch("/api/v1/app/parlour/chat", {method: "POST", body: JSON.stringify({text}), headers: {
  "Content-Type": "application/json", "X-CSRF-Token": document.body.dataset.csrf}})"""


def listed(chat: Chat) -> Locator:
    """The conversations in the list, by their links."""
    return (
        chat.page.get_by_role("navigation", name="Conversations")
        .get_by_role("link")
        .filter(has=chat.page.locator("xpath=self::*[contains(@href, '/c/')]"))
    )


def entry(chat: Chat, title: str) -> Locator:
    return chat.page.get_by_role("navigation", name="Conversations").get_by_role("listitem").filter(has_text=title)


def menu(chat: Chat, title: str, action: str) -> None:
    """Choose from the menu of a conversation."""
    row = entry(chat, title)
    row.hover()
    row.get_by_role("button").first.click()
    chat.page.get_by_role("menuitem", name=re.compile(action)).or_(
        chat.page.get_by_role("button", name=re.compile(f"^{action}"))
    ).first.click()


@pytest.fixture
def chat(visitor: Visitor) -> Chat:
    """Three conversations, the last of them on the screen."""
    return converse(visitor)


def converse(visitor: Visitor) -> Chat:
    """About apples, about pears, and about plums."""
    chat = visitor.open("parlour")
    for text in ("apples", "pears"):
        visitor.page.evaluate(_SAY, text)
    chat.say("plums").ended()
    expect(listed(chat)).to_have_count(3)
    return chat


def test_a_conversation_keeps_its_address(chat: Chat) -> None:
    listed(chat).filter(has_text="apples").click()
    expect(chat.turns).to_have_count(1)
    expect(chat.turns.last).to_contain_text("apples")
    where = chat.page.url
    chat.say("more").ended()
    assert chat.page.url == where
    chat.page.go_back()
    expect(chat.turns.last).to_contain_text("plums")


def test_rename(chat: Chat) -> None:
    menu(chat, "pears", "Rename")
    expect(chat.page.get_by_role("textbox", name="New title")).to_be_focused()
    chat.page.keyboard.press("ControlOrMeta+a")
    chat.page.keyboard.type("Fruit of autumn\n")
    expect(listed(chat).filter(has_text="Fruit of autumn")).to_be_visible()
    chat.page.reload()
    expect(listed(chat).filter(has_text="Fruit of autumn")).to_be_visible()


def test_a_list_that_comes_late_changes_nothing_back(chat: Chat) -> None:
    """The answer to an older question may arrive after that to a newer one."""
    held: list[Route] = []
    chat.page.route("**/sessions?*", lambda route: held.append(route), times=1)
    chat.page.get_by_role("searchbox").press_sequentially(" ")  # asks for the list
    wait_until(lambda: bool(held), chat.page)
    old = held[0].fetch()
    menu(chat, "pears", "Pin")
    expect(listed(chat).first).to_contain_text("pears")
    with chat.page.expect_response("**/sessions?*"):
        held[0].fulfill(response=old)
    chat.page.wait_for_timeout(100)
    expect(listed(chat).first).to_contain_text("pears")


def test_a_title_that_is_being_written_survives_what_happens_elsewhere(chat: Chat, visitor: Visitor) -> None:
    menu(chat, "pears", "Rename")
    expect(chat.page.get_by_role("textbox", name="New title")).to_be_focused()
    chat.page.keyboard.press("ControlOrMeta+a")
    chat.page.keyboard.type("Fruit")
    visitor.open_tab("parlour").say("cherries").ended()
    chat.page.keyboard.type(" of autumn\n")
    expect(listed(chat).filter(has_text="Fruit of autumn")).to_be_visible()
    expect(listed(chat).filter(has_text="cherries")).to_be_visible()


def test_pin(chat: Chat) -> None:
    menu(chat, "apples", "Pin")
    expect(listed(chat).first).to_contain_text("apples")
    chat.page.reload()
    expect(listed(chat).first).to_contain_text("apples")


def test_delete_and_undo(chat: Chat) -> None:
    menu(chat, "pears", "Delete")
    expect(listed(chat)).to_have_count(2)
    chat.page.get_by_role("button", name="Undo").click()
    expect(listed(chat)).to_have_count(3)
    chat.page.reload()
    expect(listed(chat)).to_have_count(3)


def test_delete(chat: Chat) -> None:
    menu(chat, "pears", "Delete")
    expect(listed(chat)).to_have_count(2)
    chat.page.reload()
    expect(listed(chat)).to_have_count(2)


def test_back_to_one_that_is_deleted(chat: Chat) -> None:
    """The page stays as it is, and so does its address."""
    gone, where = chat.session_id, f"{chat.base}/c/"
    listed(chat).filter(has_text="apples").click()
    expect(chat.turns.last).to_contain_text("apples")
    here = chat.session_id
    headers = {"X-CSRF-Token": str(chat.page.evaluate("document.body.dataset.csrf"))}
    assert chat.page.request.delete(f"/api/v1/app/parlour/sessions/{gone}", headers=headers).ok
    chat.page.go_back()
    expect(chat.page.get_by_text("not there any more")).to_be_visible()
    expect(chat.turns.last).to_contain_text("apples")
    assert chat.page.url.endswith(where + here)
    chat.open(f"/c/{gone}")
    expect(chat.page.get_by_text("This conversation was deleted")).to_be_visible()


def test_search(chat: Chat) -> None:
    """Also in what was answered."""
    search = chat.page.get_by_role("searchbox")
    search.fill("pear")
    expect(listed(chat)).to_have_count(1)
    search.fill("nothing like it")
    expect(listed(chat)).to_have_count(0)
    search.fill("")
    expect(listed(chat)).to_have_count(3)


@pytest.mark.parametrize(("format", "check"), [("Markdown", str), ("JSON", json.loads)])
def test_export(chat: Chat, format: str, check: Callable[[str], object]) -> None:
    with chat.page.expect_download() as download:
        menu(chat, "pears", f"Export.*{format}|{format}")
    content = Path(download.value.path()).read_text()
    assert check(content)
    assert "Message 1: pears" in content


def test_another_conversation_does_not_stop_the_answer_of_this(chat: Chat) -> None:
    chat.say("count 150")
    where = chat.session_id
    listed(chat).filter(has_text="apples").click()
    expect(chat.turns.last).to_contain_text("apples")
    chat.open(f"/c/{where}")
    assert chat.answer() == " ".join(map(str, range(1, 151)))


def test_deleting_one_ends_the_answer_that_comes_in_it(chat: Chat, gate: Gate, house: GatewayProcess) -> None:
    chat.open().say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    turn = chat.turns.last.get_attribute("data-turn")
    menu(chat, "hold", "Delete")
    expect(chat.turns).to_have_count(0)
    chat.page.reload()  # who leaves the page does not want to undo it
    wait_until(lambda: chat.page.request.get(f"/api/v1/turns/{turn}").status == 404, chat.page)


def test_the_menu_by_keyboard(chat: Chat) -> None:
    keys = Keyboard(chat.page)
    keys.go_to("Actions for pears", back=True).press("Enter")
    expect(chat.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    keys.press("ArrowDown")
    expect(chat.page.get_by_role("menuitem", name="Pin")).to_be_focused()
    keys.press("Enter")
    expect(listed(chat).first).to_contain_text("pears")
    keys.go_to("Actions for pears", back=True).press("Enter", "Escape")
    expect(chat.page.get_by_role("menu")).to_be_hidden()
    expect(chat.page.get_by_role("button", name="Actions for pears")).to_be_focused()


def test_nobody_else_sees_them(chat: Chat, come: Callable[..., Visitor]) -> None:
    other = come()
    answer = other.page.request.get(f"/a/parlour/c/{chat.session_id}")
    assert answer.status == 404
    assert "plums" not in answer.text()


def test_on_a_phone_they_are_in_a_drawer(chat: Chat, visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 360, "height": 740})
    visitor.page.reload()
    expect(listed(chat).first).not_to_be_in_viewport()
    visitor.page.get_by_role("button", name=re.compile("conversations|menu", re.I)).first.click()
    listed(chat).filter(has_text="apples").click()
    expect(chat.turns.last).to_contain_text("apples")
    expect(listed(chat).first).not_to_be_in_viewport()
