"""One browser for all tests of this folder in a worker. Each visitor of each test finds it as if nobody had been there.

To make a profile and to fill its cache takes longer than most tests, so the first visitors of all tests share one,
which forgets everything but style sheets and scripts in between. All others have profiles of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.visitor import Visitor
from tests.support.chromium import chromium
from tests.support.gateway import APPS, GatewayProcess, running_gateway
from tests.support.mail import PostOffice, post_office
from tests.support.provider import Provider, running_provider
from tests.support.servers import free_port

SEEDS = Path(__file__).parent.parent / "seeds"
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
def post() -> Iterator[PostOffice]:
    """Where the gateway's mail arrives."""
    with post_office() as office:
        yield office


@pytest.fixture(scope="package")
def provider_port() -> int:
    """Where GitHub is, as far as the gateway knows; it need not be up."""
    return free_port()


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory, post: PostOffice, provider_port: int) -> Iterator[GatewayProcess]:
    """One gateway for all visitors of a worker, with the app ``parlour`` that receives them."""
    home = tmp_path_factory.mktemp("house")
    github = Provider(provider_port)
    (home / "providers.toml").write_text(
        f'[github]\nauthorize_url = "{github.authorize_url}"\ntoken_url = "{github.token_url}"\n'
        f'account_url = "{github.userinfo_url}"\n'
    )
    settings = {
        "CAPSULE_PROVIDERS_FILE": str(home / "providers.toml"),
        "CAPSULE_SMTP_HOST": "127.0.0.1",
        "CAPSULE_SMTP_PORT": str(post.port),
        "CAPSULE_SMTP_FROM": "apps@example.com",
        "CAPSULE_SMTP_TLS": "none",
    }
    with running_gateway(home, **settings) as process:
        deploy_parlour(process)
        yield process
        process.kill()  # what still waits for somebody would hold it up


@pytest.fixture(scope="package")
def github(house: GatewayProcess, provider_port: int) -> Iterator[Provider]:
    """What the gateway takes for GitHub. It knows the client that the apps of ``house`` name in their secrets."""
    with running_provider(port=provider_port) as provider:
        provider.has("octocat", login="octocat")
        client_id, client_secret = provider.register(
            f"{house.url}/oauth/callback/github", "repo read:user", "client_secret_post"
        )
        with house.client() as client:
            known = {"GITHUB_CLIENT_ID": client_id, "GITHUB_CLIENT_SECRET": client_secret}
            client.secrets.create(known, overwrite=True)
        yield provider


@pytest.fixture(scope="package")
def tutorial(house: GatewayProcess, github: Provider) -> GatewayProcess:
    """``house`` with the app of the tutorial, as it is written there."""
    with house.client() as client:
        client.secrets.create({"OPENAI_API_KEY": "sk-only-a-test"})
        client.filesystems.create("reports")
    house.deploy(SEEDS / "tutorial.py")
    return house


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


@pytest.fixture(scope="package")
def profile(browser: Browser, house: GatewayProcess) -> BrowserContext:
    """The one that is shared: see above."""
    return browser.new_context(base_url=house.url, accept_downloads=True)


@pytest.fixture
def come(
    browser: Browser, house: GatewayProcess, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, each with a browser of its own. In the end nothing bad may have happened to any."""
    came: list[Visitor] = []

    def make(origin: str = house.url, **how: Any) -> Visitor:
        came.append(Visitor(browser.new_context(base_url=origin, accept_downloads=True, **how), origin))
        return came[-1]

    yield make
    for number, each in enumerate(came):
        if request.node.stash.get(_FAILED, False):
            each.take_pictures(tmp_path, number)
        each.close()
    assert [mishap for each in came for mishap in each.mishaps] == []


@pytest.fixture
def visitor(
    profile: BrowserContext, house: GatewayProcess, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Visitor]:
    """Somebody whom nobody knows yet, in the browser that is shared."""
    somebody = Visitor(profile, house.url)
    yield somebody
    if request.node.stash.get(_FAILED, False):
        somebody.take_pictures(tmp_path, 0)
    somebody.leave()
    assert somebody.mishaps == []
