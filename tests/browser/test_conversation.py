"""Writing, reading, stopping, asking again."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.chat import wait_until
from tests.browser.conftest import Gate
from tests.browser.visitor import Visitor
from tests.support.gateway import GatewayProcess

CODE = "```python\nprint('hello')\n```"


def test_a_message_and_its_answer(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("hello")
    assert chat.answer() == "Message 1: hello"
    assert chat.say("again").answer() == "Message 2: again"
    expect(chat.turns).to_have_count(2)
    expect(chat.composer).to_have_value("")


def test_markdown_is_shown_as_such(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say(
        f"show # Heading\n\nSome *text*.\n\n- one\n- two\n\n{CODE}\n\n|a|b|\n|-|-|\n|1|2|"
    )
    turn = chat.ended()
    expect(turn.get_by_role("heading", name="Heading")).to_be_visible()
    expect(turn.get_by_role("listitem")).to_have_text(["one", "two"])
    expect(turn.get_by_role("cell")).to_have_text(["1", "2"])
    expect(turn.locator("pre")).to_contain_text("print('hello')")
    assert turn.locator("pre span").count(), "it is not highlighted"


def test_code_can_be_copied(visitor: Visitor) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat = visitor.open("parlour").say(f"show {CODE}")
    chat.ended().get_by_role("figure").get_by_role("button", name="Copy").click()
    wait_until(lambda: visitor.page.evaluate("navigator.clipboard.readText()") == "print('hello')\n", visitor.page)


def test_an_open_fence_is_shown_as_code_while_it_comes(visitor: Visitor, gate: Gate) -> None:
    """A marker at the very end, of which nobody knows yet what it opens, is not shown."""
    chat = visitor.open("parlour").say("type ```python\nprint(1)\n``` and then")
    expect(chat.turns.last.locator("pre")).to_contain_text("print(1)")


def test_a_selection_in_finished_text_survives_what_comes_after(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    first = chat.turns.last.get_by_text("First paragraph, finished.")
    first.select_text()
    gate.open()
    chat.ended()
    assert visitor.page.evaluate("getSelection().toString()").strip() == "First paragraph, finished."


def test_stop_keeps_what_came(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    chat.stop()
    stopped = chat.ended("stopped")
    expect(stopped).to_contain_text("First paragraph, finished.")
    expect(stopped).to_contain_text(re.compile("stopped", re.I))
    expect(visitor.page.get_by_role("button", name="Stop")).to_be_hidden()
    assert chat.say("hello").answer() == "Message 1: hello"


def test_stop_works_after_a_reload_and_from_another_tab(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    other = visitor.open_tab("parlour", f"/c/{chat.session_id}")
    other.page.reload()
    other.stop()
    other.ended("stopped")
    chat.ended("stopped")


def test_a_failure_says_so_and_can_be_tried_again(visitor: Visitor) -> None:
    """With the id to name when one asks for help; what had come before stays."""
    chat = visitor.open("parlour").say("fail")
    failed = chat.ended("failed")
    expect(failed).to_contain_text("so far")
    expect(failed).to_contain_text(re.compile(r"trn_\w+"))
    chat.retry()
    expect(chat.turns).to_have_count(2)
    chat.ended("failed")


def test_news_of_the_work_are_shown_until_it_is_done(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"news {gate.name}")
    expect(visitor.page.get_by_text("looking it up")).to_be_visible()
    gate.open()
    assert chat.answer() == "found"


def test_a_message_can_be_written_while_an_answer_comes(visitor: Visitor, gate: Gate) -> None:
    """It waits its turn."""
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    chat.say("hello")
    gate.open()
    assert chat.answer() == "Message 1: hello"
    assert "The end." in chat.answer(0)


def test_files_go_with_a_message(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    with visitor.page.expect_file_chooser() as chooser:
        visitor.page.get_by_role("button", name=re.compile("attach", re.I)).click()
    files = [{"name": f"{name}.txt", "mimeType": "text/plain", "buffer": name.encode()} for name in ("one", "three")]
    chooser.value.set_files(files)  # type: ignore[arg-type]
    for name in ("one.txt", "three.txt"):
        expect(visitor.page.get_by_text(name).first).to_be_visible()
    assert chat.say("files").answer() == "one.txt 3, three.txt 5"


def test_two_files_of_one_name_are_two(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    with visitor.page.expect_file_chooser() as chooser:
        visitor.page.get_by_role("button", name=re.compile("attach", re.I)).click()
    files = [{"name": "a.txt", "mimeType": "text/plain", "buffer": each} for each in (b"1", b"22")]
    chooser.value.set_files(files)  # type: ignore[arg-type]
    assert sorted(chat.say("files").answer().split(", ")) == ["a.txt 1", "a.txt 2"]


def test_at_the_name_of_the_app_as_a_host(visitor: Visitor, house: GatewayProcess) -> None:
    visitor.page.goto(f"http://parlour.localhost:{house.port}/")
    visitor.origin = f"http://parlour.localhost:{house.port}"
    chat = visitor.open("parlour")
    chat.base = ""
    visitor.page.goto(f"{visitor.origin}/")
    assert chat.say("hello").answer() == "Message 1: hello"
    assert "/c/" in visitor.page.url
