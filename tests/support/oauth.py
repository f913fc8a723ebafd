"""Browsers that connect integrations, and a provider that does what it is told, wrong things too."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

from cpsl.gateway.users.cookies import Signer
from cpsl.gateway.vault import Key
from tests.support.gateway import GatewayProcess
from tests.support.processes import eventually
from tests.support.servers import Quiet, Server, running

Page = httpx.Response


class Browser:
    """A browser without scripts of a visitor of an app: keeps cookies, follows redirects, sends forms."""

    opened: ClassVar[list[Browser]] = []

    def __init__(self, gateway: GatewayProcess, app: str = "connector", *, is_known: bool = True) -> None:
        self.gateway = gateway
        self.app = app
        self.base = f"/a/{app}"
        self.http = httpx.Client(base_url=gateway.url, timeout=30, trust_env=False, follow_redirects=True)
        self.opened.append(self)
        if is_known:
            self._become_known()

    def _become_known(self) -> None:
        signer = signer_of(self.gateway)
        with self.gateway.client() as client:
            app_id = client.apps.get(self.app).id
        value = signer.new_visitor(app_id)
        self.http.cookies.set(f"capsule_{app_id}", value, domain="127.0.0.1")
        self.http.headers["X-CSRF-Token"] = signer.csrf_token(value)

    def say(self, text: str) -> dict[str, Any]:
        """Send a message to the app; its answer, or the prompt that it waits with."""
        answer = self.http.post(f"/api/v1/app/{self.app}/chat", json={"text": text})
        assert answer.is_success, answer.text
        return dict(answer.json())

    def end_of(self, request_id: str) -> str:
        """What the app said in a turn, once it has ended."""
        assert eventually(lambda: self.http.get(f"/api/v1/turns/{request_id}").json()["state"] != "running")
        events = self.http.get(f"/api/v1/turns/{request_id}/events").text
        assert "event: done" in events, events
        return "".join(json.loads(line[6:])["text"] for line in events.splitlines() if '"type":"chunk"' in line)

    def connections(self) -> list[dict[str, Any]]:
        """What is connected, as the API says it."""
        return list(self.http.get(f"/api/v1/app/{self.app}/connections").json()["connections"])

    def get(self, url: str) -> Page:
        return self.http.get(url)

    def send(self, page: Page, **values: str) -> Page:
        """Send the form of a page, as it is filled in already and with more ``values``."""
        form = re.search(r'<form method="post" action="([^"]*)"', page.text)
        assert form, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        action = httpx.URL(str(page.url)).join(unescape(form[1]))
        return self.http.post(action, data={**hidden, **values})

    def leave(self, page: Page) -> str:
        """Press the button of a connect page; the URL at the provider."""
        leaving = self.send(page)
        assert leaving.status_code == 200, leaving.text
        return leaving.headers["refresh"].removeprefix("0; url=")

    def agree(self, url: str, user: str = "ada") -> str:
        """Sign in at the provider and agree; where it sends the browser back to."""
        answer = httpx.post(url, data={"sub": user}, trust_env=False)
        assert answer.status_code in (302, 303), answer.text
        return answer.headers["location"]

    def come_back(self, url: str, **answer: str) -> Page:
        """Return from the provider at ``url`` with what it may have answered."""
        asked = query(url)
        answer = {"code": "code-1", "state": asked["state"], **answer}
        return self.get(f"{asked['redirect_uri']}?{urlencode(answer)}")

    def refuse(self, url: str) -> str:
        """The same, saying no."""
        answer = httpx.post(url, data={"action": "deny"}, trust_env=False)
        return f"{answer.headers['location']}&state={query(url)['state']}"

    def connect(self, path: str, user: str = "ada") -> Page:
        """All of it, from the page with the button to the one that says that it is connected."""
        return self.get(self.agree(self.leave(self.get(path)), user))


def signer_of(gateway: GatewayProcess) -> Signer:
    """What signs the cookies of a gateway: a test may read its key."""
    [key] = json.loads((gateway.home / "config" / "credentials.json").read_text()).values()
    return Signer(Key(base64.b64decode(key)).derived("browsers"))


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


class Bad(Server):
    """A provider whose token endpoint answers as ``answer`` says; ``asked`` is what it was asked."""

    def __init__(self) -> None:
        super().__init__(_Endpoint)
        self.asked: list[dict[str, str]] = []
        self.revoked: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, str]], tuple[int, str, Any]] = lambda _: (200, "application/json", {})

    def gives(self, **token: Any) -> None:
        """Answer with this token from now on, or with this ``error``."""
        status = 400 if "error" in token else 200
        self.answer = lambda _: (status, "application/json", token)

    def says(self, text: str, status: int = 200, kind: str = "text/html") -> None:
        """Answer with this text from now on."""
        self.answer = lambda _: (status, kind, text)


class _Endpoint(Quiet):
    server: Bad

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if self.path == "/revoke":
            self.server.revoked.append(form)
        else:
            self.server.asked.append(form)
        status, kind, content = self.server.answer(form)
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.respond(status, kind, data)


@contextmanager
def bad_provider() -> Iterator[Bad]:
    """A provider to be told what to do."""
    with Bad() as server, running(server):
        yield server
