from collections.abc import Iterator
from pathlib import Path

import pytest

from .gateway import FakeGateway


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of its own for each test."""
    for name in ("TOKEN", "GATEWAY_URL", "PROFILE", "ALLOW_HTTP"):
        monkeypatch.delenv(f"CAPSULE_{name}", raising=False)
    monkeypatch.setenv("CAPSULE_KEYRING", "off")
    monkeypatch.setenv("CAPSULE_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A server on loopback that speaks the turn API and cuts connections where it is told to."""
    with FakeGateway() as running:
        yield running
