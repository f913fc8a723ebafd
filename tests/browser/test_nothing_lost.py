"""Reload, closed tabs, no network, a gateway that restarts, two tabs: nothing is lost and nothing comes twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat
from tests.browser.conftest import Gate, deploy_parlour
from tests.browser.visitor import Visitor
from tests.support.gateway import GatewayProcess
from tests.support.proxy import CuttingProxy, cutting_proxy

HELD = ["First paragraph, finished.", "Second paragraph, finished, too.", "The end."]
COUNTED = " ".join(map(str, range(1, 301)))


class Road:
    """Somebody on the way: the line to the gateway can be lost, and what is open on it is cut."""

    def __init__(self, visitor: Visitor, proxy: CuttingProxy) -> None:
        self.visitor = visitor
        self.proxy = proxy

    def lose(self) -> None:
        """No network from now on. Chromium alone would keep what is open."""
        self.visitor.context.set_offline(True)
        self.proxy.hang_up()

    def find(self) -> None:
        """The network is there again."""
        self.visitor.context.set_offline(False)


@pytest.fixture
def road(come: Callable[..., Visitor], house: GatewayProcess) -> Iterator[Road]:
    """A visitor whose network comes and goes."""
    with cutting_proxy(house.url, []) as proxy:
        yield Road(come(proxy.url), proxy)


def begin(visitor: Visitor, gate: Gate) -> Chat:
    """A conversation whose answer has begun and waits for the gate."""
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    return chat


def check_whole(chat: Chat, turns: int = 1) -> None:
    """All of the answer is there, once."""
    assert [line for line in chat.answer().splitlines() if line] == HELD
    expect(chat.turns).to_have_count(turns)


def stored_texts(chat: Chat) -> list[str]:
    """What the server keeps of the conversation, as the page itself may ask."""
    found = chat.page.request.get(f"/api/v1/app/{chat.app}/sessions/{chat.session_id}")
    return [each["text"] for each in found.json()["messages"]]


# --- during a stream


def test_reload_during_a_stream(visitor: Visitor, gate: Gate) -> None:
    chat = begin(visitor, gate)
    chat.page.reload()
    expect(chat.turns.last).to_contain_text("Second")
    gate.open()
    check_whole(chat)


def test_a_tab_closed_during_a_stream(visitor: Visitor, gate: Gate) -> None:
    chat = begin(visitor, gate)
    where = chat.session_id
    chat.page.close()
    gate.open()
    check_whole(visitor.open_tab("parlour", f"/c/{where}"))


def test_two_tabs_during_a_stream(visitor: Visitor, gate: Gate) -> None:
    chat = begin(visitor, gate)
    other = visitor.open_tab("parlour", f"/c/{chat.session_id}")
    expect(other.turns.last).to_contain_text("Second")
    gate.open()
    check_whole(chat)
    check_whole(other)


def test_no_network_during_a_stream(road: Road, gate: Gate) -> None:
    chat = begin(road.visitor, gate)
    road.lose()
    expect(chat.page.get_by_text(re.compile("offline", re.I))).to_be_visible()
    gate.open()
    road.find()
    check_whole(chat)
    expect(chat.page.get_by_text(re.compile("offline", re.I))).to_be_hidden()


def test_connections_cut_during_a_stream(road: Road) -> None:
    """A proxy hangs up again and again in the middle of the answer; no event of the browser tells of it."""
    chat = road.visitor.open("parlour").say("count 300")
    for _ in range(3):
        chat.page.wait_for_timeout(300)
        road.proxy.hang_up()
    assert chat.answer() == COUNTED


def test_a_message_written_without_network_is_sent_once(road: Road) -> None:
    chat = road.visitor.open("parlour").say("one")
    chat.ended()
    road.lose()
    chat.say("two")
    chat.page.wait_for_timeout(300)
    road.find()
    assert chat.answer() == "Message 2: two"
    assert stored_texts(chat) == ["one", "Message 1: one", "two", "Message 2: two"]


def test_a_message_written_without_network_outlives_a_reload(road: Road) -> None:
    chat = road.visitor.open("parlour").say("one")
    chat.ended()
    where = chat.session_id
    road.lose()
    chat.say("two")
    chat.page.close()
    road.find()
    again = road.visitor.open_tab("parlour", f"/c/{where}")
    expect(again.turns).to_have_count(2)
    assert again.answer() == "Message 2: two"
    assert stored_texts(again) == ["one", "Message 1: one", "two", "Message 2: two"]


def test_a_draft_outlives_a_reload(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    chat.composer.fill("half a thou")
    chat.page.reload()
    expect(chat.composer).to_have_value("half a thou")


# --- during a prompt


def test_reload_during_a_prompt(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("box")
    chat.card()
    chat.page.reload()
    chat.card().fill(user="me", password="secret").send()
    assert chat.answer().splitlines()[-1] == "Thanks for password, user."
    expect(chat.turns.last.get_by_text("I need something.")).to_have_count(1)


def test_two_tabs_during_a_prompt(visitor: Visitor) -> None:
    """It is answered once: the other tab sees that, and what it sends too late is refused without harm."""
    chat = visitor.open("parlour").say("box")
    other = visitor.open_tab("parlour", f"/c/{chat.session_id}")
    other.card().fill(user="other")
    chat.card().fill(user="me", password="secret").send()
    other.card().expect_closed("connected|answered|done")
    assert chat.answer() == other.answer()
    expect(other.turns.last.get_by_text("Thanks for")).to_have_count(1)


def test_no_network_during_a_prompt(road: Road) -> None:
    chat = road.visitor.open("parlour").say("box")
    card = chat.card().fill(user="me", password="secret")
    road.lose()
    card.send()
    chat.page.wait_for_timeout(300)
    road.find()
    if card.element.get_by_role("button").count():
        card.send()
    assert chat.answer().splitlines()[-1] == "Thanks for password, user."


# --- during an upload


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that takes a while."""
    path = tmp_path / "large.csv"
    path.write_bytes(b"0123456789abcde\n" * (1 << 21))
    return path


def test_reload_during_an_upload(visitor: Visitor, large: Path) -> None:
    chat = visitor.open("parlour").say("file")
    slow_down(chat)
    chat.card().choose(large)
    expect(chat.card().element.get_by_role("progressbar")).to_be_visible()
    chat.page.reload()
    chat.card().choose({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n"})
    assert chat.answer() == "a.csv: 4 bytes"


def test_no_network_during_an_upload(road: Road, large: Path) -> None:
    chat = road.visitor.open("parlour").say("file")
    slow_down(chat)
    chat.card().choose(large)
    expect(chat.card().element.get_by_role("progressbar")).to_be_visible()
    road.lose()
    expect(chat.card().element.get_by_role("alert")).to_be_visible()
    road.find()
    chat.card().choose({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n"})
    assert chat.answer() == "a.csv: 4 bytes"


def test_two_tabs_during_an_upload(visitor: Visitor, large: Path) -> None:
    chat = visitor.open("parlour").say("file")
    other = visitor.open_tab("parlour", f"/c/{chat.session_id}")
    other.card()
    chat.card().choose(large)
    assert chat.answer() == other.answer() == f"large.csv: {large.stat().st_size} bytes"
    other.card().expect_closed("uploaded|received|done")


def slow_down(chat: Chat) -> None:
    """Give the tab a thin line up."""
    devtools = chat.page.context.new_cdp_session(chat.page)
    devtools.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000}
    devtools.send("Network.emulateNetworkConditions", line)


# --- a gateway that restarts


def test_a_gateway_that_restarts(come: Callable[..., Visitor], own_gateway: GatewayProcess) -> None:
    """An answer that came: what was said stays, the page tells what happened, and one may ask again. A card that
    waited still waits. A message that was sent meanwhile arrives.
    """
    deploy_parlour(own_gateway)
    gate, visitor = Gate(own_gateway), come(own_gateway.url)
    streaming, asking, idle = begin(visitor, gate), visitor.open_tab("parlour"), visitor.open_tab("parlour")
    asking.say("box").card().fill(user="me")
    idle.say("one").ended()
    own_gateway.kill()
    idle.say("two")
    own_gateway.start()
    failed = streaming.ended("failed")
    expect(failed).to_contain_text(HELD[0])
    gate.open()
    streaming.retry()
    check_whole(streaming, turns=2)
    asking.card().fill(user="me", password="secret").send()
    assert asking.answer().splitlines()[-1] == "Thanks for password, user."
    expect(asking.turns.last.get_by_text("I need something.")).to_have_count(1)
    assert idle.answer() == "Message 2: two"
    assert stored_texts(idle) == ["one", "Message 1: one", "two", "Message 2: two"]
