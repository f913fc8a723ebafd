"""A secret that changes: apps that name it restart between two messages, or wait for their next deploy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import cpsl
from cpsl.wire.apps import DeployDone, DeployLog
from tests.support.gateway import GatewayProcess
from tests.support.projects import archive

SOURCE = """
import asyncio, os
import cpsl

app = cpsl.App(name="NAME", secrets=["ROTATED"])
other = cpsl.Secret.from_name("REFERENCED")


@app.message()
async def handle(session, msg):
    await session.reply(os.environ.get("ROTATED", "nothing"))
    await asyncio.sleep(float(msg.text))
    await session.reply(os.environ.get("ROTATED", "nothing"))
"""


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[cpsl.Client]:
    """A client with a fresh app ``rotating`` whose secret has the value ``first``."""
    with gateway.client() as client:
        client.secrets.create({"ROTATED": "first-value", "REFERENCED": "reference"}, overwrite=True)
        deploy(client)
        yield client
        client.apps.delete("rotating")


def deploy(client: cpsl.Client, name: str = "rotating") -> None:
    list(client.deploys.create(archive({"app.py": SOURCE.replace("NAME", name)}), "app.py:app"))


def value(client: cpsl.Client, app: str = "rotating") -> str:
    return client.chat(app, "0").text.partition("\n")[0]


def test_the_next_message_finds_the_new_value(client: cpsl.Client) -> None:
    assert value(client) == "first-value"
    stored = client.secrets.create({"ROTATED": "second-value"}, overwrite=True)
    assert stored.restarted == ["rotating"]
    assert [secret.used_by for secret in stored.secrets] == [["rotating"]]
    assert value(client) == "second-value"


def test_a_turn_in_flight_ends_with_the_value_it_began_with(client: cpsl.Client, gateway: GatewayProcess) -> None:
    texts: list[str] = []

    def slow() -> None:
        with gateway.client() as other:
            texts.append(other.chat("rotating", "1").text)

    with gateway.client() as other:
        turn = other.stream("rotating", "1")
        while next(turn).text != "first-value":
            pass
        client.secrets.create({"ROTATED": "second-value"}, overwrite=True)
        assert value(client) == "second-value"
        assert "first-value" in "".join(chunk.text for chunk in turn)
    thread = threading.Thread(target=slow)
    thread.start()
    thread.join()
    assert texts == ["second-value\n\nsecond-value"]


def test_the_same_value_restarts_nothing_and_references_count(client: cpsl.Client) -> None:
    assert client.secrets.create({"ROTATED": "first-value"}, overwrite=True).restarted == []
    assert client.secrets.create({"REFERENCED": "another"}, overwrite=True).restarted == ["rotating"]
    assert client.secrets.create({"UNUSED_ONE": "x"}, overwrite=True).restarted == []


def test_a_deleted_secret_is_gone_from_the_next_message_on(client: cpsl.Client) -> None:
    assert value(client) == "first-value"
    assert client.secrets.delete("ROTATED").restarted == ["rotating"]
    assert value(client) == "nothing"


def test_the_log_says_why(client: cpsl.Client) -> None:
    client.secrets.create({"ROTATED": "second-value"}, overwrite=True)
    value(client)
    assert "Restarting: ROTATED changed" in [line.message for line in client.apps.logs("rotating")]


def test_a_staged_value_waits_for_the_next_deploy(client: cpsl.Client, gateway: GatewayProcess) -> None:
    deploy(client, "rotating-too")
    try:
        stored = client.secrets.create({"ROTATED": "staged-value"}, overwrite=True, stage=True)
        assert stored.restarted == []
        assert stored.secrets[0].staged_at
        client.secrets.create({"REFERENCED": "restarts all"}, overwrite=True)  # a fresh runtime has the old value too
        assert value(client) == "first-value"
        deploy(client)
        assert value(client) == "staged-value"
        assert value(client, "rotating-too") == "first-value"
        client.secrets.create({"ROTATED": "staged-again"}, overwrite=True, stage=True)
        client.secrets.create({"REFERENCED": "restarts all again"}, overwrite=True)
        assert value(client) == "staged-value"
        restarted = client.secrets.create({"ROTATED": "staged-again"}, overwrite=True).restarted
        assert restarted == ["rotating", "rotating-too"]  # staged no longer: it counts for all
        assert value(client) == value(client, "rotating-too") == "staged-again"
    finally:
        client.apps.delete("rotating-too")


def test_other_workspaces_do_not_notice(client: cpsl.Client, gateway: GatewayProcess) -> None:
    with gateway.client(gateway.member("rotate@example.com", "rotating")) as other:
        assert other.secrets.create({"ROTATED": "theirs"}).restarted == []
    assert value(client) == "first-value"


def test_a_secret_that_changes_while_an_app_is_deployed_is_not_missed(
    client: cpsl.Client, gateway: GatewayProcess
) -> None:
    slow = "import time\nprint('importing')\ntime.sleep(1)\n" + SOURCE.replace("NAME", "rotating")
    with gateway.client() as other:
        events = other.deploys.create(archive({"app.py": slow}), "app.py:app", secrets=["ROTATED"])
        while not isinstance(next(events), DeployLog):
            pass
        client.secrets.create({"ROTATED": "changed meanwhile"}, overwrite=True)
        assert isinstance(list(events)[-1], DeployDone)
    assert value(client) == "changed meanwhile"
