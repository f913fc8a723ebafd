"""Apps under test without a server: the same client, the same handlers, the same errors."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import cpsl
from cpsl.testing import Gateway

ROOT = Path(__file__).parents[2]


def hooked(seen: list[str]) -> cpsl.App:
    """An app that answers, counts, streams and fails; ``seen`` gets what its hooks did."""
    app = cpsl.App("hooked", secrets=["SHOP_KEY"])
    notes = app.collection("notes")

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
    async def handle(session: cpsl.Session, msg: cpsl.Message) -> str:
        session.data["count"] = session.data.get("count", 0) + 1
        return f"{session.data['count']} after {len(session.history)}"

    return app


def talker() -> cpsl.App:
    """An app that answers, streams, fails or takes its time."""
    app = cpsl.App("talker")

    @app.message()
    async def handle(session: cpsl.Session, msg: cpsl.Message) -> str:
        match msg.text:
            case "stream":
                async with session.stream_reply() as out:
                    for number in range(3):
                        out.write(f"{number} ")
                        await asyncio.sleep(0)
                return "second"
            case "fail":
                raise ValueError("what only the developer may see")
            case "sleep":
                await asyncio.sleep(60)
        return f"You said: {msg.text}"

    return app


def keeper() -> cpsl.App:
    """An app that keeps notes: for all, and of each user; and reads secrets."""
    app = cpsl.App("keeper", secrets=["SHOP_KEY"])
    shelves = {"all": app.collection("notes"), "mine": app.collection("diary", scope="user")}

    @app.message()
    async def handle(session: cpsl.Session, msg: cpsl.Message) -> str:
        match msg.text.split():
            case ["secret", name]:
                return cpsl.Secret.from_name(name).value
            case [shelf, text]:
                await shelves[shelf].insert_one({"text": text})
                found = await shelves[shelf].find({"text": {"$ne": "x"}}, sort={"text": 1})
                return ",".join(each["text"] for each in found)
        return "?"

    return app


def asker() -> cpsl.App:
    """An app that asks for integrations and files."""
    app = cpsl.App("asker", filesystems={"/data": cpsl.FileSystem("disk")})
    app.add_integration("github", client_id=cpsl.Secret("GH_ID"), client_secret=cpsl.Secret("GH_SECRET"))
    app.add_integration("aws")

    @app.message()
    async def handle(session: cpsl.Session, msg: cpsl.Message) -> str:
        match msg.text.split():
            case ["connect", name]:
                given = await session.prompt_integration(name, reason="to see")
                return f"{given.access_token or given.fields}"
            case ["file"]:
                upload = await session.prompt_file(path="/data/in", timeout=5)
                return f"{upload.name} {(await upload.read()).decode()} {Path(str(upload.path)).parent.name}"
        return " ".join([f"{each.name}:{(await each.read()).decode()}" for each in msg.attachments])

    @app.data("stock")
    def stock(ctx: cpsl.RequestContext, item: str) -> dict[str, Any]:
        return {"item": item, "who": ctx.user.email, "github": "github" in ctx.integrations}

    return app


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(talker(), keeper(), asker(), secrets={"SHOP_KEY": "s", "OTHER_KEY": "hidden"}) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> cpsl.Client:
    return gateway.client()


def test_a_whole_life() -> None:
    seen: list[str] = []
    with Gateway(hooked(seen), secrets={"SHOP_KEY": "s"}) as gateway:
        client = gateway.client()
        first = client.chat("hooked", "count")
        assert client.chat("hooked", "count", first.session_id).text == "2 after 2"
        client.sessions.delete("hooked", first.session_id)
        with pytest.raises(cpsl.NotFound):
            client.sessions.get("hooked", first.session_id)
    assert seen == ["boot s 0", "enter", "exit 4", "shutdown"]
    assert "SHOP_KEY" not in os.environ


def test_replies_streams_and_history(client: cpsl.Client) -> None:
    chunks = list(client.stream("talker", "stream"))
    assert [chunk.text for chunk in chunks if chunk.text] == ["0 ", "1 ", "2 ", "\n\n", "second"]
    assert chunks[-1].done
    response = client.chat("talker", "hi")
    assert (response.text, str(response)) == ("You said: hi",) * 2
    assert [each.text for each in client.sessions.messages("talker", response.session_id)] == ["hi", "You said: hi"]
    assert [each.title for each in client.sessions.iter("talker")] == ["hi", "stream"]
    assert "".join(chunk.text for chunk in client.turns.events(response.request_id)) == response.text


def test_the_async_client_does_the_same(gateway: Gateway) -> None:
    async def main() -> None:
        async with gateway.async_client() as client:
            texts = await asyncio.gather(*[client.chat("talker", f"n{number}") for number in range(5)])
            assert [each.text for each in texts] == [f"You said: n{number}" for number in range(5)]
            assert "".join([chunk.text async for chunk in client.stream("talker", "stream")]) == "0 1 2 \n\nsecond"

    asyncio.run(main())


def test_what_fails_is_an_error_for_the_client_and_a_traceback_for_the_test(
    gateway: Gateway, client: cpsl.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(cpsl.AppError) as caught:
        client.chat("talker", "fail")
    assert "only the developer" not in str(caught.value)
    assert "only the developer" in gateway.failures[0]
    assert "only the developer" in caplog.text


def test_a_secret_that_is_not_declared_comes_through_the_link(client: cpsl.Client) -> None:
    assert client.chat("keeper", "secret OTHER_KEY").text == "hidden"


def test_documents_can_be_put_and_seen(gateway: Gateway, client: cpsl.Client) -> None:
    gateway.documents("notes", app="keeper").append({"_id": "1", "text": "b"})
    assert client.chat("keeper", "all a").text == "a,b"
    assert [each["text"] for each in gateway.documents("notes", app="keeper")] == ["b", "a"]


def test_integrations_are_answered_before_or_while_they_wait(gateway: Gateway, client: cpsl.Client) -> None:
    gateway.answer("github", token="gho_1")
    assert client.chat("asker", "connect github").text == "gho_1"
    assert client.data("asker", "stock", item="tea") == {"item": "tea", "who": "you@capsule.test", "github": True}
    with pytest.raises(cpsl.PromptRequired) as caught:
        client.chat("asker", "connect aws")
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
        client.chat("asker", "connect github")
    assert caught.value.code == "integration_declined"


def test_files_by_prompt_and_with_a_message(gateway: Gateway, client: cpsl.Client, tmp_path: Path) -> None:
    gateway.give_file("a.txt", b"first")
    assert client.chat("asker", "file").text == "a.txt first in"
    assert (gateway.folder("disk") / "in" / "a.txt").read_bytes() == b"first"
    (tmp_path / "b.txt").write_text("second")
    attachments: list[Path | cpsl.Upload] = [tmp_path / "b.txt", cpsl.Upload("../c", b"third")]
    assert client.chat("asker", "attached", attachments=attachments).text == "b.txt:second c:third"


def test_a_turn_can_be_cancelled_and_a_key_runs_once(client: cpsl.Client) -> None:
    stream = client.stream("talker", "sleep")
    turn = next(stream).data["request_id"]
    assert client.turns.cancel(turn).state == "cancelled"
    with pytest.raises(cpsl.TurnCancelled):
        list(stream)
    first = client.chat("talker", "once", idempotency_key="k")
    assert client.chat("talker", "once", idempotency_key="k").request_id == first.request_id
    with pytest.raises(cpsl.InvalidRequest):
        client.chat("talker", "other", idempotency_key="k")


def test_what_it_has_not_says_where_to_test_it(client: cpsl.Client) -> None:
    with pytest.raises(cpsl.NotFound) as caught:
        client.channels.list()
    assert caught.value.code == "not_in_testing"
    with pytest.raises(cpsl.NotFound):
        client.chat("other", "hi")
    assert client.me().workspace == "test"
    assert client.get_app("talker")["live_version"] == 1


def test_several_apps_share_a_workspace_and_nothing_else(client: cpsl.Client) -> None:
    assert [each["name"] for each in client.list_apps()] == ["talker", "keeper", "asker"]
    kept = client.chat("keeper", "all a")
    assert [each.id for each in client.sessions.iter("keeper")] == [kept.session_id]
    assert list(client.sessions.iter("talker")) == []
    with pytest.raises(cpsl.NotFound):
        client.chat("talker", "hi", kept.session_id)


def test_users_see_what_is_theirs_and_what_is_for_all(gateway: Gateway, client: cpsl.Client) -> None:
    ann = gateway.client("ann@example.com")
    assert (client.chat("keeper", "all a").text, ann.chat("keeper", "all b").text) == ("a", "a,b")
    mine = client.chat("keeper", "mine c")
    assert (mine.text, ann.chat("keeper", "mine d").text) == ("c", "d")
    assert gateway.documents("diary", user="ann@example.com", app="keeper")[0]["text"] == "d"
    for call in (lambda: ann.turns.get(mine.request_id), lambda: ann.sessions.get("keeper", mine.session_id)):
        with pytest.raises(cpsl.NotFound):
            call()
    gateway.answer("github", token="hers", user="ann@example.com")
    assert ann.chat("asker", "connect github").text == "hers"
    assert ann.data("asker", "stock", item="tea") == {"item": "tea", "who": "ann@example.com", "github": True}
    with pytest.raises(cpsl.PromptRequired):
        client.chat("asker", "connect github")


def test_each_user_has_a_boot_of_their_own() -> None:
    seen: list[str] = []
    with Gateway(hooked(seen), secrets={"SHOP_KEY": "s"}) as gateway:
        gateway.client("ann@example.com")
        gateway.client("ann@example.com")
    assert seen == ["boot s 0", "boot s 0", "shutdown", "shutdown"]


def test_secrets_are_changed_while_it_runs(client: cpsl.Client) -> None:
    assert client.chat("keeper", "secret SHOP_KEY").text == "s"
    with pytest.raises(cpsl.Conflict):
        client.secrets.create({"SHOP_KEY": "t", "NEW_KEY": "n"})
    assert client.secrets.create({"SHOP_KEY": "t", "NEW_KEY": "n"}, overwrite=True).restarted == ["keeper"]
    assert client.chat("keeper", "secret SHOP_KEY").text == os.environ["SHOP_KEY"] == "t"
    assert client.chat("keeper", "secret NEW_KEY").text == "n"
    client.secrets.delete("NEW_KEY")
    assert [(each.name, each.used_by) for each in client.secrets.list()] == [
        ("OTHER_KEY", []),
        ("SHOP_KEY", ["keeper"]),
    ]
    for refused in ({"EMPTY": ""}, {"no name": "x"}):
        with pytest.raises(cpsl.InvalidRequest):
            client.secrets.create(refused)
    with pytest.raises(cpsl.NotFound):
        client.secrets.delete("NEW_KEY")


def test_files_go_in_and_out_of_filesystems(gateway: Gateway, client: cpsl.Client) -> None:
    large = os.urandom(3_000_000)
    files = client.filesystems
    assert files.upload("disk", "/in/a b%.bin", BytesIO(large)).size == len(large)
    assert (gateway.folder("disk") / "in" / "a b%.bin").read_bytes() == large
    assert b"".join(files.download("disk", "/in/a b%.bin")) == large
    assert b"".join(files.download("disk", "/in/a b%.bin", 10, 5)) == large[10:15]
    files.upload("disk", "/b", b"small")
    with pytest.raises(cpsl.Conflict):
        files.upload("disk", "/b", b"other")
    files.move_file("disk", "/b", "/in/c")
    files.make_folder("disk", "/empty")
    assert [(each.name, each.is_folder) for each in files.entries("disk")] == [("empty", True), ("in", True)]
    assert [each.name for each in files.entries("disk", "/in", 1)] == ["a b%.bin"]
    assert files.stat("disk", "/in/c", digest=True).sha256 == sha256(b"small").hexdigest()
    with pytest.raises(cpsl.Conflict):
        files.delete_file("disk", "/in")
    files.delete_file("disk", "/in", recursive=True)


def test_filesystems_come_and_go(client: cpsl.Client) -> None:
    files = client.filesystems
    refused: dict[str, Callable[[], object]] = {
        "filesystem_exists": lambda: files.create("disk"),
        "in_use": lambda: files.delete("disk"),
        "not_found": lambda: files.entries("second"),
        "file_not_found": lambda: files.stat("disk", "/no"),
        "invalid_path": lambda: files.stat("disk", "/../x"),
    }
    made = files.create("second")
    assert files.get(made.id).name == "second"
    assert [each.name for each in files.list()] == ["disk", "second"]
    files.delete("second")
    for code, call in refused.items():
        with pytest.raises(cpsl.CapsuleError) as caught:
            call()
        assert caught.value.code == code


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
