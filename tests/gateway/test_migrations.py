"""Migrations: they make what the schema says, keep what is there, and leave nothing half."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from cpsl.errors import ConfigError
from cpsl.gateway.db import migrations
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.migrate import migrate
from cpsl.gateway.db.schema import accounts, metadata, workspaces

_REBUILD = """
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("workspaces") as batch:
        batch.alter_column("name", type_=sa.String(150), existing_nullable=False)
        batch.add_column(sa.Column("region", sa.String(10), nullable=False, server_default="here"))
    {then}
"""


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    db = Database(store_url)
    yield db.engine
    db.close()


def _head(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def _fill(engine: Engine) -> None:
    with engine.begin() as connection:
        workspace = {"id": "wsp_1", "name": "default", "data_key": b"k", "created_at": 1.5}
        connection.execute(workspaces.insert().values(workspace))
        row = {"id": "acc_1", "workspace_id": "wsp_1", "email": "me@here", "role": "owner", "created_at": 2.5}
        connection.execute(accounts.insert().values(row))


def _rows(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        query = (
            "SELECT w.id, w.name, w.created_at, a.id, email FROM workspaces w JOIN accounts a ON workspace_id = w.id"
        )
        return [tuple(row) for row in connection.execute(text(query))]


ROWS = [("wsp_1", "default", 1.5, "acc_1", "me@here")]


def _with_another(tmp_path: Path, engine: Engine, then: str = "") -> str:
    """The project's migrations and one more, that rebuilds a table to which others refer."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(str(migrations.__file__)).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "m9001.py").write_text(_REBUILD.format(head=_head(engine), then=then))
    return str(folder)


def test_the_migrated_store_is_what_the_schema_says(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_a_store_that_is_up_to_date_is_left_as_it_is(engine: Engine) -> None:
    migrate(engine)
    _fill(engine)
    migrate(engine)
    assert _rows(engine) == ROWS


def test_an_upgrade_keeps_the_rows_also_of_tables_that_refer_to_a_rebuilt_one(engine: Engine, tmp_path: Path) -> None:
    migrate(engine)
    _fill(engine)
    migrate(engine, _with_another(tmp_path, engine))
    assert _head(engine) == "9001"
    assert _rows(engine) == ROWS
    with engine.begin() as connection:
        assert connection.execute(text("SELECT region FROM workspaces")).scalar_one() == "here"
        connection.execute(text("DELETE FROM workspaces"))
    assert _rows(engine) == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 0  # foreign keys hold again


@pytest.mark.parametrize("then", ["raise KeyError('broken')", "op.execute('SELECT * FROM nothing')"])
def test_an_upgrade_that_fails_leaves_the_store_as_it_was(engine: Engine, tmp_path: Path, then: str) -> None:
    migrate(engine)
    _fill(engine)
    before = _head(engine)
    with pytest.raises((KeyError, ConfigError)):
        migrate(engine, _with_another(tmp_path, engine, then))
    assert _head(engine) == before
    assert _rows(engine) == ROWS
    with engine.connect() as connection:
        assert "region" not in [each["name"] for each in inspect(connection).get_columns("workspaces")]


def test_a_store_of_a_newer_gateway_is_refused_clearly(engine: Engine, tmp_path: Path) -> None:
    migrate(engine)
    _fill(engine)
    migrate(engine, _with_another(tmp_path, engine))
    with pytest.raises(ConfigError) as caught:
        migrate(engine)
    assert caught.value.code == "store_too_new"
    assert "newer gateway" in caught.value.message
    assert "pip install --upgrade" in (caught.value.hint or "")
    assert _head(engine) == "9001"
    assert _rows(engine) == ROWS


@pytest.mark.parametrize(
    "content", [b"this is not a database, but long enough to be one" * 100, b"SQLite format 3\0" * 300]
)
def test_a_damaged_file_is_refused_clearly(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "capsule.db").write_bytes(content)
    db = Database(f"sqlite:///{tmp_path}/capsule.db")
    with pytest.raises(ConfigError) as caught:
        migrate(db.engine)
    db.close()
    assert caught.value.code == "store_unusable"
    assert (tmp_path / "capsule.db").read_bytes() == content
