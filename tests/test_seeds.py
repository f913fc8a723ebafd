"""The scripts of the documents that users gave us run unchanged, and the examples do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cpsl
from cpsl.client.login import login_local
from tests.support.gateway import APPS, GatewayProcess

ROOT = Path(__file__).parent.parent
SCRIPTS = [ROOT / "tests/seeds/worked_example.py", ROOT / "tests/seeds/smoke_test.py"]
DOCUMENTS = sorted((ROOT.parent / "shared" / "seeds").glob("*.txt"))


@pytest.fixture(scope="session")
def support_ops(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with the app that the documents talk to."""
    gateway.deploy(ROOT / "examples/support-ops/app.py")
    return gateway


def run(script: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(len(DOCUMENTS) < 2, reason="the documents are not beside the checkout")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_scripts_are_those_of_the_documents(script: Path) -> None:
    assert all(script.read_text().strip() in document.read_text() for document in DOCUMENTS[:2])


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / "examples/support-ops/smoke_test.py"], ids=lambda path: path.stem)
def test_a_script_runs_unchanged_after_a_login(
    support_ops: GatewayProcess, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CAPSULE_CONFIG_DIR", "CAPSULE_DATA_DIR", "CAPSULE_STATE_DIR"):
        monkeypatch.setenv(name, support_ops.env[name])
    login_local(support_ops.bootstrap())
    done = run(script, support_ops.env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs_with_its_own_token_where_nothing_is_configured(
    support_ops: GatewayProcess, script: Path, tmp_path: Path
) -> None:
    given = f'cpsl.Client(token="{support_ops.token}", gateway_url="{support_ops.url}")'
    changed = tmp_path / "script.py"
    changed.write_text(script.read_text().replace("cpsl.Client()", given))
    done = run(changed, {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "nowhere")})
    assert done.returncode == 0, done.stderr


def test_channels_integrations_and_secrets_together(gateway: GatewayProcess) -> None:
    """What the app names must be there before it can be deployed; a data handler sees what its user has connected."""
    with gateway.client() as client:
        with pytest.raises(cpsl.NotFound) as caught:
            gateway.deploy(APPS / "mailbox.py")
        assert caught.value.code == "missing_resources"
        keys = ("MAILBOX_KEY", "GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_SECRET")
        client.secrets.create(dict.fromkeys(keys, "twelve chars"))
        client.channels.create("support-telegram", "telegram", {"bot_token": "1:x"})
        gateway.deploy(APPS / "mailbox.py")
        with pytest.raises(cpsl.NotFound, match="no data handler"):
            client.data("mailbox", "nothing", limit=3)
        assert client.data("mailbox", "threads") == {"threads": [], "gmail_connected": False}
        assert client.data("mailbox", "region") == {"region": None}
        with pytest.raises(cpsl.PromptRequired) as asked:
            client.chat("mailbox", "hi")
        turn, prompt = str(asked.value.request_id), asked.value.prompt["prompt_id"]
        fields = {"access_key_id": "a", "secret_access_key": "b", "region": "eu-west-1"}
        client.turns.answer(turn, prompt, fields)
        assert "".join(chunk.text for chunk in client.turns.events(turn)) == "12 eu-west-1"
        assert client.data("mailbox", "region") == {"region": "eu-west-1"}
