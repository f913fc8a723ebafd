"""A gateway that is slow, away for a while, or gone in the middle: something shows, nothing hangs, nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import cpsl
from tests.cli.conftest import APPS, Live, Run
from tests.cli.terminal import CTRL_C, Terminal
from tests.cli.test_broken_gateways import serving
from tests.support.gateway import GatewayProcess
from tests.support.proxy import cutting_proxy

Open = Callable[..., Terminal]
CONTACTING, LOST = "Contacting the gateway", "Connection lost: reconnecting"


def silent(url: str, seconds: float = 3.0) -> dict[str, str]:
    """The environment of somebody whose gateway does not answer."""
    more = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": url}
    return more | {"CAPSULE_TIMEOUT": str(seconds), "CAPSULE_MAX_RETRIES": "0"}


@pytest.mark.parametrize("words", [["app", "list"], ["status"], ["secret", "create", "A=1"], ["logs", "x"]])
def test_something_shows_before_the_gateway_has_answered_and_is_gone_after(terminal: Open, words: list[str]) -> None:
    with serving(b"", hang=True) as url:
        shown = terminal(*words, env=silent(url, 1.5))
        shown.wait_for(CONTACTING, seconds=20)
        assert shown.exit_code() == 6
    assert not [line for line in shown.lines if CONTACTING in line]
    assert any("Error:" in line for line in shown.lines)


@pytest.mark.parametrize("env", [{"CI": "1"}, {"TERM": "dumb"}, {"CLAUDECODE": "1"}])
def test_nothing_moves_where_nothing_may(terminal: Open, env: dict[str, str]) -> None:
    with serving(b"", hang=True) as url:
        shown = terminal("app", "list", env=silent(url, 0.5) | env)
        assert shown.exit_code() == 6
    assert CONTACTING not in shown.screen


def test_nor_in_a_pipe(capsule: Run) -> None:
    with serving(b"", hang=True) as url:
        done = capsule("app", "list", env=silent(url, 0.5))
    assert done.stderr.startswith("Error: ")


def test_a_question_is_not_written_over(terminal: Open) -> None:
    shown = terminal("secret", "create", "A", env=silent("http://127.0.0.1:9"))
    shown.wait_for("Value of A (hidden): ")
    time.sleep(0.5)
    assert CONTACTING not in "\n".join(shown.lines)


def test_chat_tells_that_it_reconnects(live: Live) -> None:
    with cutting_proxy(live_url(live), cut_after=[900, 1500]) as proxy:
        env = {"CAPSULE_TOKEN": token(live), "CAPSULE_GATEWAY_URL": proxy.url}
        done = Live(live.env | env, live.folder).run("chat", "talker", "type " + "words of an answer, " * 20 + "end")
        assert proxy.cuts
    assert (done.returncode, done.stdout) == (0, "words of an answer, " * 20 + "end\n")
    assert LOST in done.stderr


def live_url(live: Live) -> str:
    found: str = json.loads(live.run("status", "--json").stdout)["gateway_url"]
    return found


def token(live: Live) -> str:
    return live.run("auth", "token").stdout.strip()


@pytest.fixture
def of_own(own_gateway: GatewayProcess, tmp_path: Path) -> dict[str, str]:
    """The environment of the owner of a gateway that may be killed, with the app ``talker`` live."""
    source = (APPS / "talker.py").read_text()
    start = source.index("app.add_integration")
    plain = tmp_path / "plain.py"
    plain.write_text(source[:start] + source[source.index("@app.message") :])
    own_gateway.deploy(plain)
    fail(own_gateway)
    return {"CAPSULE_TOKEN": own_gateway.token, "CAPSULE_GATEWAY_URL": own_gateway.url}


def fail(gateway: GatewayProcess) -> None:
    """Make the app log a line."""
    with gateway.client() as client, pytest.raises(cpsl.AppError):
        client.chat("talker", "fail")


def test_a_log_is_followed_across_a_restart_and_ends_at_once(
    own_gateway: GatewayProcess, of_own: dict[str, str], terminal: Open
) -> None:
    """flyctl 4: logs hang, even against Ctrl-C; langgraph 4: what was said is there after a restart."""
    with own_gateway.client() as client:
        first = client.chat("talker", "say one")
        shown = terminal("logs", "talker", "-f", "--no-timestamps", env=of_own)
        shown.wait_for("deliberate")
        own_gateway.kill()
        shown.wait_for(LOST)
        own_gateway.start()
        fail(own_gateway)
        shown.wait_for("deliberate")
        said = [message.text for message in client.sessions.get("talker", first.session_id).messages]
    assert said[:2] == ["say one", "one"]
    shown.type(CTRL_C)
    began = time.monotonic()
    assert shown.exit_code() == 130
    assert time.monotonic() - began < 1
    assert not [line for line in shown.lines if LOST in line]


def test_in_a_pipe_a_lost_log_is_one_line_on_stderr(own_gateway: GatewayProcess, of_own: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "capsule_cli", "logs", "talker", "-f"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=own_gateway.env | of_own, stdout=pipe, stderr=pipe, text=True) as following:
        assert following.stdout
        assert following.stderr
        following.stdout.readline()
        own_gateway.kill()
        assert LOST in following.stderr.readline()
        own_gateway.start()
        fail(own_gateway)
        while "deliberate" not in following.stdout.readline():
            pass
        following.terminate()
        assert following.stderr.read() == ""
