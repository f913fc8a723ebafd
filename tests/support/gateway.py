"""A real gateway in a process of its own, on loopback, with directories of its own."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

import cpsl
from cpsl import bundle
from cpsl.wire.accounts import Bootstrap, NewToken
from cpsl.wire.apps import DeployDone

APPS = Path(__file__).parent.parent / "apps"
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to load the machine's certificates takes longer than most tests


class GatewayProcess:
    """A gateway that a test may stop, kill and start again. ``env`` is what a client of it needs in its environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data_dir = home / "data"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CAPSULE_")},
            "CAPSULE_CONFIG_DIR": str(home / "config"),
            "CAPSULE_DATA_DIR": str(self.data_dir),
            "CAPSULE_STATE_DIR": str(home / "state"),
            "CAPSULE_KEYRING": "off",
        }
        self.port = 0
        self.url = ""
        self.token = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._log = home / "gateway.out"

    def start(self) -> None:
        """Start it and wait until it answers; after the first time on the same port."""
        argv = [sys.executable, "-m", "cpsl.gateway", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log)
        self._wait_until_ready()
        self.token = self.token or self.log_in().access_token

    def bootstrap(self) -> Bootstrap:
        """What it left for its owner."""
        return msgspec.json.decode((self.data_dir / "bootstrap.json").read_bytes(), type=Bootstrap)

    def log_in(self) -> NewToken:
        """A token of the owner, by the bootstrap file."""
        body = {"bootstrap_secret": self.bootstrap().bootstrap_secret}
        response = self.ask("POST", "/api/v1/auth/local", json=body)
        assert response.is_success, response.text
        return msgspec.json.decode(response.content, type=NewToken)

    def member(self, email: str, workspace: str | None = None) -> str:
        """A token of another account, in this workspace or in one of its own."""
        with self.http() as http:
            account = http.post("/accounts", json={"email": email, "workspace": workspace}).json()
            return str(http.post("/tokens", json={"account_id": account["id"]}).json()["access_token"])

    def colleague(self, email: str) -> cpsl.Client:
        """A client of another account in the owner's workspace: another user of the same apps."""
        return self.client(self.member(email, "default"))

    def client(self, token: str | None = None, url: str | None = None) -> cpsl.Client:
        """A client as a script would make it."""
        return cpsl.Client(token=token or self.token, gateway_url=url or self.url)

    def deploy(self, source: Path, *, name: str = "app.py", entry: str = "app.py:app") -> DeployDone:
        """Deploy one file as a project of its own."""
        with tempfile.TemporaryDirectory(dir=self.home) as folder, self.client() as client:
            shutil.copy(source, Path(folder) / name)
            archive = bundle.pack(bundle.collect(Path(folder)))
            *_, last = client.deploys.create(archive, entry)
        assert isinstance(last, DeployDone), last
        return last

    def http(self, token: str | None = None) -> httpx.Client:
        """A bare HTTP client of its API."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30, verify=_NO_TLS)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        """One request without a token, to any path."""
        with httpx.Client(base_url=self.url, timeout=30, verify=_NO_TLS) as http:
            return http.request(method, path, **how)

    def stop(self) -> int:
        """End it in order; its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it as a power cut would."""
        return self._end(signal.SIGKILL)

    def log(self) -> str:
        """All that it printed."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        status = self._process.wait(30)
        self._process = None
        return status

    def _wait_until_ready(self) -> None:
        state = self.data_dir / "gateway.json"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            if state.exists() and (found := msgspec.json.decode(state.read_bytes()))["pid"] == self.pid:
                self.url = found["url"]
                self.port = int(self.url.rpartition(":")[2])
                return
            time.sleep(0.02)
        raise AssertionError(f"the gateway did not come up:\n{self.log()}")


@contextmanager
def running_gateway(home: Path, **environment: str) -> Iterator[GatewayProcess]:
    """A gateway that is stopped in the end, with more in its ``environment`` if need be."""
    process = GatewayProcess(home)
    process.env |= environment
    process.start()
    try:
        yield process
    finally:
        process.stop()
