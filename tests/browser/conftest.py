"""One browser for all tests of this folder in a worker; a fresh profile for each visitor of each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor
from tests.support.chromium import chromium
from tests.support.gateway import APPS, GatewayProcess, running_gateway

_numbers = itertools.count(1)
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know how the test ended."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Of this package, not of the session: no event loop of other tests can run beside its own."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all visitors of a worker, with the app ``parlour`` that receives them."""
    with running_gateway(tmp_path_factory.mktemp("house")) as process:
        deploy_parlour(process)
        yield process


def deploy_parlour(gateway: GatewayProcess) -> None:
    """Deploy the app that shows all that a page can show, with what it needs."""
    with gateway.client() as client:
        client.secrets.create({"GITHUB_CLIENT_ID": "none", "GITHUB_CLIENT_SECRET": "none at all"})
        client.filesystems.create("gate")
    gateway.deploy(APPS / "parlour.py")


class Gate:
    """Holds an app's answer back until it is opened: the app waits for the file ``name``."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.name = f"gate-{next(_numbers)}"
        self._gateway = gateway

    def open(self) -> None:
        """Let the answer go on."""
        with self._gateway.client() as client:
            client.filesystems.upload("gate", f"/{self.name}", b"open")


@pytest.fixture
def gate(house: GatewayProcess) -> Gate:
    """A gate of the test's own."""
    return Gate(house)


@pytest.fixture
def come(
    browser: Browser, house: GatewayProcess, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, each with a browser of its own. In the end nothing bad may have happened to any."""
    came: list[Visitor] = []

    def make(origin: str = house.url, **how: object) -> Visitor:
        came.append(Visitor(browser, origin, **how))
        return came[-1]

    yield make
    for number, each in enumerate(came):
        if request.node.stash.get(_FAILED, False):
            each.take_pictures(tmp_path, number)
        each.close()
    assert [mishap for each in came for mishap in each.mishaps] == []


@pytest.fixture
def visitor(come: Callable[..., Visitor]) -> Visitor:
    """Somebody whom nobody knows yet."""
    return come()
