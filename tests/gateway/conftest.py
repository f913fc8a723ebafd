from __future__ import annotations

import pytest

from tests.support.bench import deploy_workbench
from tests.support.gateway import APPS, GatewayProcess


@pytest.fixture(scope="session")
def echo(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with the app ``echo`` deployed."""
    gateway.deploy(APPS / "echo.py")
    return gateway


@pytest.fixture(scope="session")
def bench(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with the app ``workbench`` deployed, which runs what it is sent."""
    deploy_workbench(gateway)
    return gateway
