"""One writer, many readers: you pass a function of a connection, and await what it returns.

Reads run side by side on a small pool of threads. Writes go through one thread that takes whatever is waiting, runs it
inside one transaction and commits once ("group commit"): with SQLite's ``synchronous=FULL`` that is what makes
durability cheap under load, and it is the same code path on PostgreSQL. A write that raises is rolled back to its
savepoint; its neighbours in the group are not touched.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from cpsl.errors import CapsuleError, GatewayError, StorageFull

T = TypeVar("T")
_READERS = 4
_GROUP = 256
_STOP = object()


class Database:
    """A store at an SQLAlchemy ``url``. ``close`` waits for the writes under way."""

    def __init__(self, url: str) -> None:
        self.engine = _make_engine(url)
        self._reading = ThreadPoolExecutor(_READERS, thread_name_prefix="db-read")
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_groups, name="db-write", daemon=True)
        self._writer.start()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a read transaction on another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in the writer's next transaction. Returns after the commit: what it wrote is then durable.

        Cancelling the caller does not undo a write that is already waiting.
        """
        outcome: Future[T] = Future()
        self._waiting.put((work, outcome))
        return await asyncio.wrap_future(outcome)

    def close(self) -> None:
        """Finish what waits, then release the threads and connections. A second call does nothing."""
        self._waiting.put(_STOP)
        self._writer.join()
        self._reading.shutdown()
        self.engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with _translated(), self.engine.connect() as connection:
            return work(connection)

    def _write_groups(self) -> None:
        while (first := self._waiting.get()) is not _STOP:
            group = [first]
            with suppress(queue.Empty):
                while len(group) < _GROUP:
                    group.append(self._waiting.get_nowait())
            if _STOP in group:
                group.remove(_STOP)
                self._waiting.put(_STOP)
            self._commit(group)

    def _commit(self, group: list[tuple[Callable[[Connection], Any], Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        try:
            with _translated(), self.engine.connect() as connection:
                connection.execution_options(capsule_writer=True)
                with connection.begin():
                    for work, outcome in group:
                        self._run(connection, work, outcome, done, alone=len(group) == 1)
        except Exception as error:
            for _, outcome in group:
                _reject(outcome, error)
        else:
            for outcome, value in done:
                _resolve(outcome, value)

    @staticmethod
    def _run(
        connection: Connection,
        work: Callable[[Connection], Any],
        outcome: Future[Any],
        done: list[tuple[Future[Any], Any]],
        *,
        alone: bool,
    ) -> None:
        if alone:
            done.append((outcome, work(connection)))
            return
        try:
            with _translated(), connection.begin_nested():
                value = work(connection)
        except StorageFull:
            raise
        except Exception as error:
            _reject(outcome, error)
        else:
            done.append((outcome, value))


def _resolve(outcome: Future[Any], value: Any) -> None:
    if outcome.set_running_or_notify_cancel():
        outcome.set_result(value)


def _reject(outcome: Future[Any], error: Exception) -> None:
    if not outcome.done() and outcome.set_running_or_notify_cancel():
        outcome.set_exception(error)


@contextmanager
def _translated() -> Iterator[None]:
    """Turns a driver's errors into ours. IntegrityError passes: whoever inserts knows what it means."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise _store_error(error) from error


def _store_error(error: DBAPIError) -> CapsuleError:
    reason = str(error.orig)
    if "disk is full" in reason or "No space left" in reason:
        return StorageFull(
            "the gateway's disk is full; nothing of this request was kept",
            hint="Free space on the disk of the gateway's data directory, then try again.",
        )
    return GatewayError(f"the gateway's store failed: {reason}", code="store_failed")


def _make_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=_READERS + 1, max_overflow=0, pool_pre_ping=True)
    engine = create_engine(url, pool_size=_READERS + 1, max_overflow=0)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: a writer has to begin IMMEDIATE, or it can fail at its first
    # write with "database is locked" after it has read.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("capsule_writer")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
