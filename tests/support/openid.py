"""An OpenID provider that does what it is told, wrong things too."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID = "capsule-1"


class Told(ThreadingHTTPServer):
    """Says who signed in by ``claims``, signed with ``key``; other paths answer as ``says`` tells them to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Endpoint)
        self.own_key = RSAKey.generate_key(2048, {"kid": "key-1"})
        self.reset()

    def reset(self) -> None:
        """Do all as it should be, from now on."""
        self.key: RSAKey | OctKey = self.own_key
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, str]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

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


class _Endpoint(BaseHTTPRequestHandler):
    server: Told

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        status, text = self.server.answer(self.path)
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/html")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def told_provider() -> Iterator[Told]:
    """A provider to be told what to do."""
    with Told() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
