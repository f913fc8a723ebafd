"""The answer to a request is lost on its way, and the client asks again: it is done once, and answered as if once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import cpsl
from cpsl.gateway.http import repeats
from tests.support.gateway import GatewayProcess
from tests.support.projects import answering, succeeded
from tests.support.proxy import cutting_proxy

Do = Callable[[cpsl.Client], Any]


def through_a_cut(gateway: GatewayProcess, do: Do) -> Any:
    """What a client gets for ``do`` when the first answer of the gateway never arrives."""
    with cutting_proxy(gateway.url, [0]) as proxy, gateway.client(url=proxy.url) as client:
        found = do(client)
    assert proxy.cuts == 1
    return found


@pytest.mark.parametrize(
    ("do", "there"),
    [
        (
            lambda client: client.tokens.create("lost").token.name,
            lambda client: [each.name for each in client.tokens.list() if each.name == "lost"],
        ),
        (
            lambda client: client.secrets.create({"LOST_KEY": "first value"}).secrets[0].name,
            lambda client: [each.name for each in client.secrets.list() if each.name == "LOST_KEY"],
        ),
        (
            lambda client: client.filesystems.create("lost").name,
            lambda client: [each.name for each in client.filesystems.list() if each.name == "lost"],
        ),
        (
            lambda client: client.channels.create("lost", "telegram", {"bot_token": "1:a"}).name,
            lambda client: [each.name for each in client.channels.list() if each.name == "lost"],
        ),
    ],
    ids=["token", "secret", "filesystem", "channel"],
)
def test_what_is_created_is_created_once(gateway: GatewayProcess, do: Do, there: Do) -> None:
    name = through_a_cut(gateway, do)
    with gateway.client() as client:
        assert there(client) == [name]


def test_a_token_that_was_asked_for_twice_works(gateway: GatewayProcess) -> None:
    made = through_a_cut(gateway, lambda client: client.tokens.create("works"))
    with gateway.client(made.access_token) as client:
        assert client.me().token.name == "works"


def test_a_file_is_stored_and_moved_once(gateway: GatewayProcess) -> None:
    with gateway.client() as client:
        client.filesystems.create("moving")
        assert through_a_cut(gateway, lambda c: c.filesystems.upload("moving", "/a", b"one")).size == 3
        through_a_cut(gateway, lambda c: c.filesystems.move_file("moving", "/a", "/b"))
        assert [each.name for each in client.filesystems.entries("moving")] == ["b"]


def test_a_rollback_is_not_taken_back(gateway: GatewayProcess) -> None:
    for answer in ("one", "two", "three"):
        succeeded(gateway, answering("taken-back", answer))
    assert through_a_cut(gateway, lambda client: client.apps.rollback("taken-back")).version == 2
    with gateway.client() as client:
        assert client.apps.get("taken-back").live_version == 2


def test_what_is_there_already_is_still_said(gateway: GatewayProcess) -> None:
    with gateway.client() as client:
        client.filesystems.create("taken")
        with pytest.raises(cpsl.Conflict):
            client.filesystems.create("taken")
    with pytest.raises(cpsl.Conflict):
        through_a_cut(gateway, lambda client: client.filesystems.create("taken"))


@pytest.mark.parametrize("key", ["", "a" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(gateway: GatewayProcess, key: str) -> None:
    with gateway.http() as http:
        response = http.post("/fs", json={"name": "x"}, headers={"Idempotency-Key": key})
    assert response.status_code == 422


def test_a_key_is_for_one_request_of_one_account(gateway: GatewayProcess) -> None:
    headers = {"Idempotency-Key": "mine"}
    with gateway.http() as http, gateway.http(gateway.member("repeats@example.com")) as other:
        first = http.post("/tokens", json={"name": "a"}, headers=headers)
        assert http.post("/tokens", json={"name": "a"}, headers=headers).json() == first.json()
        reused = http.post("/tokens", json={"name": "b"}, headers=headers)
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
        theirs = other.post("/tokens", json={"name": "a"}, headers=headers).json()
        assert theirs["access_token"] != first.json()["access_token"]


def test_what_is_kept_is_bounded_in_time_and_number() -> None:
    now, done = [0.0], list[int]()
    kept = repeats.Repeats(lambda: now[0])

    async def make() -> int:
        done.append(len(done))
        return done[-1]

    async def ask(key: str) -> int:
        return await kept.once(repeats.Asked("acc", "POST", "/x?", key), b"", make)

    async def main() -> None:
        assert [await ask("k") for _ in range(3)] == [0, 0, 0]
        now[0] = repeats.KEPT_SECONDS + 1
        assert await ask("k") == 1
        for number in range(repeats.MOST_KEPT):
            await ask(str(number))
        assert await ask("k") == repeats.MOST_KEPT + 2

    asyncio.run(main())


def test_what_goes_on_is_waited_for_and_what_failed_is_tried_anew() -> None:
    kept, attempts = repeats.Repeats(), list[int]()

    async def make() -> int:
        attempts.append(1)
        await asyncio.sleep(0)
        if len(attempts) == 1:
            raise cpsl.Conflict("not yet")
        return len(attempts)

    async def ask() -> int:
        return await kept.once(repeats.Asked("acc", "POST", "/x?", "k"), b"", make)

    async def main() -> None:
        for told in await asyncio.gather(ask(), ask(), return_exceptions=True):
            assert isinstance(told, cpsl.Conflict)
        assert [*await asyncio.gather(ask(), ask())] == [2, 2]

    asyncio.run(main())
