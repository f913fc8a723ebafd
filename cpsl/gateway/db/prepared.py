"""Statements that every turn runs: compiled once, then given to the driver as text and values.

To find, bind and wrap up such a small statement costs SQLAlchemy several times what the database has to do for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, TextClause, Update
from sqlalchemy.exc import DBAPIError

Values = Mapping[str, Any]
Statement = Insert | Update | Select[Any] | TextClause


class Prepared:
    """A statement that takes ``names``, or those that it binds. What it raises is what SQLAlchemy would raise."""

    def __init__(self, statement: Statement, names: str = "") -> None:
        self._statement = statement
        self._names = names.split() or None
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, *rows: Values) -> None:
        """Execute it for each of ``rows``. Columns of JSON take plain values, as everywhere."""
        self._on(connection).execute(connection, rows)

    def fetch(self, connection: Connection, values: Values) -> list[Any]:
        """The rows that a SELECT finds, as the driver has them: tuples, JSON as text."""
        return self._on(connection).execute(connection, (values,), fetches=True)

    def _on(self, connection: Connection) -> _Compiled:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled(self._statement, self._names, dialect)
        return compiled


class _Compiled:
    """A statement as one database writes it, and how it takes its values."""

    def __init__(self, statement: Statement, names: list[str] | None, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=names)
        processors = _processors(compiled.binds, dialect)
        self._text = str(compiled)
        self._by_position = compiled.positiontup is not None
        self._takes = [(name, processors.get(name)) for name in compiled.positiontup or compiled.binds]

    def execute(self, connection: Connection, rows: tuple[Values, ...], *, fetches: bool = False) -> list[Any]:
        bound = [self._bound(row) for row in rows]
        driver = connection.dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:
            if len(bound) == 1:
                cursor.execute(self._text, bound[0])
            else:
                cursor.executemany(self._text, bound)
            return list(cursor.fetchall()) if fetches else []
        except driver.Error as error:
            # Without the values: they are people's messages.
            raise DBAPIError.instance(
                self._text, None, error, driver.Error, hide_parameters=True, dialect=connection.dialect
            ) from error
        finally:
            cursor.close()

    def _bound(self, row: Values) -> Any:
        if self._by_position:
            return [row[name] if convert is None else convert(row[name]) for name, convert in self._takes]
        return {name: row[name] if convert is None else convert(row[name]) for name, convert in self._takes}


def _processors(binds: Mapping[str, Any], dialect: Dialect) -> dict[str, Callable[[Any], Any]]:
    """How the driver wants the values that it does not take as they are."""
    found = {name: bound.type.dialect_impl(dialect).bind_processor(dialect) for name, bound in binds.items()}
    return {name: processor for name, processor in found.items() if processor is not None}
