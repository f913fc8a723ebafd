"""The examples in the docstrings of the client, against an app in memory."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import cpsl
from cpsl.client import client as clients
from cpsl.client import nouns
from cpsl.testing import Gateway
from cpsl.testing.gateway import TOKEN
from cpsl.testing.host import URL
from tests.support.gateway import GatewayProcess
from tests.support.projects import answering

app = cpsl.App("support")


@app.message()
async def handle(session: cpsl.Session, msg: cpsl.Message) -> str:
    if msg.attachments:
        return "\n".join([f"{each.name}: {(await each.read()).decode()}" for each in msg.attachments])
    return f"You said: {msg.text}"


@app.data("open")
def open_threads(queue: str) -> dict[str, Any]:
    return {"queue": queue, "open": 3}


EXAMPLES = [
    each for module in (clients, nouns) for each in doctest.DocTestFinder(recurse=True).find(module) if each.examples
]


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What the examples take as given."""
    if "deploy" in request.node.name.lower():
        yield request.getfixturevalue("machine")
        return
    with Gateway(app) as gateway, gateway.client() as client:
        given = {"token": TOKEN, "gateway_url": URL, "http": httpx.Client(transport=gateway.transport())}
        reply = client.chat("support", "Hello")
        yield {"client": client, "reply": reply, "cpsl": cpsl, "Client": cpsl.Client, **given}


@pytest.fixture
def machine(real_gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A real gateway, and the project ``hello`` in the working folder: what deploys needs both."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "app.py").write_text(answering("hello")["app.py"])
    monkeypatch.chdir(tmp_path)
    with real_gateway.client() as client:
        yield {"client": client}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_shows_what_it_says(example: doctest.DocTest, names: dict[str, Any]) -> None:
    example.globs = names
    told: list[str] = []
    assert doctest.DocTestRunner().run(example, out=told.append).failed == 0, "".join(told)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9
