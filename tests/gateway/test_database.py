"""The one way into the store: groups of writes, reads beside them, on PostgreSQL as well as on SQLite."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, text
from sqlalchemy.exc import IntegrityError

from cpsl.errors import ConfigError, Conflict, GatewayError, InvalidRequest
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.migrate import migrate
from cpsl.gateway.db.schema import workspaces
from cpsl.gateway.settings import Settings
from tests.support.postgres import Postgres
from tests.support.store import adding, all_names, on_store, together

MIB = 1024 * 1024


def _raising(error: Exception) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        adding(f"half of {id(error)}")(connection)
        raise error

    return work


def test_writes_that_wait_are_committed_as_one(store_url: str) -> None:
    async def test(db: Database) -> None:
        commits: list[Connection] = []
        event.listen(db.engine, "commit", commits.append)
        results = await together(db, *(adding(f"w{number:02}") for number in range(50)))
        assert results == [f"w{number:02}" for number in range(50)]
        assert len(commits) == 2
        assert await db.read(all_names) == results

    on_store(store_url, test)


def test_a_write_that_fails_leaves_its_neighbours(store_url: str) -> None:
    async def test(db: Database) -> None:
        await db.write(adding("there"))
        results = await together(
            db,
            adding("first"),
            _raising(Conflict("mine")),
            adding("there"),
            lambda connection: connection.execute(text("SELECT * FROM nothing")),
            _raising(OverflowError("a number")),
            adding("last"),
        )
        kinds = [type(each) for each in results]
        assert kinds == [str, Conflict, IntegrityError, GatewayError, InvalidRequest, str]
        assert await db.read(all_names) == ["first", "last", "there"]

    on_store(store_url, test)


def test_a_write_alone_that_fails_leaves_nothing(store_url: str) -> None:
    async def test(db: Database) -> None:
        with pytest.raises(Conflict):
            await db.write(_raising(Conflict("mine")))
        assert await db.read(all_names) == []

    on_store(store_url, test)


def test_when_the_transaction_is_lost_nobody_is_told_that_it_was_kept(store_url: str) -> None:
    """As SQLite does on some errors of the disk, and PostgreSQL when the connection breaks."""

    def losing(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.rollback()
        raise GatewayError("the disk failed")

    async def test(db: Database) -> None:
        results = await together(db, adding("before"), losing, adding("after"))
        assert isinstance(results[1], GatewayError)
        assert all(isinstance(each, (str, GatewayError)) for each in results), results
        assert await db.read(all_names) == sorted(each for each in results if isinstance(each, str))
        await db.write(adding("later"))

    on_store(store_url, test)


def test_reads_run_side_by_side_and_beside_a_write(store_url: str) -> None:
    async def test(db: Database) -> None:
        meeting = threading.Barrier(4, timeout=10)
        held = threading.Event()

        def writing(connection: Connection) -> None:
            adding("new")(connection)
            meeting.wait()
            held.wait(10)

        def reading(connection: Connection) -> list[str]:
            meeting.wait()
            return all_names(connection)

        write = asyncio.create_task(db.write(writing))
        assert await asyncio.gather(*(db.read(reading) for _ in range(3))) == [[], [], []]
        held.set()
        await write
        assert await db.read(all_names) == ["new"]

    on_store(store_url, test)


def test_all_that_one_read_sees_is_of_one_moment(store_url: str) -> None:
    async def test(db: Database) -> None:
        counted, written = threading.Event(), threading.Event()

        def reading(connection: Connection) -> tuple[int, int]:
            before = len(all_names(connection))
            counted.set()
            written.wait(10)
            return before, connection.execute(select(func.count()).select_from(workspaces)).scalar_one()

        read = asyncio.create_task(db.read(reading))
        await asyncio.to_thread(counted.wait, 10)
        await db.write(adding("meanwhile"))
        written.set()
        assert await read == (0, 0)

    on_store(store_url, test)


def test_a_read_cannot_write_on_postgresql(postgres: Postgres) -> None:
    async def test(db: Database) -> None:
        with pytest.raises(GatewayError):
            await db.read(adding("no"))

    on_store(postgres.database(), test)


def test_a_connection_that_broke_costs_one_write_at_most(postgres: Postgres) -> None:
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    end_others = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")

    async def test(db: Database) -> None:
        await db.write(adding("before"))
        await db.read(lambda connection: connection.execute(end_others).all())
        with pytest.raises(GatewayError):
            await db.write(adding("lost"))
        await db.write(adding("after"))
        await db.read(lambda connection: connection.execute(end_others).all())
        await asyncio.sleep(1.2)  # nobody writes: the connection goes back, and the next one is looked at first
        await db.write(adding("later"))
        assert await db.read(all_names) == ["after", "before", "later"]

    on_store(postgres.database(), test)


def test_whoever_stops_waiting_does_not_undo_a_write(store_url: str) -> None:
    async def test(db: Database) -> None:
        begun, release = threading.Event(), threading.Event()

        def slow(connection: Connection) -> None:
            begun.set()
            release.wait(10)

        slow_write = asyncio.create_task(db.write(slow))
        await asyncio.to_thread(begun.wait, 10)
        left = asyncio.create_task(db.write(adding("left")))
        await asyncio.sleep(0.01)
        slow_write.cancel()
        release.set()
        await left
        assert await db.read(all_names) == ["left"]

    on_store(store_url, test)


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

    on_store(store_url, test)


def test_a_closed_store_finishes_what_waits_and_takes_no_more(store_url: str) -> None:
    async def test(db: Database) -> None:
        writes = [asyncio.create_task(db.write(adding(f"w{number}"))) for number in range(300)]
        await asyncio.sleep(0)
        await asyncio.to_thread(db.close)
        assert len(await asyncio.gather(*writes)) == 300
        for attempt in (db.write(adding("late")), db.read(all_names)):
            with pytest.raises(GatewayError) as caught:
                await attempt
            assert (caught.value.code, caught.value.status) == ("stopping", 503)

    on_store(store_url, test)


def test_sqlite_is_set_to_lose_nothing(tmp_path: Path) -> None:
    def pragmas(connection: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    async def test(db: Database) -> None:
        assert await db.read(pragmas) == ["wal", 2, 1, 10_000]
        assert await db.write(pragmas) == ["wal", 2, 1, 10_000]

    on_store(f"sqlite:///{tmp_path}/capsule.db", test)


def test_an_error_does_not_quote_what_was_to_be_stored(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(db: Database) -> None:
        await db.write(adding("canary"))
        with pytest.raises(IntegrityError) as caught:
            await db.write(adding("canary", size=5))
        assert "xxxxx" not in str(caught.value)
        with pytest.raises(GatewayError) as failed:
            await db.read(lambda connection: connection.execute(text("SELECT nothing, :v"), {"v": "canary"}))
        assert failed.value.message == "the gateway's store failed"
        assert "canary" not in caplog.text

    on_store(store_url, test)


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
