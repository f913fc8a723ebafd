"""The gateway's life, logins, files, deploys: black-box, with a real gateway."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Live, Run, environment, run_capsule, write_app
from tests.cli.terminal import CTRL_C, Terminal
from tests.support.gateway import GatewayProcess


def test_login_starts_the_gateway_and_status_tells_all(live: Live) -> None:
    told = json.loads(live.run("status", "--json").stdout)
    assert told["logged_in"] is True
    assert told["valid"] is True
    assert told["profile"] == "local"
    assert "credentials.json" in told["token_source"]
    shown = live.run("status").stdout
    assert "Valid:" in shown
    assert "yes" in shown


def test_the_token_of_auth_token_works_elsewhere(live: Live, tmp_path: Path) -> None:
    token = live.run("auth", "token").stdout.strip()
    url = json.loads(live.run("gateway", "status", "--json").stdout)["url"]
    home = environment(tmp_path)
    made = run_capsule(["login", "--with-token", "--gateway", url], home, tmp_path, stdin=token)
    assert made.returncode == 0, made.stderr
    assert token not in made.stdout + made.stderr
    wrong = run_capsule(["login", "--with-token", "--gateway", url], home, tmp_path, stdin="cps_wrong")
    assert wrong.returncode == 4
    assert run_capsule(["status"], home, tmp_path).returncode == 0  # the good login is still there


def test_logging_out_revokes_and_forgets(own_gateway: GatewayProcess, tmp_path: Path) -> None:
    env = own_gateway.env
    arguments = ["login", "--with-token", "--gateway", own_gateway.url]
    assert run_capsule(arguments, env, tmp_path, stdin=own_gateway.token).returncode == 0
    assert run_capsule(["logout"], env, tmp_path).returncode == 0
    assert run_capsule(["status"], env, tmp_path).returncode == 4
    assert run_capsule(arguments, env, tmp_path, stdin=own_gateway.token).returncode == 4


def test_starting_twice_is_starting_once(live: Live) -> None:
    first = json.loads(live.run("gateway", "start", "--json").stdout)
    again = live.run("gateway", "start")
    assert again.returncode == 0
    assert "runs already" in again.stderr
    assert json.loads(live.run("gateway", "status", "--json").stdout)["pid"] == first["pid"]


def test_a_port_that_is_taken_is_said_and_nothing_is_left(capsule: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = capsule("gateway", "start", "--port", str(taken.getsockname()[1]), alone=True)
    assert done.returncode == 1
    assert "taken" in done.stderr
    assert capsule("gateway", "status").returncode == 6


def test_a_data_dir_that_is_a_file_is_said(capsule: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = capsule("gateway", "start", "--data-dir", str(tmp_path / "file"), alone=True)
    assert done.returncode != 0
    assert "file" in done.stderr


def test_a_killed_gateway_is_not_running_and_starts_again(capsule: Run) -> None:
    first = json.loads(capsule("gateway", "start", "--port", "0", "--json", alone=True).stdout)
    os.kill(first["pid"], signal.SIGKILL)
    time.sleep(0.2)
    assert capsule("gateway", "status").returncode == 6
    assert capsule("gateway", "start", "--port", "0", alone=True).returncode == 0
    assert "listening" in capsule("gateway", "logs").stdout
    assert capsule("gateway", "stop").returncode == 0
    assert capsule("gateway", "status").returncode == 6


def test_a_deploy_prints_its_url_alone(live: Live, tmp_path: Path) -> None:
    done = live.run("deploy", write_app(tmp_path / "p", "alone"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("/a/alone\n")
    assert done.stdout.count("\n") == 1
    told = json.loads(live.run("deploy", f"{tmp_path / 'p' / 'app.py'}:app", "--json").stdout)
    assert told.pop("deployment_id").startswith("ver_")
    assert told == {"app": "alone", "version": 2, "url": done.stdout.strip()}


def test_what_a_failed_build_printed_is_shown_once(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "unbuilt")
    source = (tmp_path / "p" / "app.py").read_text()
    commands = 'cpsl.Image(commands=["echo to; echo wit; exit 3"])'
    (tmp_path / "p" / "app.py").write_text(source.replace("cpsl.Image()", commands))
    done = live.run("deploy", entry)
    assert done.returncode == 7
    assert "ended with exit status 3" in done.stderr
    assert [line for line in done.stderr.splitlines() if line.strip(" |") in ("to", "wit")] == ["  | to", "  | wit"]


def test_a_deploy_stops_before_it_sends_when_something_is_missing(live: Live, tmp_path: Path) -> None:
    more = ', secrets=["NOT_THERE"], filesystems={"/data": cpsl.FileSystem("not-there")}'
    done = live.run("deploy", write_app(tmp_path / "p", "missing", more=more))
    assert done.returncode == 3
    assert "capsule secret create NOT_THERE" in done.stderr
    assert "\n    capsule fs create not-there\n" in done.stderr
    assert "Sending" not in done.stderr
    assert live.run("app", "get", "missing").returncode == 3


@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        ("import cpsl, nothing_of_that_name\napp = cpsl.App(name='x')", 7, "ModuleNotFoundError"),
        ("def (", 7, "SyntaxError"),
        ("print('to stderr')\napp = 1 / 0", 7, "ZeroDivisionError"),
        ("app = 3", 2, "not a cpsl.App"),
        ("other = 3", 3, "app"),
        ("import cpsl\napp = cpsl.App(name='Not A Name')", 7, "cannot name an app"),
        ("import os\nos._exit(3)", 7, "exit code 3"),
    ],
)
def test_an_app_that_does_not_import_is_a_failed_deploy(
    live: Live, tmp_path: Path, source: str, code: int, told: str
) -> None:
    (tmp_path / "app.py").write_text(source)
    done = live.run("deploy", f"{tmp_path / 'app.py'}:app")
    assert done.returncode == code
    assert told in done.stderr
    assert not done.stdout


def test_the_live_version_stays_when_a_deploy_fails(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "steady", answer="still here")
    assert live.run("deploy", entry).returncode == 0
    (tmp_path / "p" / "app.py").write_text("1 / 0")
    assert live.run("deploy", entry).returncode == 7
    assert live.run("chat", "steady", "x").stdout == "still here\n"


def test_more_than_the_limit_is_refused_before_sending(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "fat")
    with (tmp_path / "p" / "big.bin").open("wb") as file:
        file.truncate(513 * 1024 * 1024)
    done = live.run("deploy", entry)
    assert done.returncode == 2
    assert "big.bin" in done.stderr
    assert "Sending" not in done.stderr


def test_secrets_go_in_and_never_come_out(live: Live) -> None:
    made = live.run("secret", "create", "PEM", "-", stdin="line 1\nline 2\n\n")
    assert made.returncode == 0, made.stderr
    assert "line 1" not in made.stdout + made.stderr
    digest = json.loads(live.run("secret", "list", "--json").stdout)
    assert {"PEM"} <= {secret["name"] for secret in digest}
    assert live.run("secret", "create", "PEM=x").returncode == 5
    assert live.run("secret", "create", "NEW=1", "PEM=x").returncode == 5
    assert "NEW" not in live.run("secret", "list").stdout
    assert live.run("secret", "create", "PEM=x", "--force").returncode == 0
    assert live.run("secret", "rm", "PEM").returncode == 0
    assert live.run("secret", "rm", "PEM").returncode == 3


def test_channels(live: Live) -> None:
    made = live.run("channel", "create", "tg", "--type", "telegram", "-c", "bot_token=1:secret-value")
    assert made.returncode == 0, made.stderr
    assert live.run("channel", "create", "tg", "--type", "telegram", "-c", "bot_token=1:a").returncode == 5
    shown = live.run("channel", "info", "tg")
    assert "bot_token" in shown.stdout
    assert "secret-value" not in shown.stdout + made.stdout + made.stderr
    assert live.run("channel", "delete", "tg", "--yes").returncode == 0
    assert live.run("channel", "info", "tg").returncode == 3


def test_quickstart_ends_with_an_answer(tmp_path: Path) -> None:
    home = environment(tmp_path) | {"CAPSULE_GATEWAY_PORT": "0"}
    try:
        first = run_capsule(["quickstart"], home, tmp_path, alone=True)
        assert first.returncode == 0, first.stderr
        assert first.stdout.startswith("You said: Hello!")
        assert (tmp_path / "hello" / "app.py").is_file()
        again = run_capsule(["quickstart", "--json"], home, tmp_path)
        assert json.loads(again.stdout)["version"] == 2
    finally:
        run_capsule(["gateway", "stop"], home, tmp_path)


def test_a_login_by_code_opens_the_browser_and_waits_for_a_yes(
    live: Live, terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    url = json.loads(live.run("gateway", "status", "--json").stdout)["url"]
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "opened"}\n')
    browser.chmod(0o755)
    screen = terminal("login", "--gateway", url, "--profile", "other", env={"BROWSER": str(browser)})
    screen.wait_for(f"{url}/device")
    screen.wait_for("Waiting for you")
    code = screen.screen.partition("Enter")[2].split()[0]
    form = {"user_code": code, "token": live.run("auth", "token").stdout.strip(), "decision": "approve"}
    assert httpx.post(f"{url}/device", data=form).is_success
    assert screen.exit_code() == 0
    assert "Profile other" in screen.screen
    assert code in (tmp_path / "opened").read_text()


def test_a_browser_that_runs_in_the_terminal_does_not_hide_the_code(
    live: Live, terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    url = json.loads(live.run("gateway", "status", "--json").stdout)["url"]
    browser = tmp_path / "www-browser"
    browser.write_text(f"#!/bin/sh\ntouch {tmp_path / 'opened'}\n")
    browser.chmod(0o755)
    around = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    screen = terminal("login", "--gateway", url, env=around)
    screen.wait_for("use the address above")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert not (tmp_path / "opened").exists()


def test_ctrl_c_gives_up_a_login_by_code(live: Live, terminal: Callable[..., Terminal]) -> None:
    url = json.loads(live.run("gateway", "status", "--json").stdout)["url"]
    screen = terminal("login", "--gateway", url, env={"BROWSER": "true"})
    screen.wait_for("Waiting for you")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert "Error" not in screen.screen


def test_ctrl_c_ends_following_a_log(live: Live, terminal_of: Callable[..., Terminal]) -> None:
    live.run("chat", "talker", "fail")
    screen = terminal_of("logs", "talker", "-f")
    screen.wait_for("deliberate")
    live.run("chat", "talker", "fail")
    screen.wait_for("deliberate")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert "Traceback" not in screen.screen.rpartition("deliberate")[2]


def test_a_reader_that_goes_away_is_no_error(live: Live) -> None:
    command = f"{sys.executable} -m capsule_cli logs talker -f | head -1; echo ${{PIPESTATUS[0]}}"
    live.run("chat", "talker", "fail")
    live.run("chat", "talker", "fail")
    done = subprocess.run(["bash", "-c", command], env=live.env, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")


@pytest.mark.parametrize("command", [["app", "list"], ["logs", "talker"], ["app", "list", "--json"]])
def test_a_reader_that_is_gone_before_the_first_line_is_no_error(live: Live, command: list[str]) -> None:
    live.run("chat", "talker", "fail")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "capsule_cli", *command],
        env=live.env,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
