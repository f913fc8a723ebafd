"""Apps under test without a server: the same client, the same handlers, the same errors."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cpsl
from cpsl.testing import Gateway

ROOT = Path(__file__).parents[2]


def shop() -> tuple[cpsl.App, list[str]]:
    """An app that does what the message says, and what its hooks did."""
    app = cpsl.App("shop", secrets=["SHOP_KEY"], filesystems={"/data": cpsl.FileSystem("disk")})
    app.add_integration("github", client_id=cpsl.Secret("GH_ID"), client_secret=cpsl.Secret("GH_SECRET"))
    app.add_integration("aws")
    notes = app.collection("notes")
    seen: list[str] = []

    @app.boot()
    async def boot() -> None:
        seen.append(f"boot {os.environ['SHOP_KEY']} {await notes.count()}")

    @app.shutdown()
    def shutdown() -> None:
        seen.append("shutdown")

    @app.enter()
    async def enter(session: cpsl.Session) -> None:
        seen.append("enter")

    @app.exit()
    async def leave(session: cpsl.Session) -> None:
        seen.append(f"exit {len(session.history)}")

    @app.message()
    async def handle(session: cpsl.Session, msg: cpsl.Message) -> str | None:
        return await said(session, msg)

    async def said(session: cpsl.Session, msg: cpsl.Message) -> str | None:
        match msg.text.split():
            case ["stream"]:
                async with session.stream_reply() as out:
                    for number in range(3):
                        out.write(f"{number} ")
                        await asyncio.sleep(0)
                return "second"
            case ["fail"]:
                raise ValueError("what only the developer may see")
            case ["sleep"]:
                await asyncio.sleep(60)
            case ["count"]:
                session.data["count"] = session.data.get("count", 0) + 1
                return f"{session.data['count']} after {len(session.history)}"
            case ["note", text]:
                await notes.insert_one({"text": text})
                return ",".join(each["text"] for each in await notes.find({"text": {"$ne": "x"}}, sort={"text": 1}))
            case ["secret"]:
                return cpsl.Secret.from_name("OTHER_KEY").value
            case ["connect", name]:
                given = await session.prompt_integration(name, reason="to see")
                return f"{given.access_token or given.fields}"
            case ["file"]:
                upload = await session.prompt_file(path="/data/in", timeout=5)
                return f"{upload.name} {(await upload.read()).decode()} {Path(str(upload.path)).parent.name}"
            case ["attached"]:
                return " ".join([f"{each.name}:{(await each.read()).decode()}" for each in msg.attachments])
        return f"You said: {msg.text}"

    @app.data("stock")
    def stock(ctx: cpsl.RequestContext, item: str) -> dict[str, Any]:
        return {"item": item, "who": ctx.user.email, "github": "github" in ctx.integrations}

    return app, seen


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    app, _ = shop()
    with Gateway(app, secrets={"SHOP_KEY": "s", "OTHER_KEY": "hidden"}) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> cpsl.Client:
    return gateway.client()


def test_a_whole_life() -> None:
    app, seen = shop()
    with Gateway(app, secrets={"SHOP_KEY": "s"}) as gateway:
        client = gateway.client()
        first = client.chat("shop", "count")
        assert client.chat("shop", "count", first.session_id).text == "2 after 2"
        client.sessions.delete("shop", first.session_id)
        with pytest.raises(cpsl.NotFound):
            client.sessions.get("shop", first.session_id)
    assert seen == ["boot s 0", "enter", "exit 4", "shutdown"]
    assert "SHOP_KEY" not in os.environ


def test_replies_streams_and_history(client: cpsl.Client) -> None:
    chunks = list(client.stream("shop", "stream"))
    assert [chunk.text for chunk in chunks if chunk.text] == ["0 ", "1 ", "2 ", "\n\n", "second"]
    assert chunks[-1].done
    response = client.chat("shop", "hi")
    assert (response.text, str(response)) == ("You said: hi",) * 2
    assert [each.text for each in client.sessions.messages("shop", response.session_id)] == ["hi", "You said: hi"]
    assert [each.title for each in client.sessions.iter("shop")] == ["hi", "stream"]
    assert "".join(chunk.text for chunk in client.turns.events(response.request_id)) == response.text


def test_the_async_client_does_the_same(gateway: Gateway) -> None:
    async def main() -> None:
        async with gateway.async_client() as client:
            texts = await asyncio.gather(*[client.chat("shop", f"n{number}") for number in range(5)])
            assert [each.text for each in texts] == [f"You said: n{number}" for number in range(5)]
            assert "".join([chunk.text async for chunk in client.stream("shop", "stream")]) == "0 1 2 \n\nsecond"

    asyncio.run(main())


def test_what_fails_is_an_error_for_the_client_and_a_traceback_for_the_test(
    gateway: Gateway, client: cpsl.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(cpsl.AppError) as caught:
        client.chat("shop", "fail")
    assert "only the developer" not in str(caught.value)
    assert "only the developer" in gateway.failures[0]
    assert "only the developer" in caplog.text


def test_a_secret_that_is_not_declared_comes_through_the_link(client: cpsl.Client) -> None:
    assert client.chat("shop", "secret").text == "hidden"


def test_documents_can_be_put_and_seen(gateway: Gateway, client: cpsl.Client) -> None:
    gateway.documents("notes").append({"_id": "1", "text": "b"})
    assert client.chat("shop", "note a").text == "a,b"
    assert [each["text"] for each in gateway.documents("notes")] == ["b", "a"]


def test_integrations_are_answered_before_or_while_they_wait(gateway: Gateway, client: cpsl.Client) -> None:
    gateway.answer("github", token="gho_1")
    assert client.chat("shop", "connect github").text == "gho_1"
    assert client.data("shop", "stock", item="tea") == {"item": "tea", "who": "you@capsule.test", "github": True}
    with pytest.raises(cpsl.PromptRequired) as caught:
        client.chat("shop", "connect aws")
    turn, prompt = str(caught.value.request_id), caught.value.prompt
    with pytest.raises(cpsl.InvalidRequest):
        client.turns.answer(turn, prompt["prompt_id"], {"region": "x"})
    client.turns.answer(turn, prompt["prompt_id"], {each["name"]: "v" for each in prompt["fields"]})
    assert "secret_access_key" in "".join(chunk.text for chunk in client.turns.events(turn))
    with pytest.raises(cpsl.Conflict):
        client.turns.decline(turn, prompt["prompt_id"])


def test_a_prompt_can_be_declined(gateway: Gateway, client: cpsl.Client) -> None:
    gateway.decline("github")
    with pytest.raises(cpsl.AppError) as caught:
        client.chat("shop", "connect github")
    assert caught.value.code == "integration_declined"


def test_files_by_prompt_and_with_a_message(gateway: Gateway, client: cpsl.Client, tmp_path: Path) -> None:
    gateway.give_file("a.txt", b"first")
    assert client.chat("shop", "file").text == "a.txt first in"
    assert (gateway.folder("disk") / "in" / "a.txt").read_bytes() == b"first"
    (tmp_path / "b.txt").write_text("second")
    attachments: list[Path | cpsl.Upload] = [tmp_path / "b.txt", cpsl.Upload("../c", b"third")]
    assert client.chat("shop", "attached", attachments=attachments).text == "b.txt:second c:third"


def test_a_turn_can_be_cancelled_and_a_key_runs_once(client: cpsl.Client) -> None:
    stream = client.stream("shop", "sleep")
    turn = next(stream).data["request_id"]
    assert client.turns.cancel(turn).state == "cancelled"
    with pytest.raises(cpsl.TurnCancelled):
        list(stream)
    first = client.chat("shop", "count", idempotency_key="k")
    assert client.chat("shop", "count", idempotency_key="k").request_id == first.request_id
    with pytest.raises(cpsl.InvalidRequest):
        client.chat("shop", "other", idempotency_key="k")


def test_what_it_has_not_says_where_to_test_it(client: cpsl.Client) -> None:
    for call in (client.secrets.list, lambda: client.chat("other", "hi")):
        with pytest.raises(cpsl.NotFound):
            call()
    assert [each["name"] for each in client.list_apps()] == ["shop"]
    assert client.me().workspace == "test"
    assert client.get_app("shop")["live_version"] == 1


def test_what_is_missing_or_broken_is_said_at_the_beginning(gateway: Gateway) -> None:
    app = cpsl.App("other", secrets=["NOT_GIVEN"])
    with pytest.raises(cpsl.NotFound, match="NOT_GIVEN"):
        Gateway(app).open()
    with pytest.raises(cpsl.Conflict):
        Gateway(cpsl.App("third")).open()
    gateway.close()
    gateway.close()
    with pytest.raises(cpsl.InvalidRequest):
        gateway.client()
    broken = cpsl.App("broken")

    @broken.boot()
    def boot() -> None:
        raise OSError("no model")

    with pytest.raises(cpsl.DeployFailed) as caught:
        Gateway(broken).open()
    assert "no model" in caught.value.traceback


def test_it_needs_nothing_of_a_gateways_dependencies() -> None:
    script = "import cpsl.testing, sys; print([m for m in ('litestar', 'sqlalchemy', 'uvicorn') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
