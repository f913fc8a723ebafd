"""Brings a store to the newest schema, step by step, from whichever it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from cpsl.errors import ConfigError

_SCRIPTS = "cpsl.gateway.db:migrations"


def migrate(engine: Engine, scripts: str = _SCRIPTS) -> None:
    """Run the migrations in ``scripts`` that the store has not had: all of them, or none.

    Raises ConfigError for a store that cannot be opened (``store_unusable``) or that a newer gateway wrote
    (``store_too_new``).
    """
    try:
        with engine.connect() as connection, _without_cascades(connection), connection.begin():
            _upgrade(connection, scripts)
    except DBAPIError as error:
        raise ConfigError(
            f"the gateway's store cannot be used: {error.orig}",
            code="store_unusable",
            hint="Check that the database runs and lets you in, or that its file is not damaged.",
        ) from error


def _upgrade(connection: Connection, scripts: str) -> None:
    config = Config()
    config.set_main_option("script_location", scripts)
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            f"this store was written by a newer gateway ({error})",
            code="store_too_new",
            hint="Upgrade with: pip install --upgrade 'capsule-cli[gateway]'",
        ) from error
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise ConfigError("a migration would leave rows without their owners", code="store_unusable")


@contextmanager
def _without_cascades(connection: Connection) -> Iterator[None]:
    """Keep SQLite's foreign keys off while tables are rebuilt.

    Alembic alters a SQLite table by dropping it and putting a copy in its place, and the drop would delete every row
    of other tables that refers to it. The pragma only works outside of a transaction.
    """
    connection.execution_options(capsule_writer=True)
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")
