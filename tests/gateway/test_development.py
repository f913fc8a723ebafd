"""What ``capsule serve`` deploys: an app beside the one that people use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import cpsl
from cpsl.wire.apps import DeployDone, Development
from cpsl.wire.names import check_app_name, dev_app_name
from tests.support.gateway import GatewayProcess
from tests.support.processes import eventually
from tests.support.projects import Files, answering, archive, ask, succeeded


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[cpsl.Client]:
    with gateway.client() as client:
        yield client


def serve(client: cpsl.Client, files: Files, development: Development = Development()) -> DeployDone:  # noqa: B008
    *_, last = client.deploys.create(archive(files), "app.py:app", development=development)
    assert isinstance(last, DeployDone)
    return last


def on_channel(name: str, channel: str) -> Files:
    source = answering(name)["app.py"]
    return {"app.py": source.replace(f'name="{name}"', f'name="{name}", channels=[cpsl.Channel("{channel}")]')}


def channels_of(gateway: GatewayProcess, channel: str) -> str:
    """Which apps hold a channel: whoever deletes it is told."""
    with gateway.client() as client, pytest.raises(cpsl.Conflict) as caught:
        client.channels.delete(channel)
    return caught.value.message


@pytest.mark.parametrize("length", [1, 10, 59, 60, 63])
def test_its_name_is_a_name(length: int) -> None:
    name = dev_app_name("a" * length)
    assert check_app_name(name).endswith("-dev")
    assert name != dev_app_name("a" * (length - 1) + "b")


def test_it_lives_beside_the_other_and_keeps_its_sessions(gateway: GatewayProcess, client: cpsl.Client) -> None:
    succeeded(gateway, answering("beside", "for people"))
    done = serve(client, answering("beside", "first try"))
    assert (done.app, done.url) == ("beside-dev", f"{gateway.url}/a/beside-dev")
    first = client.chat("beside-dev", "hi")
    assert first.text == "first try"
    assert serve(client, answering("beside", "second try")).version == 2
    again = client.chat("beside-dev", "hi", session_id=first.session_id)
    assert (again.text, again.session_id) == ("second try", first.session_id)
    assert ask(gateway, "beside") == "for people"


def test_old_versions_are_removed_at_once(own_gateway: GatewayProcess) -> None:
    with own_gateway.client() as client:
        for number in range(5):
            serve(client, answering("piling", f"try {number}"))
        assert eventually(lambda: [version.version for version in client.apps.versions("piling-dev")] == [5], 30)
        assert eventually(lambda: len(os.listdir(own_gateway.data_dir / "versions")) == 1)
        assert client.chat("piling-dev", "hi").text == "try 4"


def test_a_name_belongs_to_one_kind_of_app(gateway: GatewayProcess, client: cpsl.Client) -> None:
    succeeded(gateway, answering("kind-dev", "deployed"))
    with pytest.raises(cpsl.Conflict) as caught:
        serve(client, answering("kind"))
    assert caught.value.code == "name_taken"
    assert ask(gateway, "kind-dev") == "deployed"
    serve(client, answering("other-kind"))
    with pytest.raises(cpsl.Conflict) as refused:
        list(client.deploys.create(archive(answering("other-kind-dev")), "app.py:app"))
    assert refused.value.code == "name_taken"
    assert "capsule app delete other-kind-dev" in (refused.value.hint or "")


def test_channels_are_those_that_were_asked_for(gateway: GatewayProcess, client: cpsl.Client) -> None:
    for name in ("people-tg", "mine-tg"):
        client.channels.create(name, "telegram", {"bot_token": "1:a"})
    succeeded(gateway, on_channel("channelled", "people-tg"))
    serve(client, on_channel("channelled", "people-tg"), Development(["mine-tg"]))
    assert "channelled-dev" in channels_of(gateway, "mine-tg")
    assert "channelled-dev" not in channels_of(gateway, "people-tg")
    serve(client, on_channel("channelled", "people-tg"), Development(["mine-tg"]))  # its own, again
    for wanted, code in ((["people-tg"], "channel_in_use"), (["nobodys-tg"], "missing_resources")):
        with pytest.raises(cpsl.CapsuleError) as caught:
            serve(client, answering("channelled"), Development(wanted))
        assert caught.value.code == code
    serve(client, answering("channelled"), Development(["people-tg"], take_channels=True))
    assert "channelled-dev" in channels_of(gateway, "people-tg")
