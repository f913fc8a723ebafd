"""Somebody who fills in the forms of an app's pages, in a browser without a screen."""

from __future__ import annotations

import re

import httpx

from tests.gateway.web.browser import Browser
from tests.support.gateway import GatewayProcess

PASSWORD = "correct horse battery"


class Person(Browser):
    """One browser of somebody with an ``email`` address."""

    def __init__(self, gateway: GatewayProcess, app: str, email: str, host: str = "") -> None:
        super().__init__(gateway, app, host)
        self.email = email

    def form(self, path: str, fields: dict[str, str], page: str = "") -> httpx.Response:
        """Open a page (``path``, if it is the form's own), fill its form in and send it."""
        fields = {"csrf_token": self.token(page or path)} | fields
        return self.http.post(f"{self.base}{path}", data=fields)

    def token(self, page: str) -> str:
        """What the forms of a page bring along."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.open(page).text)
        assert found, page
        return found[1]

    def sign_up(self, password: str = PASSWORD) -> httpx.Response:
        return self.form("/sign-up", {"email": self.email, "password": password})

    def sign_in(self, password: str = PASSWORD, next: str = "") -> httpx.Response:
        return self.form("/sign-in", {"email": self.email, "password": password, "next": next})

    def enter(self) -> Person:
        """Make an account, and sign in."""
        assert self.sign_up().status_code == 200
        assert self.sign_in().status_code == 303
        return self

    def account(self, action: str, **fields: str) -> httpx.Response:
        """Change something on the page of the account."""
        return self.form(f"/account/{action}", fields, "/account")

    @property
    def is_in(self) -> bool:
        """Whether this browser is signed in."""
        return self.open("/account").status_code == 200

    @property
    def cookie(self) -> str:
        """The value of the app's cookie."""
        return next((each.value or "" for each in self.http.cookies.jar if not each.name.endswith("_known")), "")


def heading(page: httpx.Response) -> str:
    """What a page is called."""
    found = re.findall(r"<h1[^>]*>(.*?)</h1>", page.text)
    assert len(found) == 1, page.text
    return str(found[0])


def told(page: httpx.Response) -> str:
    """What a page says is wrong."""
    found = re.search(r'class="error"[^>]*>(.*?)</p>', page.text)
    return found[1] if found else ""
