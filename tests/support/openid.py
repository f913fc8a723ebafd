"""An OpenID provider that does what it is told, wrong things too."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.support.servers import Quiet, Server, running

CLIENT_ID = "capsule-1"


class Told(Server):
    """Says who signed in by ``claims``, signed with ``key``; other paths answer as ``says`` tells them to."""

    def __init__(self) -> None:
        super().__init__(_Endpoint)
        self.own_key = RSAKey.generate_key(2048, {"kid": "key-1"})
        self.reset()

    def reset(self) -> None:
        """Do all as it should be, from now on."""
        self.key: RSAKey | OctKey = self.own_key
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, str]] = {}

    def proves(self, nonce: str, /, **claims: Any) -> None:
        """Vouch for somebody with these claims, besides those that are usual; None leaves one out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": CLIENT_ID, "sub": "told", "iat": now, "exp": now + 60, "nonce": nonce}
        self.claims = {name: value for name, value in (usual | claims).items() if value is not None}

    def says(self, path: str, content: Any, status: int = 200) -> None:
        """Answer with this text, or JSON, at a path from now on."""
        self.answers[path] = (status, content if isinstance(content, str) else json.dumps(content))

    def answer(self, path: str) -> tuple[int, str]:
        """What it says at a path."""
        return self.answers.get(path) or (200, json.dumps(self._usual(path)))

    def _usual(self, path: str) -> Any:
        if path == "/keys":
            return {"keys": [self.own_key.as_dict(private=False)]}
        if path == "/token":
            header = {"alg": self.algorithm, "kid": "key-1"}
            id_token = jwt.encode(header, self.claims, self.key, algorithms=[self.algorithm])
            return {"access_token": "canary-access", "token_type": "Bearer", "id_token": id_token}
        return self.metadata()

    def metadata(self, **other: Any) -> dict[str, Any]:
        """What it says about itself."""
        usual = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return usual | other


class _Endpoint(Quiet):
    server: Told

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        status, text = self.server.answer(self.path)
        data = text.encode()
        self.respond(status, "application/json" if text.startswith("{") else "text/html", data)


@contextmanager
def told_provider() -> Iterator[Told]:
    """A provider to be told what to do."""
    with Told() as server, running(server):
        yield server
