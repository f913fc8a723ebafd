from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of its own for each test."""
    for name in ("TOKEN", "GATEWAY_URL", "PROFILE", "DATA_DIR", "ALLOW_HTTP", "KEYRING", "GATEWAY_PORT"):
        monkeypatch.delenv(f"CAPSULE_{name}", raising=False)
    monkeypatch.setenv("CAPSULE_KEYRING", "off")
    monkeypatch.setenv("CAPSULE_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"
