"""Conversations stand below the headings of their time, as it is where the visitor is.

The clock of a browser is never set back, so each of these visitors has one of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat
from tests.browser.test_conversations import converse, listed, menu
from tests.browser.visitor import Visitor


@pytest.fixture
def chat(come: Callable[..., Visitor]) -> Chat:
    """Three conversations, the last of them on the screen."""
    return converse(come())


def groups(chat: Chat) -> dict[str, list[str]]:
    """The titles in the list, by the headings above them."""
    lists = chat.page.get_by_role("navigation", name="Conversations").get_by_role("list").all()
    named = {str(each.evaluate("list => list.previousElementSibling.innerText")): each for each in lists}
    return {name: each.get_by_role("link").all_inner_texts() for name, each in named.items()}


@pytest.mark.parametrize(
    ("days", "heading"),
    [(0, "Today"), (1, "Yesterday"), (2, "Previous 7 days"), (7, "Previous 7 days"), (8, "Previous 30 days")],
)
def test_they_stand_below_their_time(chat: Chat, days: int, heading: str) -> None:
    menu(chat, "pears", "Pin")
    chat.page.clock.set_fixed_time(datetime.now() + timedelta(days=days))
    chat.page.reload()
    expect(chat.page.get_by_role("heading", name=heading)).to_be_visible()
    assert groups(chat) == {"Pinned": ["pears"], heading: ["plums", "apples"]}


def test_what_is_older_stands_below_its_month(chat: Chat) -> None:
    now = datetime.now()
    chat.page.clock.set_fixed_time(now.replace(year=now.year + 1, day=15))
    chat.page.reload()
    expect(chat.page.get_by_role("heading", name=f"{now:%B %Y}")).to_be_visible()


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Majuro"])
def test_a_day_is_one_of_where_the_visitor_is(come: Callable[..., Visitor], zone: str) -> None:
    """Twelve hours later it is another day in one of two zones that are twelve hours apart."""
    chat = come(timezone_id=zone).open("parlour").say("apples")
    chat.ended()
    began = datetime.now(ZoneInfo(zone))
    later = began + timedelta(hours=12)
    chat.page.clock.set_fixed_time(later)
    chat.page.reload()
    expect(
        chat.page.get_by_role("heading", name="Today" if began.date() == later.date() else "Yesterday")
    ).to_be_visible()


def test_pages_of_the_list_go_on_below_the_same_headings(chat: Chat) -> None:
    menu(chat, "pears", "Pin")
    expect(chat.page.get_by_role("heading", name="Pinned")).to_be_visible()
    chat.page.route("**/sessions?*", lambda route: route.continue_(url=route.request.url.replace("50", "2")))
    chat.page.get_by_role("searchbox").press_sequentially(" ")  # asks for the list
    expect(listed(chat)).to_have_count(2)
    chat.page.get_by_role("navigation", name="Conversations").dispatch_event("scroll")
    expect(listed(chat)).to_have_count(3)
    assert groups(chat) == {"Pinned": ["pears"], "Today": ["plums", "apples"]}
