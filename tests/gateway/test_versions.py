"""Versions of an app: listed, gone back to, and kept for a while."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import cpsl
from tests.support.gateway import GatewayProcess, running_gateway
from tests.support.processes import eventually
from tests.support.projects import Files, answering, ask, succeeded


def numbers(client: cpsl.Client, app: str) -> list[tuple[int, str]]:
    return [(version.version, version.state) for version in client.apps.versions(app)]


def refused(attempt: Callable[[], object]) -> str:
    with pytest.raises(cpsl.CapsuleError) as caught:
        attempt()
    assert "capsule app versions" in (caught.value.hint or "")
    return caught.value.code


def test_going_back_and_forth(gateway: GatewayProcess) -> None:
    for answer in ("one", "two", "three"):
        succeeded(gateway, answering("pendulum", answer))
    with gateway.client() as client:
        done = client.apps.rollback("pendulum")
        assert (done.version, done.previous, done.url) == (2, 3, f"{gateway.url}/a/pendulum")
        assert ask(gateway, "pendulum") == "two"
        assert numbers(client, "pendulum") == [(3, "retired"), (2, "live"), (1, "retired")]
        assert client.apps.rollback("pendulum", 1).previous == 2
        assert ask(gateway, "pendulum") == "one"
        assert client.apps.rollback("pendulum").version == 2  # what was live before
        assert ask(gateway, "pendulum") == "two"
        assert succeeded(gateway, answering("pendulum", "four")).version == 4
        assert client.apps.rollback("pendulum").version == 2
        client.chat("pendulum", "hi")
        assert eventually(
            lambda: "Live again, instead of v4" in [line.message for line in client.apps.logs("pendulum")]
        )


def test_versions_tell_what_they_are(gateway: GatewayProcess) -> None:
    source = answering("imaged")["app.py"].replace(
        'name="imaged"', 'name="imaged", image=cpsl.Image(commands=["true"])'
    )
    succeeded(gateway, {"app.py": source})
    with gateway.client() as client:
        [version] = client.apps.versions("imaged")
    assert (version.app, version.version, version.state, version.entry) == ("imaged", 1, "live", "app.py:app")
    assert version.image.commands == ["true"]
    assert abs(version.created_at - time.time()) < 60


def test_what_cannot_be_gone_back_to(gateway: GatewayProcess) -> None:
    succeeded(gateway, answering("stuck", "one"))
    with gateway.client() as client:
        assert refused(lambda: client.apps.rollback("stuck")) == "no_earlier_version"
        assert refused(lambda: client.apps.rollback("stuck", 1)) == "already_live"
        assert refused(lambda: client.apps.rollback("stuck", 2)) == "version_not_found"
        assert refused(lambda: client.apps.rollback("stuck", 0)) == "version_not_found"
        with pytest.raises(cpsl.NotFound):
            client.apps.rollback("nobodys")
    with gateway.client(gateway.member("back@example.com", "backwards")) as other, pytest.raises(cpsl.NotFound):
        other.apps.rollback("stuck", 1)
    with gateway.http() as http:
        assert http.post("/apps/stuck/rollback", json={"version": "one"}).status_code == 422
    assert ask(gateway, "stuck") == "one"


def test_a_version_that_does_not_come_up_any_more_stays_retired(gateway: GatewayProcess) -> None:
    once = "import os\nassert not os.environ.get('BROKEN_SWITCH') == 'on', 'switched off'\n"
    source = answering("fragile", "one", once)["app.py"].replace(
        'name="fragile"', 'name="fragile", secrets=["BROKEN_SWITCH"]'
    )
    with gateway.client() as client:
        client.secrets.create({"BROKEN_SWITCH": "off"}, overwrite=True)
        succeeded(gateway, {"app.py": source})
        succeeded(gateway, answering("fragile", "two"))
        client.secrets.create({"BROKEN_SWITCH": "on"}, overwrite=True)
        with pytest.raises(cpsl.DeployFailed) as caught:
            client.apps.rollback("fragile")
        assert "switched off" in caught.value.message
        assert caught.value.hint == "The whole of it: capsule logs fragile --version v1"
        assert numbers(client, "fragile") == [(2, "live"), (1, "retired")]
        client.secrets.delete("BROKEN_SWITCH")
        with pytest.raises(cpsl.NotFound) as missing:
            client.apps.rollback("fragile")
        assert missing.value.code == "missing_resources"
        assert missing.value.hint == "Create it:\n  capsule secret create BROKEN_SWITCH"
    assert ask(gateway, "fragile") == "two"


def test_a_turn_in_flight_ends_in_the_version_it_began_in(gateway: GatewayProcess) -> None:
    slow = answering("flowing", "two ends")["app.py"].replace(
        '    await session.reply("two ends")',
        '    import asyncio\n    await session.reply("two begins")\n    await asyncio.sleep(1.5)\n'
        '    await session.reply("two ends")',
    )
    succeeded(gateway, answering("flowing", "one"))
    succeeded(gateway, {"app.py": slow})
    with gateway.client() as client, gateway.client() as other:
        turn = client.stream("flowing", "hi")
        while next(turn).text != "two begins":
            pass
        assert other.apps.rollback("flowing").version == 1
        assert ask(gateway, "flowing") == "one"
        assert "two ends" in "".join(chunk.text for chunk in turn)


def test_two_rollbacks_at_once_are_one(gateway: GatewayProcess) -> None:
    for answer in ("one", "two", "three"):
        succeeded(gateway, answering("contested", answer))
    codes: list[str] = []

    def back(number: int) -> None:
        with gateway.client() as client:
            try:
                client.apps.rollback("contested", number)
                codes.append("done")
            except cpsl.Conflict as error:
                codes.append(error.code)

    threads = [threading.Thread(target=back, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "done" in codes
    with gateway.client() as client:
        assert [state for _, state in numbers(client, "contested")].count("live") == 1


def kept(gateway: GatewayProcess) -> int:
    return len(os.listdir(gateway.data_dir / "versions"))


GATED = """
import asyncio
import cpsl

app = cpsl.App(name="pruned")
gate = app.collection("gate")


@app.message()
async def handle(session, msg):
    if msg.text == "open":
        await gate.insert_one({})
    while not await gate.count():
        await asyncio.sleep(0.05)
    import late

    await session.reply(late.WORD)
"""


def gated(word: str) -> Files:
    """An app whose handler waits until one is told to open the gate, and only then imports the rest of its code."""
    return {"app.py": GATED, "late.py": f"WORD = {word!r}"}


def test_old_versions_go_with_their_code_when_nothing_runs_in_them(tmp_path: Path) -> None:
    with (
        running_gateway(tmp_path, CAPSULE_KEEP_VERSIONS="2") as gateway,
        gateway.client() as client,
        gateway.client() as other,
    ):

        def kept_are(*wanted: int) -> bool:
            return tuple(number for number, _ in numbers(client, "pruned")) == wanted

        succeeded(gateway, gated("one"))
        turn = other.stream("pruned", "hi")
        next(turn)
        for word in ("two", "three", "four", "five"):
            succeeded(gateway, gated(word))
        assert eventually(lambda: kept_are(5, 4, 1), 20)
        assert kept(gateway) == 3
        assert client.chat("pruned", "open").text == "five"
        assert "one" in "".join(chunk.text for chunk in turn)
        assert eventually(lambda: kept_are(5, 4), 20)
        assert eventually(lambda: kept(gateway) == 2)
        assert refused(lambda: client.apps.rollback("pruned", 1)) == "version_not_found"
        client.apps.rollback("pruned")
        assert numbers(client, "pruned") == [(5, "retired"), (4, "live")]
        assert ask(gateway, "pruned") == "four"
