"""One writer, many readers: you pass a function of a connection, and await what it returns.

Reads run side by side on a small pool of threads. Writes go through one thread that takes whatever is waiting, runs it
inside one transaction and commits once ("group commit"): with SQLite's ``synchronous=FULL`` that is what makes
durability cheap under load, and it is the same code path on PostgreSQL. When a write of a group raises, the group is
rolled back and each of its writes runs again, alone: so a write may run twice, and must have no effect but on its
connection. When the transaction itself is lost (disk full, connection gone) the whole group fails and nothing is kept.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError

from cpsl.errors import CapsuleError, ConfigError, GatewayError, InvalidRequest, StorageFull
from cpsl.gateway.db.prepared import Prepared

log = logging.getLogger("cpsl.gateway.db")
T = TypeVar("T")
_READERS = 4
_GROUP = 256
_KEPT_SECONDS = 1.0
_STOP = object()
_BEGIN_READING = Prepared(text("BEGIN"))
_BEGIN_WRITING = Prepared(text("BEGIN IMMEDIATE"))


class _Write(NamedTuple):
    """A write that waits, and the future of whoever waits for it, which belongs to that one's loop."""

    work: Callable[[Connection], Any]
    outcome: asyncio.Future[Any]


class Database:
    """A store at an SQLAlchemy ``url``, for one event loop. ``close`` waits for the writes under way.

    ``free_space`` is called when the disk is full; what could not be written is tried again when it freed some.
    Raises ConfigError for a URL that names no database we speak to.
    """

    def __init__(self, url: str | URL, free_space: Callable[[], bool] = lambda: False) -> None:
        self._free_space = free_space
        self.engine = _make_engine(_parsed(url))
        self._for_reading = _snapshots(self.engine)
        self._for_writing = self.engine.execution_options(capsule_writer=True)
        self._closing = threading.Lock()
        self._is_closed = False
        self._reading = ThreadPoolExecutor(_READERS, thread_name_prefix="db-read")
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._writes_on: Connection | None = None
        self._writer = threading.Thread(target=self._write_groups, name="db-write", daemon=True)
        self._writer.start()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a read transaction on another thread: all that it reads is of one moment."""
        if self._is_closed:
            raise _closed()
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in the writer's next transaction. Returns after the commit: what it wrote is then durable.

        Cancelling the caller does not undo a write that is already waiting.
        """
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._closing:
            if self._is_closed:
                raise _closed()
            self._waiting.put(_Write(work, outcome))
        return await outcome

    def close(self) -> None:
        """Finish what waits, then release the threads and connections. A second call does nothing."""
        with self._closing:
            self._is_closed = True
            self._waiting.put(_STOP)
        self._writer.join()
        self._reading.shutdown()
        self.engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with translated(), self._for_reading.connect() as connection, connection.begin():
            return work(connection)

    def _write_groups(self) -> None:
        while (first := self._next()) is not _STOP:
            group = [first]
            with suppress(queue.Empty):
                while len(group) < _GROUP:
                    group.append(self._waiting.get_nowait())
            if _STOP in group:
                group.remove(_STOP)
                self._waiting.put(_STOP)
            self._commit(group)
        self._let_go()

    def _next(self) -> Any:
        """What waits first. A connection that nobody needs for a while goes back: the pool looks if it still lives."""
        if self._writes_on is not None:
            with suppress(queue.Empty):
                return self._waiting.get(timeout=_KEPT_SECONDS)
            self._let_go()
        return self._waiting.get()

    def _let_go(self) -> None:
        connection, self._writes_on = self._writes_on, None
        if connection is not None:
            connection.close()

    def _commit(self, group: list[_Write]) -> None:
        try:
            values = self._transaction([write.work for write in group])
        except _WorkRaised as raised:
            if len(group) == 1:
                return _settle(group, [], raised.error)
            for write in group:
                self._commit([write])
        except Exception as error:
            if isinstance(error, StorageFull) and self._free_space():
                return self._commit(group)
            _settle(group, [], error)
        else:
            _settle(group, values, None)

    def _transaction(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        """Run all in one transaction. Raises _WorkRaised when one of them did: then nothing was committed."""
        with translated():
            connection = self._writes_on = self._writes_on or self._for_writing.connect()
            try:
                with connection.begin():
                    return _results(works, connection)
            except BaseException:
                self._let_go()
                raise


class _WorkRaised(Exception):
    """A write raised ``error``, as opposed to the transaction around it."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _results(works: list[Callable[[Connection], Any]], connection: Connection) -> list[Any]:
    try:
        with translated():
            return [work(connection) for work in works]
    except StorageFull:
        raise
    except Exception as error:
        raise _WorkRaised(error) from error


def _settle(group: list[_Write], values: list[Any], error: Exception | None) -> None:
    """Tell all who wait for a group how it went, with one wake-up of their loop."""

    def tell() -> None:
        for number, (_, outcome) in enumerate(group):
            if outcome.done():  # cancelled: nobody waits for it any more
                continue
            if error is None:
                outcome.set_result(values[number])
            else:
                outcome.set_exception(error)

    with suppress(RuntimeError):  # the loop is closed, and with it everyone who waited
        group[0].outcome.get_loop().call_soon_threadsafe(tell)


@contextmanager
def translated() -> Iterator[None]:
    """Turns a driver's errors into ours. IntegrityError passes: whoever inserts knows what it means."""
    try:
        yield
    except IntegrityError:
        raise
    except (DataError, OverflowError) as error:
        # A NUL, a number beyond 64 bits, a text longer than its column: what one database takes, another refuses.
        raise InvalidRequest("a value in the request cannot be stored", code="invalid_value") from error
    except DBAPIError as error:
        raise _store_error(error) from error


def _store_error(error: DBAPIError) -> CapsuleError:
    reason = str(error.orig)
    if "disk is full" in reason or "No space left" in reason:
        return StorageFull(
            "the gateway's disk is full; nothing of this request was kept",
            hint="Free space on the disk of the gateway's data directory, then try again.",
        )
    log.error("the store failed: %r", reason)  # for the operator; a driver's words can quote what was to be stored
    return GatewayError(
        "the gateway's store failed", code="store_failed", hint="The reason is in its log: capsule gateway logs"
    )


def _closed() -> GatewayError:
    return GatewayError("the gateway is stopping", code="stopping", status=503, hint="Try again in a moment.")


def _parsed(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("unknown")
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(
            "the database URL is not one of SQLite or PostgreSQL",  # without the URL: it may hold a password
            code="invalid_database_url",
            hint="Use one like postgresql://user@host/name, or none for a file in the data directory.",
        )
    return parsed


def _snapshots(engine: Engine) -> Engine:
    """The engine for reads. A SQLite read transaction is a snapshot anyway; PostgreSQL is asked for one."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _make_engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    # Parameters stay out of errors, and so out of the log: they are people's messages.
    try:
        engine = create_engine(
            url, pool_size=_READERS + 1, max_overflow=0, pool_pre_ping=not is_sqlite, hide_parameters=True
        )
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigError(
            f"the driver of the database URL is not installed: {error}", code="invalid_database_url"
        ) from None
    if not is_sqlite:
        return engine
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: a writer has to begin IMMEDIATE, or it can fail at its first
    # write with "database is locked" after it has read.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("capsule_writer")
    (_BEGIN_WRITING if writes else _BEGIN_READING).run(connection, {})
