"""The one way into the store: groups of writes, reads beside them, a full disk, and PostgreSQL as well as SQLite."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, event, func, select, text, update
from sqlalchemy.exc import IntegrityError

from cpsl.errors import ConfigError, Conflict, GatewayError, InvalidRequest, StorageFull
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.migrate import migrate
from cpsl.gateway.db.prepared import Prepared
from cpsl.gateway.db.schema import accounts, tokens, workspaces
from cpsl.gateway.settings import Settings
from tests.support.gateway import APPS, GatewayProcess
from tests.support.postgres import Postgres
from tests.support.store import opened

MIB = 1024 * 1024


def _run(url: str, test: Callable[[Database], Awaitable[None]]) -> None:
    async def with_store() -> None:
        async with opened(url) as db:
            await test(db)

    asyncio.run(with_store())


def _adding(name: str, size: int = 10) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        row = {"id": name, "name": name, "data_key": b"x" * size, "created_at": 0.0}
        connection.execute(workspaces.insert().values(row))
        return name

    return work


def _names(connection: Connection) -> list[str]:
    return list(connection.execute(select(workspaces.c.name).order_by(workspaces.c.name)).scalars())


def _raising(error: Exception) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        _adding(f"half of {id(error)}")(connection)
        raise error

    return work


async def _together(db: Database, *works: Callable[[Connection], Any]) -> list[Any]:
    """Have ``works`` wait behind a slow write, so that they are one group."""
    begun, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        release.wait(10)

    first = asyncio.create_task(db.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    waiting = [asyncio.create_task(db.write(work)) for work in works]
    await asyncio.sleep(0.01)
    release.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_writes_that_wait_are_committed_as_one(store_url: str) -> None:
    async def test(db: Database) -> None:
        commits: list[Connection] = []
        event.listen(db.engine, "commit", commits.append)
        results = await _together(db, *(_adding(f"w{number:02}") for number in range(50)))
        assert results == [f"w{number:02}" for number in range(50)]
        assert len(commits) == 2
        assert await db.read(_names) == results

    _run(store_url, test)


def test_a_write_that_fails_leaves_its_neighbours(store_url: str) -> None:
    async def test(db: Database) -> None:
        await db.write(_adding("there"))
        results = await _together(
            db,
            _adding("first"),
            _raising(Conflict("mine")),
            _adding("there"),
            lambda connection: connection.execute(text("SELECT * FROM nothing")),
            _raising(OverflowError("a number")),
            _adding("last"),
        )
        kinds = [type(each) for each in results]
        assert kinds == [str, Conflict, IntegrityError, GatewayError, InvalidRequest, str]
        assert await db.read(_names) == ["first", "last", "there"]

    _run(store_url, test)


def test_a_write_alone_that_fails_leaves_nothing(store_url: str) -> None:
    async def test(db: Database) -> None:
        with pytest.raises(Conflict):
            await db.write(_raising(Conflict("mine")))
        assert await db.read(_names) == []

    _run(store_url, test)


def test_when_the_transaction_is_lost_nobody_is_told_that_it_was_kept(store_url: str) -> None:
    """As SQLite does on some errors of the disk, and PostgreSQL when the connection breaks."""

    def losing(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.rollback()
        raise GatewayError("the disk failed")

    async def test(db: Database) -> None:
        results = await _together(db, _adding("before"), losing, _adding("after"))
        assert isinstance(results[1], GatewayError)
        assert all(isinstance(each, (str, GatewayError)) for each in results), results
        assert await db.read(_names) == sorted(each for each in results if isinstance(each, str))
        await db.write(_adding("later"))

    _run(store_url, test)


def test_reads_run_side_by_side_and_beside_a_write(store_url: str) -> None:
    async def test(db: Database) -> None:
        meeting = threading.Barrier(4, timeout=10)
        held = threading.Event()

        def writing(connection: Connection) -> None:
            _adding("new")(connection)
            meeting.wait()
            held.wait(10)

        def reading(connection: Connection) -> list[str]:
            meeting.wait()
            return _names(connection)

        write = asyncio.create_task(db.write(writing))
        assert await asyncio.gather(*(db.read(reading) for _ in range(3))) == [[], [], []]
        held.set()
        await write
        assert await db.read(_names) == ["new"]

    _run(store_url, test)


def test_all_that_one_read_sees_is_of_one_moment(store_url: str) -> None:
    async def test(db: Database) -> None:
        counted, written = threading.Event(), threading.Event()

        def reading(connection: Connection) -> tuple[int, int]:
            before = len(_names(connection))
            counted.set()
            written.wait(10)
            return before, connection.execute(select(func.count()).select_from(workspaces)).scalar_one()

        read = asyncio.create_task(db.read(reading))
        await asyncio.to_thread(counted.wait, 10)
        await db.write(_adding("meanwhile"))
        written.set()
        assert await read == (0, 0)

    _run(store_url, test)


def test_a_read_cannot_write_on_postgresql(postgres: Postgres) -> None:
    async def test(db: Database) -> None:
        with pytest.raises(GatewayError):
            await db.read(_adding("no"))

    _run(postgres.database(), test)


def test_a_connection_that_broke_costs_one_write_at_most(postgres: Postgres) -> None:
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    end_others = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")

    async def test(db: Database) -> None:
        await db.write(_adding("before"))
        await db.read(lambda connection: connection.execute(end_others).all())
        with pytest.raises(GatewayError):
            await db.write(_adding("lost"))
        await db.write(_adding("after"))
        await db.read(lambda connection: connection.execute(end_others).all())
        await asyncio.sleep(1.2)  # nobody writes: the connection goes back, and the next one is looked at first
        await db.write(_adding("later"))
        assert await db.read(_names) == ["after", "before", "later"]

    _run(postgres.database(), test)


def test_whoever_stops_waiting_does_not_undo_a_write(store_url: str) -> None:
    async def test(db: Database) -> None:
        begun, release = threading.Event(), threading.Event()

        def slow(connection: Connection) -> None:
            begun.set()
            release.wait(10)

        slow_write = asyncio.create_task(db.write(slow))
        await asyncio.to_thread(begun.wait, 10)
        left = asyncio.create_task(db.write(_adding("left")))
        await asyncio.sleep(0.01)
        slow_write.cancel()
        release.set()
        await left
        assert await db.read(_names) == ["left"]

    _run(store_url, test)


@pytest.mark.parametrize("value", [2**63, 2**70, -(2**70)])
def test_a_number_beyond_64_bits_is_the_askers_mistake(store_url: str, value: int) -> None:
    insert = text("INSERT INTO device_codes VALUES (:h, 'u', 'c', 's', NULL, :n, NULL, 0)")
    find = text("SELECT hash FROM device_codes WHERE interval > :n")

    async def test(db: Database) -> None:
        with pytest.raises(InvalidRequest):
            await db.write(lambda connection: connection.execute(insert, {"h": b"h", "n": value}) and None)
        if db.engine.dialect.name == "sqlite":  # the other reckons with numbers of any length
            with pytest.raises(InvalidRequest):
                await db.read(lambda connection: connection.execute(find, {"n": value}).all())

    _run(store_url, test)


def _token(number: int) -> dict[str, Any]:
    hashed, scopes = bytes([number]) * 32, ["a", {"b": number}]
    return {"id": f"t{number}", "account_id": "a", "name": "n", "hash": hashed, "scopes": scopes, "created_at": 1.5}


def test_a_prepared_statement_does_what_sqlalchemy_would(store_url: str) -> None:
    add = Prepared(tokens.insert(), "id account_id name hash scopes created_at")
    rename = Prepared(update(tokens).where(tokens.c.id == bindparam("old")).values(name=bindparam("new")))
    named = Prepared(select(tokens.c.id, tokens.c.hash).where(tokens.c.name == bindparam("given")))

    def work(connection: Connection) -> list[Any]:
        _adding("w")(connection)
        account = {"id": "a", "workspace_id": "w", "email": "e", "role": "owner", "created_at": 0.0}
        connection.execute(accounts.insert().values(account))
        add.run(connection, _token(1))
        add.run(connection, _token(2), _token(3))
        rename.run(connection, {"old": "t2", "new": "other"})
        return named.fetch(connection, {"given": "n"})

    async def test(db: Database) -> None:
        found = await db.write(work)
        assert sorted((name, bytes(hashed)) for name, hashed in found) == [("t1", b"\1" * 32), ("t3", b"\3" * 32)]
        rows = await db.read(lambda connection: connection.execute(select(tokens).order_by(tokens.c.id)).all())
        assert [(row.scopes, row.name, row.created_at) for row in rows] == [
            (["a", {"b": 1}], "n", 1.5),
            (["a", {"b": 2}], "other", 1.5),
            (["a", {"b": 3}], "n", 1.5),
        ]

    _run(store_url, test)


def test_what_a_prepared_statement_raises_is_what_sqlalchemy_raises(store_url: str) -> None:
    add = Prepared(workspaces.insert(), "id name data_key created_at")
    number = Prepared(text("INSERT INTO device_codes VALUES (:h, 'u', 'c', 's', NULL, :n, NULL, 0)"))
    wrong = Prepared(text("SELECT nothing FROM nowhere"))
    row = {"id": "there", "name": "canary", "data_key": b"x", "created_at": 0.0}

    async def test(db: Database) -> None:
        await db.write(lambda connection: add.run(connection, row))
        with pytest.raises(IntegrityError):
            await db.write(lambda connection: add.run(connection, row))
        with pytest.raises(InvalidRequest):
            await db.write(lambda connection: number.run(connection, {"h": b"h", "n": 2**70}))
        with pytest.raises(GatewayError):
            await db.write(lambda connection: wrong.run(connection, {}))
        assert await db.read(_names) == ["canary"]

    _run(store_url, test)


def test_a_closed_store_finishes_what_waits_and_takes_no_more(store_url: str) -> None:
    async def test(db: Database) -> None:
        writes = [asyncio.create_task(db.write(_adding(f"w{number}"))) for number in range(300)]
        await asyncio.sleep(0)
        await asyncio.to_thread(db.close)
        assert len(await asyncio.gather(*writes)) == 300
        for attempt in (db.write(_adding("late")), db.read(_names)):
            with pytest.raises(GatewayError) as caught:
                await attempt
            assert (caught.value.code, caught.value.status) == ("stopping", 503)

    _run(store_url, test)


def test_sqlite_is_set_to_lose_nothing(tmp_path: Path) -> None:
    def pragmas(connection: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    async def test(db: Database) -> None:
        assert await db.read(pragmas) == ["wal", 2, 1, 10_000]
        assert await db.write(pragmas) == ["wal", 2, 1, 10_000]

    _run(f"sqlite:///{tmp_path}/capsule.db", test)


def test_an_error_does_not_quote_what_was_to_be_stored(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(db: Database) -> None:
        await db.write(_adding("canary"))
        with pytest.raises(IntegrityError) as caught:
            await db.write(_adding("canary", size=5))
        assert "xxxxx" not in str(caught.value)
        with pytest.raises(GatewayError) as failed:
            await db.read(lambda connection: connection.execute(text("SELECT nothing, :v"), {"v": "canary"}))
        assert failed.value.message == "the gateway's store failed"
        assert "canary" not in caplog.text

    _run(store_url, test)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u:canary@host/db", "http://u:canary@host", "oracle+x://u:canary@h", "sqlite+x://"]
)
def test_a_url_of_no_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database(url)
    assert caught.value.code == "invalid_database_url"
    assert "canary" not in caught.value.message


def test_settings_show_no_password(tmp_path: Path) -> None:
    assert "canary" not in repr(Settings(data_dir=tmp_path, database_url="postgresql://u:canary@host/db"))


def test_a_data_directory_may_be_called_anything(tmp_path: Path) -> None:
    folder = tmp_path / "what? 100%25 #1 é"
    folder.mkdir()

    async def run() -> None:
        db = Database(Settings(data_dir=folder).database)
        await db.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
        db.close()

    asyncio.run(run())
    assert (folder / "capsule.db").exists()


# --- a full disk


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A filesystem of ``size`` bytes at ``folder``."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"mode=0700,size={size}", "none", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"this machine lets us mount no small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async def test(db: Database) -> None:
        await db.write(_adding("before"))
        ballast = _fill(disk)
        results = await _together(db, _adding("small"), _adding("big", 2 * MIB), _adding("after"))
        kept = [each for each in results if isinstance(each, str)]
        assert any(isinstance(each, StorageFull) for each in results), results
        assert all(isinstance(each, (str, StorageFull)) for each in results), results
        assert await db.read(_names) == sorted(["before", *kept])
        ballast.unlink()
        assert await _together(db, _adding("small again"), _adding("big again", 2 * MIB)) == [
            "small again",
            "big again",
        ]
        assert await db.read(_names) == sorted(["before", *kept, "big again", "small again"])
        assert await db.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"

    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        _run(f"sqlite:///{disk}/capsule.db", test)


def test_a_gateway_on_a_full_disk_says_so_reads_on_and_recovers(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path)
    with small_disk(tmp_path / "data", 8 * MIB) as disk:
        gateway.start()
        with gateway.http() as http:
            http.post("/secrets", json={"secrets": {"BEFORE": "x"}})
            http.post("/fs", json={"name": "files"})
            ballast = _fill(disk)
            values = {f"S{number}": "x" * 200_000 for number in range(8)}
            refused = http.post("/secrets", json={"secrets": values})
            assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
            assert refused.json()["hint"]
            upload = http.put("/fs/files/content", params={"path": "/big"}, content=b"x" * 100_000)
            assert (upload.status_code, upload.json()["code"]) == (507, "storage_full")
            assert [each["name"] for each in http.get("/secrets").json()["secrets"]] == ["BEFORE"]
            assert http.get("/fs/files/list").json() == {"entries": []}
            ballast.unlink()
            assert http.post("/secrets", json={"secrets": values}).status_code == 201
            assert http.put("/fs/files/content", params={"path": "/big"}, content=b"x" * 100_000).is_success
            assert len(http.get("/secrets").json()["secrets"]) == 9
        assert gateway.stop() == 0
    assert "Traceback" not in gateway.log()


# --- PostgreSQL under a whole gateway


def test_a_gateway_on_postgresql_from_the_login_to_a_crash(postgres: Postgres, tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path)
    gateway.env["CAPSULE_DATABASE_URL"] = postgres.database()
    gateway.start()
    try:
        gateway.deploy(APPS / "echo.py")
        session_id = _use(gateway)
        gateway.kill()
        gateway.start()
        with gateway.client() as client:
            assert client.sessions.list("echo").sessions[-1].id == session_id
            assert client.chat("echo", "recall", session_id).text == "banana, after 4 messages"
            assert [each.name for each in client.secrets.list()] == ["KEY"]
            client.apps.delete("echo")
            assert client.apps.list() == []
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    assert "Traceback" not in gateway.log()
    assert not (gateway.data_dir / "capsule.db").exists()


def _use(gateway: GatewayProcess) -> str:
    """Something of everything; the session that it leaves."""
    with gateway.client() as client, gateway.http() as http:
        answer = client.chat("echo", "remember banana", idempotency_key="once")
        assert client.chat("echo", "remember banana", idempotency_key="once").request_id == answer.request_id
        assert client.chat("echo", "note one").text == "1 notes"
        assert "".join(chunk.text for chunk in client.stream("echo", "stream 100")).startswith("0 1 2 ")
        client.secrets.create({"KEY": "value"})
        client.filesystems.create("files")
        client.channels.create("line", "telegram", {"bot_token": "x"})
        client.sessions.delete("echo", client.chat("echo", "hi").session_id)
        client.chat("echo", "recall", answer.session_id)
        assert client.apps.logs("echo") is not None
        for path in ("/apps/%00", "/secrets/%00", "/fs/%00", "/turns/%00", f"/apps/echo/logs?after={2**70}"):
            assert http.get(path).status_code in (404, 405, 422), path
        bad = http.post("/app/echo/chat", json={"text": "x"}, headers={"Idempotency-Key": "k" * 5000})
        assert bad.status_code in (200, 422)
        return answer.session_id


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    db = Database("postgresql://u:canary@/db?host=/nowhere")
    with pytest.raises(ConfigError) as caught:
        migrate(db.engine)
    db.close()
    assert caught.value.code == "store_unusable"
    assert "/nowhere" in caught.value.message
    assert "canary" not in caught.value.message


def test_a_setting_that_is_nonsense_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_GATEWAY_PORT", "http")
    argv = [sys.executable, "-m", "cpsl.gateway"]
    refused = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert "gateway_port" in refused.stderr
    assert "Traceback" not in refused.stderr
