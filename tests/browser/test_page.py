"""What the page does by itself: where it scrolls, what it keeps, what it tells other tabs, and how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.chat import drop, paste, wait_until
from tests.browser.conftest import Gate
from tests.browser.visitor import Visitor

LONG = "\n\n".join(f"Paragraph {number}." for number in range(60))
COMPOSER = "#message"


def is_at_end(page: Page) -> bool:
    """Whether the end of the conversation is on the screen."""
    return bool(page.locator("#scroller").evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight < 64"))


def test_it_follows_what_comes_only_from_the_end(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say(f"show {LONG}")
    chat.ended()
    wait_until(lambda: is_at_end(visitor.page), visitor.page)
    chat.say("count 100")
    visitor.page.locator("#scroller").evaluate("e => e.scrollTop = 0")
    chat.ended()
    assert visitor.page.locator("#scroller").evaluate("e => e.scrollTop") == 0
    visitor.page.get_by_role("button", name="Jump to the latest message").click()
    assert is_at_end(visitor.page)
    expect(chat.composer).to_be_focused()


def test_a_message_shows_in_other_tabs(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("hello")
    chat.ended()
    other = visitor.open_tab("parlour", f"/c/{chat.session_id}")
    chat.say("again").ended()
    assert other.answer() == "Message 2: again"
    expect(other.turns).to_have_count(2)


def test_two_tabs_with_one_message_without_network_send_it_once(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("one")
    chat.ended()
    other = visitor.open_tab("parlour", f"/c/{chat.session_id}")
    visitor.context.set_offline(True)
    chat.say("two")
    other.say("three")
    visitor.context.set_offline(False)
    expect(chat.turns).to_have_count(3)
    expect(other.turns).to_have_count(3)
    for each in (chat, other):
        each.ended()
        assert sorted(each.turns.locator(".bubble").all_inner_texts()) == ["one", "three", "two"]


def test_each_conversation_has_its_draft(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("hello")
    chat.ended()
    chat.composer.fill("for the first")
    chat.start_over()
    expect(chat.composer).to_have_value("")
    chat.composer.fill("for a new one")
    visitor.page.go_back()
    expect(chat.composer).to_have_value("for the first")
    visitor.page.go_forward()
    expect(chat.composer).to_have_value("for a new one")


def test_what_is_typed_before_the_scripts_are_here_stays(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    chat.composer.fill("begun earlier")
    held: list[Route] = []
    visitor.page.route("**/composer.js", lambda route: held.append(route))
    visitor.page.reload(wait_until="commit")
    chat.composer.fill("typed at once")
    wait_until(lambda: bool(held), visitor.page)
    held[0].continue_()
    expect(chat.composer).to_have_value("begun earlier\n\ntyped at once")


def test_the_title_is_that_of_the_conversation(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    expect(visitor.page).to_have_title("parlour")
    chat.say("apples").ended()
    expect(visitor.page).to_have_title("apples · parlour")
    chat.start_over()
    expect(visitor.page).to_have_title("parlour")


@pytest.mark.parametrize("give", [drop, paste])
def test_files_for_a_message_come_from_anywhere(visitor: Visitor, give: Callable[..., None]) -> None:
    chat = visitor.open("parlour")
    give(visitor.page.locator(COMPOSER), [{"name": "a.txt", "type": "text/plain", "text": "abc"}])
    assert chat.say("files").answer() == "a.txt 3"
    expect(chat.turns.last.get_by_role("link", name="a.txt")).to_be_visible()


def test_a_file_that_does_not_fit_is_said_and_can_be_removed(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    drop(visitor.page.locator(COMPOSER), [{"name": "empty.txt", "type": "text/plain", "text": ""}])
    expect(visitor.page.get_by_role("listitem").filter(has_text="empty.txt is empty")).to_be_visible()
    chat.composer.fill("files")
    chat.composer.press("Enter")
    expect(chat.turns).to_have_count(0)
    expect(chat.composer).to_have_value("files")
    visitor.page.get_by_role("button", name="Remove empty.txt").click()
    expect(chat.composer).to_be_focused()
    chat.composer.press("Enter")
    assert chat.answer() == "none"


def test_a_folder_is_no_file(visitor: Visitor, tmp_path: Path) -> None:
    chat = visitor.open("parlour")
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").write_text("abc")
    devtools = visitor.context.new_cdp_session(visitor.page)
    files = [str(tmp_path / "folder"), str(tmp_path / "a.txt")]
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": files, "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    expect(visitor.page.get_by_text("A folder cannot be attached")).to_be_visible()
    assert chat.say("files").answer() == "a.txt 3"


def test_of_cells_that_are_pasted_the_text_is_meant(visitor: Visitor) -> None:
    """Sheets put a picture of them beside it."""
    chat = visitor.open("parlour")
    taken = chat.composer.evaluate("""field => {
      const clipboardData = new DataTransfer()
      clipboardData.items.add(new File(["x"], "image.png", {type: "image/png"}))
      clipboardData.setData("text/plain", "1\\t2")
      return !field.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}))
    }""")
    assert not taken
    expect(visitor.page.get_by_role("list", name="Attached files")).to_be_hidden()


def test_a_name_of_255_bytes_has_its_place(visitor: Visitor) -> None:
    name = "ü" * 125 + ".csv"
    chat = visitor.open("parlour")
    drop(visitor.page.locator(COMPOSER), [{"name": name, "type": "text/csv", "text": "abc"}])
    assert chat.say("files").answer().endswith("ü.csv 3")
    assert left(chat.turns.last.get_by_role("link")) > left(chat.page.get_by_role("region", name="Conversation"))


def test_a_double_click_sends_once(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    chat.composer.fill("hello")
    visitor.page.get_by_role("button", name="Send").dblclick()
    expect(chat.composer).to_be_focused()
    assert chat.answer() == "Message 1: hello"
    expect(chat.turns).to_have_count(1)


def test_an_upload_can_be_cancelled(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("file")
    devtools = visitor.context.new_cdp_session(visitor.page)
    devtools.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    devtools.send("Network.emulateNetworkConditions", line)
    card = chat.card()
    drop(card.element, [{"name": "large.csv", "type": "text/csv", "text": "0123456789abcdef" * 100_000}])
    expect(card.element.get_by_role("progressbar")).to_be_visible()
    card.element.get_by_role("button", name="Cancel").click()
    expect(card.element.get_by_role("button", name="Choose")).to_be_focused()
    card.skip()
    card.expect_closed("skipped")


def test_where_windows_are_blocked_a_tab_opens(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("github")
    visitor.page.evaluate("window.open = () => null")
    where = f"{visitor.origin}/a/parlour/c/{chat.session_id}"
    opened = chat.card().connect()
    expect(opened).to_have_url(re.compile("/connect/"))
    assert visitor.page.url == where


def test_secrets_can_be_looked_at(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("aws")
    card = chat.card().fill(Secret_access_key="sesame")
    show = card.element.get_by_role("button", name="Show")
    expect(show).to_have_attribute("aria-pressed", "false")
    show.click()
    expect(show).to_have_attribute("aria-pressed", "true")
    expect(card.element.get_by_label("Secret access key")).to_have_attribute("type", "text")


def test_the_theme_is_kept(visitor: Visitor) -> None:
    visitor.open("parlour")
    visitor.page.emulate_media(color_scheme="light")
    toggle = visitor.page.get_by_role("button", name="Theme")
    toggle.click()
    toggle.click()
    expect(toggle).to_have_accessible_name("Theme: dark")
    visitor.page.reload()
    expect(toggle).to_have_accessible_name("Theme: dark")
    assert visitor.page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    assert visitor.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(24, 23, 21)"


def test_escape_in_the_list_does_not_stop_the_answer(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    actions = visitor.page.get_by_role("button", name=re.compile("Actions for")).first
    actions.click()
    expect(visitor.page.get_by_role("menuitem").first).to_be_focused()
    visitor.page.keyboard.press("Escape")
    expect(actions).to_be_focused()
    gate.open()
    chat.ended()


def test_the_drawer_keeps_the_focus_and_gives_it_back(visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 360, "height": 740})
    visitor.open("parlour")
    opener = visitor.page.get_by_role("button", name="Open the list of conversations")
    opener.click()
    expect(visitor.page.get_by_role("button", name="Close the list")).to_be_focused()
    assert visitor.page.evaluate("document.querySelector('main').inert")
    visitor.page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "false")


def test_on_a_touch_screen_enter_is_a_new_line(come: Callable[..., Visitor]) -> None:
    visitor = come(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    chat = visitor.open("parlour")
    chat.composer.fill("one")
    chat.composer.press("Enter")
    chat.composer.press_sequentially("two")
    expect(chat.composer).to_have_value("one\ntwo")
    visitor.page.get_by_role("button", name="Send").tap()
    chat.ended()
    expect(chat.turns.last.locator(".bubble")).to_have_text("one\ntwo")


def test_it_can_be_read_without_scripts(visitor: Visitor, come: Callable[..., Visitor]) -> None:
    chat = visitor.open("parlour").say("hello")
    chat.ended()
    reader = come(java_script_enabled=False, storage_state=visitor.context.storage_state())
    plain = reader.open("parlour", f"/c/{chat.session_id}")
    expect(plain.turns.last).to_contain_text("Message 1: hello")
    expect(reader.page.get_by_text("needs JavaScript")).to_be_visible()


def test_on_paper_there_is_the_conversation_only(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("hello")
    chat.ended()
    visitor.page.emulate_media(media="print")
    expect(chat.turns.last.get_by_text("Message 1: hello")).to_be_visible()
    expect(chat.composer).to_be_hidden()
    expect(visitor.page.get_by_role("navigation")).to_be_hidden()


def test_on_paper_it_is_light(visitor: Visitor) -> None:
    """Printers have no dark paper."""
    visitor.open("parlour")
    visitor.page.get_by_role("button", name="Theme").click(click_count=2)
    visitor.page.emulate_media(media="print", color_scheme="dark")
    assert visitor.page.evaluate("getComputedStyle(document.body).color") == "rgb(33, 31, 27)"


# --- long messages

LOG = "\n".join(f"line {number}" for number in range(60))


def test_a_long_message_is_folded(visitor: Visitor) -> None:
    """What is folded is still there for who copies, and for the search of the browser."""
    chat = visitor.open("parlour").say(LOG)
    chat.ended()
    bubble, more = chat.turns.last.locator(".bubble"), chat.page.get_by_role("button", name="Show more")
    expect(more).to_have_attribute("aria-expanded", "false")
    whole = bubble.evaluate("each => (getSelection().selectAllChildren(each), getSelection().toString())")
    assert whole.endswith("line 59")
    folded = height(bubble)
    more.click()
    less = chat.page.get_by_role("button", name="Show less")
    expect(less).to_have_attribute("aria-expanded", "true")
    assert height(bubble) > 3 * folded
    less.click()
    assert height(bubble) == folded
    chat.page.reload()
    expect(more).to_be_visible()
    assert height(bubble) == folded
    bubble.evaluate("each => each.scrollTo(0, 99)")  # as the search does with what it finds
    expect(less).to_be_visible()


def test_a_message_of_a_few_lines_is_not_folded(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("\n".join("short"))
    chat.ended()
    expect(chat.page.get_by_role("button", name="Show more")).to_have_count(0)


def test_unfolding_moves_nothing_while_an_answer_comes(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say(LOG)
    chat.ended()
    chat.say("count 100")
    expect(chat.turns.last).to_contain_text("1 2 3")
    bubble = chat.turns.first.locator(".bubble")
    chat.page.get_by_role("button", name="Show more").scroll_into_view_if_needed()
    before = top(bubble)
    chat.page.get_by_role("button", name="Show more").click()
    assert top(bubble) == before
    chat.ended()
    assert top(bubble) == before


def height(element: Locator) -> float:
    """Of what is seen of it, in pixels."""
    return float(element.evaluate("each => each.getBoundingClientRect().height"))


def left(element: Locator) -> float:
    """Where it begins on the screen, in pixels."""
    return float(element.evaluate("each => each.getBoundingClientRect().left"))


def top(element: Locator) -> float:
    """Where it begins on the screen, in pixels."""
    return float(element.evaluate("each => each.getBoundingClientRect().top"))
