"""A browser without a screen: it keeps cookies, sends what a page would, and follows an answer's parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.gateway import GatewayProcess


class Browser:
    """One visitor of an app's pages; ``host`` is another name by which it asks, like ``echo.localhost``."""

    def __init__(self, gateway: GatewayProcess, app: str, host: str = "") -> None:
        self.app = app
        self.base = "" if host else f"/a/{app}"
        headers = {"Host": f"{host}:{gateway.port}"} if host else {}
        self.http = httpx.Client(base_url=gateway.url, headers=headers, timeout=30)
        self._csrf = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()

    def open(self, path: str = "") -> httpx.Response:
        """A page."""
        page = self.http.get(f"{self.base}{path}" or "/")
        found = re.search(r'data-csrf="([^"]+)"', page.text)
        self._csrf = found[1] if found else self._csrf
        return page

    def call(self, method: str, path: str, **how: Any) -> httpx.Response:
        """What a script of the page asks."""
        headers = {"X-CSRF-Token": self._csrf, "Sec-Fetch-Site": "same-origin"} | how.pop("headers", {})
        return self.http.request(method, path, headers=headers, **how)

    def api(self, method: str, path: str, **how: Any) -> httpx.Response:
        """The same of the app's part of the API."""
        return self.call(method, f"/api/v1/app/{self.app}{path}", **how)

    def say(self, text: str, session: str | None = None, key: str | None = None) -> dict[str, Any]:
        """Send a message."""
        if not self._csrf:
            self.open()
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.call("POST", f"{self.base}/messages", json={"text": text, "session_id": session}, headers=headers)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def follow(self, turn: str, after: int = 0, last: str = "") -> Iterator[tuple[str, str, Any]]:
        """The events of an answer: id, type, data."""
        path = f"{self.base}/turns/{turn}/parts"
        with self.http.stream(
            "GET", path, params={"after": after}, headers={"Last-Event-ID": last} if last else {}
        ) as answer:
            assert answer.status_code == 200, answer.read()
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif event:
                    yield event.get("id", ""), event["event"], json.loads(event["data"])
                    event = {}

    def answered(self, turn: str, after: int = 0) -> dict[str, str]:
        """The parts of an answer when it is over, by their ids."""
        return {data["id"]: data["html"] for _, kind, data in self.follow(turn, after) if kind == "part"}

    def transcript(self, session: str) -> dict[str, str]:
        """The answers in a conversation's page, by their ids, with what is in them."""
        page = self.open(f"/c/{session}").text
        found = re.findall(r'(<div class="answer" id="([^"]+)".*?</div>)\n(?=<|\Z)', page, re.DOTALL)
        return {part_id: html for html, part_id in found}
