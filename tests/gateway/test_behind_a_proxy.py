"""A gateway that browsers reach by another address than its own: a proxy in front of it ends TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import cpsl
from tests.gateway.web.person import Person, heading
from tests.support.gateway import APPS, GatewayProcess
from tests.support.mail import PostOffice, link_in, post_office
from tests.support.oauth import Browser, query
from tests.support.proxy import tls_proxy
from tests.support.servers import certificate, free_port


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the proxy, with its key."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def post() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, trusted: Path, post: PostOffice) -> Iterator[GatewayProcess]:
    """A gateway whose ``url`` is that of the proxy."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(trusted)
    process = GatewayProcess(tmp_path_factory.mktemp("behind"))
    process.port = free_port()
    with tls_proxy(f"http://127.0.0.1:{process.port}", tls) as proxy:
        mail = {"HOST": "127.0.0.1", "PORT": str(post.port), "TLS": "none", "FROM": "apps@example.com"}
        process.env |= {f"CAPSULE_SMTP_{name}": value for name, value in mail.items()}
        process.env["CAPSULE_PUBLIC_URL"] = f"{proxy.url}/"
        process.start()
        try:
            with process.client() as client:
                client.secrets.create({"CONNECTOR_ID": "client-1", "CONNECTOR_SECRET": "secret"})
            process.deploy(APPS / "connector.py")
            process.url = proxy.url
            yield process
        finally:
            process.stop()


@pytest.fixture
def client(behind: GatewayProcess, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[cpsl.Client]:
    """Of somebody elsewhere."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with behind.client() as client:
        yield client


@pytest.fixture
def person(behind: GatewayProcess, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with Person(behind, "connector", "ada@example.com") as person:
        yield person


def test_an_account_from_the_form_to_the_link_in_the_letter(
    behind: GatewayProcess, person: Person, post: PostOffice
) -> None:
    assert person.sign_up().status_code == 200
    link = link_in(post.wait_for(person.email))
    assert link.startswith(f"{behind.url}/a/connector/verify/")
    assert person.http.get(link).status_code == 200
    assert person.sign_in().status_code == 303
    assert heading(person.open("/account"))
    assert {each.secure for each in person.http.cookies.jar} == {True}


def test_a_conversation(person: Person) -> None:
    said = person.say("all")
    assert "{}" in "".join(person.answered(said["request_id"]).values())


def test_whom_others_are_told_to_come_to(behind: GatewayProcess, client: cpsl.Client, trusted: Path) -> None:
    assert client.apps.get("connector").url == f"{behind.url}/a/connector"
    with pytest.raises(cpsl.PromptRequired) as asked:
        client.chat("connector", "github")
    link = asked.value.link
    assert link.startswith(f"{behind.url}/connect/")
    browser = Browser(behind, is_known=False)
    browser.http.close()
    browser.http = httpx.Client(base_url=behind.url, verify=ssl.create_default_context(cafile=trusted))
    leaving = browser.leave(browser.get(link))
    assert query(leaving)["redirect_uri"] == f"{behind.url}/oauth/callback/github"


def test_this_machine_comes_past_the_proxy(behind: GatewayProcess) -> None:
    own = f"http://127.0.0.1:{behind.port}"
    assert behind.bootstrap().gateway_url == own
    assert f"listening on {own}, known as {behind.url}" in behind.log()
    with behind.client(url=own) as client:
        assert client.apps.get("connector").url.startswith(behind.url)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that is known by a name."""
    process = GatewayProcess(tmp_path_factory.mktemp("named"))
    process.env["CAPSULE_PUBLIC_URL"] = "https://Apps.example.test"
    process.start()
    yield process
    process.stop()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("apps.example.test", 200),
        ("APPS.example.test:443", 200),
        ("127.0.0.1:1980", 200),
        ("example.test", 421),
        ("evil.apps.example.test", 421),
        ("apps.example.test.evil.example", 421),
    ],
)
def test_it_answers_to_its_name_and_to_no_other(named: GatewayProcess, host: str, status: int) -> None:
    answer = named.ask("GET", "/healthz", headers={"Host": host})
    assert answer.status_code == status
    assert status == 200 or "https://Apps.example.test" in answer.json()["hint"]
