"""Answers while they are written: what a page sees that watches, comes back, stops, or waits its turn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.web.browser import Browser
from tests.support.gateway import GatewayProcess

SOURCE = """
import asyncio
from pathlib import Path

import cpsl

app = cpsl.App(name="slow", image=cpsl.Image(), filesystems={"/gate": cpsl.FileSystem("gates-of-pages")})


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> None:
    await session.notify("Thinking", detail="hard")
    async with session.stream_reply() as out:
        out.write("Finished.\\n\\n```py\\nx = 1")
        while not Path("/gate", msg.text).exists():
            await asyncio.sleep(0.02)
        out.write("\\n```\\n\\nThe end.")
"""


@pytest.fixture(scope="module")
def slow(gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> GatewayProcess:
    """The shared gateway with an app that goes on when it may."""
    source = tmp_path_factory.mktemp("slow") / "app.py"
    source.write_text(SOURCE)
    with gateway.client() as client:
        client.filesystems.create("gates-of-pages")
    gateway.deploy(source)
    return gateway


@pytest.fixture
def browser(slow: GatewayProcess) -> Iterator[Browser]:
    with Browser(slow, "slow") as made:
        yield made


def let(gateway: GatewayProcess, name: str) -> None:
    with gateway.client() as client:
        client.filesystems.upload("gates-of-pages", f"/{name}", b"go")


def test_a_page_that_comes_back_gets_the_rest_and_nothing_twice(browser: Browser, slow: GatewayProcess) -> None:
    sent = browser.say("back")
    shown: dict[str, str] = {}
    last, kinds = "", []
    for number, kind, data in browser.follow(sent["request_id"]):
        last = number or last
        kinds.append(kind)
        if kind == "part":
            shown[data["id"]] = data["html"]
        if number and len(shown) == 2:
            break
    assert "news" in kinds
    first, open_part = shown
    assert "x = 1" in shown[open_part]
    assert "<span class=" not in shown[open_part]
    page = browser.open(f"/c/{sent['session_id']}").text
    assert 'data-state="answering"' in page
    assert shown[open_part] in page
    let(slow, "back")
    rest = [(kind, data) for _, kind, data in browser.follow(sent["request_id"], last=last)]
    again = {data["id"]: data["html"] for kind, data in rest if kind == "part"}
    assert first not in again
    assert '<span class="n">x</span>' in again[open_part]
    assert browser.transcript(sent["session_id"]) == shown | again


def test_stopping_keeps_what_was_said(browser: Browser) -> None:
    sent = browser.say("never")
    stream = browser.follow(sent["request_id"])
    next(data for _, kind, data in stream if kind == "part")
    assert browser.call("POST", f"/api/v1/turns/{sent['request_id']}/cancel").status_code == 200
    *_, last = stream
    assert (last[1], last[2]["state"]) == ("state", "stopped")
    page = browser.open(f"/c/{sent['session_id']}").text
    assert 'data-state="stopped"' in page
    assert "Finished." in page


def test_a_second_message_waits_and_says_so(browser: Browser, slow: GatewayProcess) -> None:
    first = browser.say("queue")
    second = browser.say("queue", first["session_id"])
    states = (data["state"] for _, kind, data in browser.follow(second["request_id"]) if kind == "state")
    assert "queued" in states
    page = browser.open(f"/c/{first['session_id']}").text
    assert [page.count(f'data-state="{state}"') for state in ("answering", "queued")] == [1, 1]
    let(slow, "queue")
    assert len(browser.answered(second["request_id"])) == 3


def test_an_answer_that_was_cut_off_says_so_after_a_restart(tmp_path: Path, own_gateway: GatewayProcess) -> None:
    source = tmp_path / "app.py"
    source.write_text(SOURCE)
    with own_gateway.client() as client:
        client.filesystems.create("gates-of-pages")
    own_gateway.deploy(source)
    with Browser(own_gateway, "slow") as browser:
        sent = browser.say("never")
        stream = browser.follow(sent["request_id"])
        next(data for _, kind, data in stream if kind == "part")
        began = time.monotonic()
        own_gateway.kill()
        own_gateway.start()
        browser.http.base_url = own_gateway.url
        *_, last = browser.follow(sent["request_id"])
        assert last[2]["state"] == "failed"
        assert time.monotonic() - began < 20
        page = browser.open(f"/c/{sent['session_id']}").text
        assert "Finished." in page
        assert 'data-part="error"' in page
