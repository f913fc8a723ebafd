"""An OAuth and OpenID provider from someone else's package, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx

from tests.support.servers import free_port


class Registered(NamedTuple):
    """What a provider gives to an application that signs up with it (RFC 7591)."""

    client_id: str
    client_secret: str


class Provider:
    """A provider at ``url``. Its users sign in with any name; there are no passwords."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://localhost:{port}"
        self.authorize_url = f"{self.url}/oauth2/authorize"
        self.token_url = f"{self.url}/oauth2/token"
        self.userinfo_url = f"{self.url}/userinfo"

    def register(self, redirect_uri: str, scope: str, method: str = "client_secret_basic") -> Registered:
        """Make an application known, with the scopes that it may be granted, parted by spaces."""
        body = {"redirect_uris": [redirect_uri], "scope": scope, "token_endpoint_auth_method": method}
        made = httpx.post(f"{self.url}/oauth2/clients", json=body, trust_env=False).raise_for_status().json()
        return Registered(made["client_id"], made["client_secret"])

    def has(self, user: str, **claims: str | bool) -> None:
        """Give a user claims, as ``/userinfo`` tells them."""
        httpx.put(f"{self.url}/users/{user}", json=claims, trust_env=False).raise_for_status()

    def forget_tokens(self, user: str) -> None:
        """Make every token of a user worthless."""
        httpx.post(f"{self.url}/users/{user}/revoke-tokens", trust_env=False).raise_for_status()

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                httpx.get(self.url, trust_env=False)
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError("the provider did not come up")


@contextmanager
def running_provider(*options: str, port: int = 0) -> Iterator[Provider]:
    """A provider with more of its command line's ``options`` if need be."""
    provider = Provider(port or free_port())
    argv = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(provider.port), *options]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        provider.wait_until_ready(process)
        yield provider
    finally:
        process.terminate()
        process.wait(10)
