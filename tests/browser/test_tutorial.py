"""The tutorial's app (seed 003), unchanged, from the first visit to each of its phrases; then from another browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.chat import Chat, drop, paste
from tests.browser.visitor import Visitor
from tests.support.gateway import GatewayProcess
from tests.support.mail import PostOffice, link_in

CSV = {"name": "numbers.csv", "type": "text/csv", "text": "a,b\n1,2\n"}
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


def authorize(window: Page, name: str) -> None:
    """Say yes at the provider, as its user of this name. The window, which went there by itself, closes."""
    window.get_by_placeholder("sub").fill(name)
    with window.expect_event("close"):
        window.get_by_role("button", name="Authorize", exact=True).click()


def connect_github(chat: Chat) -> None:
    chat.say("connect github")
    authorize(chat.card().connect(), "octocat")
    assert "repo" in chat.answer()
    assert "read:user" in chat.answer()


def connect_aws(chat: Chat) -> None:
    chat.say("connect aws")
    chat.card().fill(Access_key_ID="AKIA1", Secret_access_key="very secret", Region="eu-west-1").send()
    assert chat.answer() == "Connected aws for region eu-west-1"


def upload(chat: Chat, give: Callable[[Chat], None], name: str) -> None:
    chat.say("upload csv")
    chat.card()
    give(chat)
    assert chat.answer() == f"Uploaded {name} to /data/uploads/{name}"


def by_button(chat: Chat) -> None:
    chat.card().choose({"name": "button.csv", "mimeType": "text/csv", "buffer": b"a,b\n"})


def by_drag(chat: Chat) -> None:
    drop(chat.card().element, [CSV | {"name": "drag.csv"}])


def by_paste(chat: Chat) -> None:
    paste(chat.card().element, [CSV | {"name": "paste.csv"}])


def test_from_sign_up_to_the_last_phrase(
    tutorial: GatewayProcess, post: PostOffice, come: Callable[..., Visitor]
) -> None:
    visitor = come()
    chat = visitor.open("integrations-demo").say("hello")
    assert chat.answer().startswith("Try: connect github")
    chat.sign_up(EMAIL, PASSWORD)
    visitor.page.goto(link_in(post.wait_for(EMAIL)))
    visitor.page.get_by_role("button", name="confirm").click()
    expect(visitor.page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    chat.open()
    connect_github(chat)
    connect_aws(chat)
    chat.say("hint github").ended()
    assert chat.answer() == "Rendered a non-blocking integration card."
    upload(chat, by_button, "button.csv")
    upload(chat, by_drag, "drag.csv")
    upload(chat, by_paste, "paste.csv")
    assert chat.say("write report").answer() == "Wrote /data/reports/summary.txt"
    where = chat.session_id
    check_everything_is_there(come, where)
    assert "very secret" not in tutorial.log()


def check_everything_is_there(come: Callable[..., Visitor], where: str) -> None:
    """Another browser: the same conversations, and nothing that has to be connected again."""
    other = come().open("integrations-demo").sign_in(EMAIL, PASSWORD)
    other.open(f"/c/{where}")
    expect(other.turns.last).to_contain_text("Wrote /data/reports/summary.txt")
    assert "repo" in other.say("connect github").answer()
    other.say("connect aws")
    assert other.answer() == "Connected aws for region eu-west-1"
    other.open("/connections")
    expect(other.page.get_by_text("octocat")).to_be_visible()
