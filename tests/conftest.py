"""Every test runs with the user's own configuration out of reach; a real gateway is there for those that ask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.gateway import GatewayProcess, running_gateway

# How long one example takes says more of the machine than of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

collect_ignore = ["apps", "seeds"]  # what tests deploy and run, not tests


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: most of the time tests wait for the processes that they have started."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CAPSULE_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for kind in ("config", "data", "state"):
        monkeypatch.setenv(f"CAPSULE_{kind.upper()}_DIR", str(home / kind))
    monkeypatch.setenv("CAPSULE_KEYRING", "off")


@pytest.fixture(scope="session")
def real_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all tests that leave it as they found it."""
    with running_gateway(tmp_path_factory.mktemp("gateway")) as process:
        yield process


@pytest.fixture(scope="session")
def gateway(real_gateway: GatewayProcess) -> GatewayProcess:
    """The same; the client's tests mean another one by this name."""
    return real_gateway


@pytest.fixture
def own_gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway of the test's own, to be stopped, killed, or filled."""
    with running_gateway(tmp_path) as process:
        yield process
