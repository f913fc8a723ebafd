from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import postgres as servers
from tests.support.bench import deploy_workbench
from tests.support.gateway import APPS, GatewayProcess
from tests.support.oauth import Browser


@pytest.fixture(scope="session")
def echo(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with the app ``echo`` deployed."""
    gateway.deploy(APPS / "echo.py")
    return gateway


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """A real PostgreSQL server."""
    programs = servers.programs()
    if programs is None:
        pytest.skip("no PostgreSQL server (initdb, pg_ctl) on this machine")
    server = servers.Postgres(programs)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store: each test that takes one runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/capsule.db"
    server: servers.Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture(scope="session")
def bench(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with the app ``workbench`` deployed, which runs what it is sent."""
    deploy_workbench(gateway)
    return gateway


@pytest.fixture(autouse=True)
def closed_browsers() -> Iterator[None]:
    """Whoever came leaves in the end."""
    yield
    for browser in Browser.opened:
        browser.http.close()
    Browser.opened.clear()
