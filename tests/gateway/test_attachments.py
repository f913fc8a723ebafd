"""Files with messages, from the client through gateway and runtime to the handler, and back in the history."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

import cpsl
from tests.support.gateway import APPS, GatewayProcess


@pytest.fixture(scope="session")
def reader(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with the app ``reader`` deployed."""
    gateway.deploy(APPS / "reader.py")
    return gateway


@pytest.fixture
def client(reader: GatewayProcess) -> Iterator[cpsl.Client]:
    with reader.client() as made:
        yield made


def stored(gateway: GatewayProcess) -> set[str]:
    return {each.name for each in (gateway.data_dir / "files").iterdir()}


def test_paths_and_uploads_reach_the_handler_and_the_history(client: cpsl.Client, tmp_path: Path) -> None:
    big = os.urandom(3 << 20)
    (tmp_path / "report.csv").write_bytes(b"a,b\n")
    (tmp_path / "big.bin").write_bytes(big)
    attachments: list[str | Path | cpsl.Upload] = [
        str(tmp_path / "report.csv"),
        tmp_path / "big.bin",
        cpsl.Upload("../../.evil\u202e.txt", b"x", "text/x-note; charset=utf-8"),
        cpsl.Upload("pieces.txt", iter([b"a", b"bc"])),
        cpsl.Upload("open.md", BytesIO(b"# hi")),
    ]
    response = client.chat("reader", "look", attachments=attachments)
    told = [reply["text"].split() for reply in response.raw["replies"]]
    assert told[:-1] == [
        ["report.csv", "text/csv", "4", sha256(b"a,b\n").hexdigest()[:8], "report.csv"],
        ["big.bin", "application/octet-stream", str(len(big)), sha256(big).hexdigest()[:8], "big.bin"],
        ["evil.txt", "text/x-note", "1", sha256(b"x").hexdigest()[:8], "evil.txt"],
        ["pieces.txt", "text/plain", "3", sha256(b"abc").hexdigest()[:8], "pieces.txt"],
        ["open.md", "text/markdown", "4", sha256(b"# hi").hexdigest()[:8], "open.md"],
    ]
    [asked, *_] = client.sessions.get("reader", response.session_id).messages
    assert [(each.name, each.size) for each in asked.attachments][:2] == [("report.csv", 4), ("big.bin", len(big))]
    assert asked.attachments[0].url.endswith(f"/api/v1/app/reader/files/{asked.attachments[0].id}")


def test_the_handler_can_read_what_came_earlier(client: cpsl.Client) -> None:
    first = client.chat("reader", "", attachments=[cpsl.Upload("one.txt", b"1"), cpsl.Upload("two.txt", b"2")])
    assert client.sessions.list("reader").sessions[0].title == "one.txt"
    assert client.chat("reader", "again", first.session_id).text == "one.txt=1 two.txt=2"
    [asked, *_] = client.sessions.messages("reader", first.session_id)
    assert [each.name for each in asked.attachments] == ["one.txt", "two.txt"]
    assert [each.id for each in client.sessions.iter("reader")] == [
        each.id for each in client.sessions.list("reader", limit=200).sessions
    ]


def test_the_same_key_is_the_same_turn_though_the_file_was_uploaded_again(client: cpsl.Client) -> None:
    first = client.chat("reader", "x", idempotency_key="k1", attachments=[cpsl.Upload("a.txt", b"same")])
    again = client.chat("reader", "x", idempotency_key="k1", attachments=[cpsl.Upload("a.txt", b"same")])
    assert (again.request_id, again.text) == (first.request_id, first.text)
    with pytest.raises(cpsl.InvalidRequest) as caught:
        client.chat("reader", "x", idempotency_key="k1", attachments=[cpsl.Upload("a.txt", b"other")])
    assert caught.value.code == "idempotency_key_reused"


def test_a_stream_takes_them_too(client: cpsl.Client) -> None:
    chunks = client.stream("reader", "hi", attachments=[cpsl.Upload("a.txt", b"abc")])
    assert "".join(chunk.text for chunk in chunks).endswith("1 files")


def test_a_path_that_is_not_there_sends_nothing(reader: GatewayProcess, client: cpsl.Client, tmp_path: Path) -> None:
    before = stored(reader)
    with pytest.raises(FileNotFoundError):
        client.chat("reader", "x", attachments=[cpsl.Upload("a", b"a"), tmp_path / "missing"])
    assert stored(reader) == before


def test_what_is_not_yours_cannot_be_attached(reader: GatewayProcess) -> None:
    with reader.http() as mine, reader.http(reader.member("other@x.org", "default")) as theirs:
        made = mine.post("/app/reader/files?name=secret.txt", content=b"mine").json()
        for http, ids, code in [
            (theirs, [made["id"]], "file_not_found"),
            (mine, ["fil_unknown"], "file_not_found"),
            (mine, [made["id"]] * 2, "attached_twice"),
            (mine, [f"fil_{number}" for number in range(21)], "too_many_attachments"),
        ]:
            refused = http.post("/app/reader/chat", json={"text": "x", "attachments": ids})
            assert refused.json()["code"] == code, refused.text
        assert theirs.get(f"/app/reader/files/{made['id']}").status_code == 404
        assert mine.get(f"/app/reader/files/{made['id']}").content == b"mine"


def test_what_came_with_no_message_is_swept_after_a_day(own_gateway: GatewayProcess) -> None:
    own_gateway.deploy(APPS / "reader.py")
    with own_gateway.client() as client, own_gateway.http() as http:
        client.chat("reader", "x", attachments=[cpsl.Upload("used.txt", b"used")])
        kept = stored(own_gateway)
        http.post("/app/reader/files?name=unused.txt", content=b"unused")
        assert len(stored(own_gateway)) == 2
        with sqlite3.connect(own_gateway.data_dir / "capsule.db", timeout=10) as db:
            db.execute("UPDATE files SET expires_at = expires_at - 90000")
        http.post("/app/reader/files?name=later.txt", content=b"later")
        assert len(stored(own_gateway)) == 2
        assert kept < stored(own_gateway)


def test_a_turn_that_a_dead_gateway_left_queued_has_its_files(own_gateway: GatewayProcess) -> None:
    own_gateway.deploy(APPS / "reader.py")
    with own_gateway.client() as client:
        turn = str(client.chat("reader", "x", attachments=[cpsl.Upload("a.txt", b"abc")]).request_id)
    own_gateway.kill()
    with sqlite3.connect(own_gateway.data_dir / "capsule.db") as db:
        db.execute("UPDATE turns SET state = 'queued', ended_at = NULL WHERE id = ?", (turn,))
        db.execute("DELETE FROM events WHERE turn_id = ? AND number > 1", (turn,))
    own_gateway.start()
    with own_gateway.client() as client:
        assert "".join(chunk.text for chunk in client.turns.events(turn)).startswith("a.txt text/plain 3")
