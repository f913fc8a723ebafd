"""Brings a store to the newest schema, step by step, from whichever it has."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine

from cpsl.errors import ConfigError


def migrate(engine: Engine) -> None:
    """Run the migrations that the store has not had. Raises ConfigError for a store that a newer gateway wrote."""
    config = Config()
    config.set_main_option("script_location", "cpsl.gateway.db:migrations")
    with engine.connect() as connection:
        connection.execution_options(capsule_writer=True)
        with connection.begin():
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise ConfigError(
                    f"this store was written by a newer gateway ({error})",
                    code="store_too_new",
                    hint="Upgrade with: pip install --upgrade 'capsule-cli[gateway]'",
                ) from error
