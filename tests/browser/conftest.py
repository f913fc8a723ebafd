"""One browser for all tests of this folder in a worker; a fresh profile for each visitor of each test."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor
from tests.support.chromium import chromium
from tests.support.gateway import GatewayProcess

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


@pytest.fixture
def come(
    browser: Browser, gateway: GatewayProcess, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, each with a browser of its own. In the end nothing bad may have happened to any."""
    came: list[Visitor] = []

    def make(origin: str = gateway.url, **how: object) -> Visitor:
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
