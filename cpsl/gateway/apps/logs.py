"""What apps print and log: buffered for a moment, stored together, trimmed, and followed live."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select

from cpsl.engine.protocol import Place
from cpsl.errors import CapsuleError
from cpsl.gateway.bell import Bell
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import apps, log_lines
from cpsl.gateway.db.texts import storable
from cpsl.gateway.secrets.redaction import Redactions
from cpsl.wire.apps import EVERY_LINE, LOG_LEVELS, LogFilter, LogLine
from cpsl.wire.frames import LogRecord

log = logging.getLogger("cpsl.gateway.logs")
_FLUSH_SECONDS = 0.05
_KEPT_LINES = 20_000
_KEPT_CHARACTERS = 16 * 1024 * 1024
_LINE_OVERHEAD = 100
_TRIM_CHARACTERS = 2_000_000  # a thousand empty lines, or fewer full ones
_BUFFERED_LINES = 10_000
_MESSAGE_CHARACTERS = 16_384
_ID_CHARACTERS = 64


class AppLogs:
    """The logs of all apps. ``add`` never blocks; over 10,000 waiting lines, further ones are counted and dropped."""

    def __init__(self, db: Database, redactions: Redactions) -> None:
        self._db = db
        self._redactions = redactions
        self._waiting: list[dict[str, Any]] = []
        self._dropped = 0
        self._flusher: asyncio.Task[None] | None = None
        self._changed: defaultdict[str, Bell] = defaultdict(Bell)
        self._since_trim: defaultdict[str, int] = defaultdict(int)

    def add(self, place: Place, records: list[LogRecord]) -> None:
        """Keep lines of a runtime, without its secrets."""
        for record in records:
            if len(self._waiting) >= _BUFFERED_LINES:
                self._dropped += 1
                continue
            message = self._redactions.clean(place.version_id, record.message)
            self._waiting += [_row(place, record, piece) for piece in _pieces(record.stream, message)]
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())

    def system(self, place: Place, message: str, level: str = "info", **turn: str) -> None:
        """Keep a line of the platform about an app; ``turn`` may give ``session_id`` and ``request_id``."""
        self.add(place, [LogRecord(message, time.time(), level, "system", **turn)])

    async def page(
        self, app_id: str, limit: int, after: int | None = None, wanted: LogFilter = EVERY_LINE
    ) -> list[LogLine]:
        """The last ``limit`` wanted lines, or the first ``limit`` after a line's id; oldest first."""
        query = select(log_lines).where(log_lines.c.app_id == app_id, *_conditions(wanted)).limit(limit)
        if after is None:
            rows = await self._db.read(lambda c: c.execute(query.order_by(log_lines.c.id.desc())).all())
            return [_line(row) for row in reversed(rows)]
        newer = query.where(log_lines.c.id > after).order_by(log_lines.c.id)
        return [_line(row) for row in await self._db.read(lambda c: c.execute(newer).all())]

    async def newest(self, app_id: str) -> int:
        """The id of an app's last line, 0 if there is none."""
        query = select(func.max(log_lines.c.id)).where(log_lines.c.app_id == app_id)
        return await self._db.read(lambda connection: connection.execute(query).scalar()) or 0

    def changed(self, app_id: str) -> Bell:
        """Rings when the app has new lines; whoever waits takes it before reading."""
        return self._changed[app_id]

    async def close(self) -> None:
        """Store what still waits."""
        if self._flusher is not None:
            await self._flusher

    async def _flush(self) -> None:
        await asyncio.sleep(_FLUSH_SECONDS)
        rows, self._waiting, self._flusher = self._waiting, [], None
        if self._dropped:
            log.warning("dropped %d log lines: the apps print faster than they can be stored", self._dropped)
            self._dropped = 0
        try:
            await self._db.write(lambda connection: self._store(connection, rows))
        except CapsuleError as error:
            log.error("lost %d log lines of apps: %s", len(rows), error)
        for app_id in {row["app_id"] for row in rows}:
            self._changed.pop(app_id, Bell()).ring()

    def _store(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        # A line of an app that was just deleted has no place to go.
        known = set(connection.execute(select(apps.c.id)).scalars())
        kept = [row for row in rows if row["app_id"] in known]
        if kept:
            connection.execute(log_lines.insert(), kept)
        for app_id in {row["app_id"] for row in kept}:
            new = [row for row in kept if row["app_id"] == app_id]
            self._since_trim[app_id] += sum(_TRIM_CHARACTERS // 1000 + len(row["message"]) for row in new)
            if self._since_trim[app_id] >= _TRIM_CHARACTERS:
                self._since_trim[app_id] = 0
                _trim(connection, app_id)


def _conditions(wanted: LogFilter) -> list[ColumnElement[bool]]:
    columns = log_lines.c
    less_urgent = LOG_LEVELS[: LOG_LEVELS.index(wanted.level)] if wanted.level else ()
    equal = {
        columns.session_id: wanted.session,
        columns.request_id: wanted.turn,
        columns.version: wanted.version,
        columns.stream: wanted.stream,
    }
    return [
        *(column == value for column, value in equal.items() if value is not None),
        *([columns.created_at >= wanted.since] if wanted.since is not None else []),
        *([columns.created_at < wanted.until] if wanted.until is not None else []),
        *([columns.level.not_in(less_urgent)] if less_urgent else []),
        *([columns.message.icontains(storable(wanted.search), autoescape=True)] if wanted.search else []),
    ]


def _trim(connection: Connection, app_id: str) -> None:
    """Remove what is older than the last lines that are kept, by their number and by their size."""
    newest_first = log_lines.c.id.desc()
    size = func.sum(func.length(log_lines.c.message) + _LINE_OVERHEAD).over(order_by=newest_first)
    number = func.row_number().over(order_by=newest_first)
    ranked = select(log_lines.c.id, size.label("size"), number.label("number")).where(log_lines.c.app_id == app_id)
    lines = ranked.subquery()
    too_old = select(func.max(lines.c.id)).where(or_(lines.c.number > _KEPT_LINES, lines.c.size > _KEPT_CHARACTERS))
    last = connection.execute(too_old).scalar()
    if last is not None:
        connection.execute(delete(log_lines).where(log_lines.c.app_id == app_id, log_lines.c.id <= last))


def _row(place: Place, record: LogRecord, message: str) -> dict[str, Any]:
    """A line as the store takes it, whatever the app has put into its record."""
    now = time.time()
    return {
        "app_id": place.app_id,
        "version": place.version,
        "level": storable(record.level[:10]),
        "stream": storable(record.stream[:10]),
        "message": storable(message),
        "session_id": storable(record.session_id[:_ID_CHARACTERS]),
        "request_id": storable(record.request_id[:_ID_CHARACTERS]),
        "created_at": record.timestamp if 0 < record.timestamp < now else now,
    }


def _pieces(stream: str, message: str) -> list[str]:
    """A printed line as several, if it is long: only now, for half a secret would not be known for one."""
    if stream == "system":
        return [_cut(message)]
    return [message[i : i + _MESSAGE_CHARACTERS] for i in range(0, len(message) or 1, _MESSAGE_CHARACTERS)]


def _cut(message: str) -> str:
    """A long message without its middle: the end of a traceback says what happened."""
    if len(message) <= _MESSAGE_CHARACTERS:
        return message
    half = _MESSAGE_CHARACTERS // 2
    return f"{message[:half]}\n… {len(message) - 2 * half} characters …\n{message[-half:]}"


def _line(row: Row[Any]) -> LogLine:
    return LogLine(
        id=row.id,
        timestamp=row.created_at,
        level=row.level,
        message=row.message,
        stream=row.stream,
        version=row.version,
        session_id=row.session_id,
        request_id=row.request_id,
    )
