"""``capsule doctor``, and what every command says of a gateway that keeps apps apart by nothing."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import textwrap
from pathlib import Path

import pytest

from capsule_cli import checks
from tests.cli.conftest import Live, Run, environment, run_capsule, write_app


def test_all_is_well(live: Live) -> None:
    found = json.loads(live.run("doctor", "--json").stdout)
    states = {check["name"]: check["state"] for check in found}
    assert {"version", "config", "keyring", "login", "gateway", "versions", "clock", "packages", "disk"} <= set(states)
    assert {states[name] for name in ("config", "login", "gateway", "versions", "clock", "packages")} == {"ok"}
    assert all(check["fix"] for check in found if check["state"] != "ok")
    assert "ok    gateway" in live.run("doctor").stdout


def told(done: subprocess.CompletedProcess[str], name: str) -> tuple[str, str]:
    """The state and the detail of one check in a report that is JSON."""
    return next((each["state"], each["detail"]) for each in json.loads(done.stdout) if each["name"] == name)


def test_what_hosting_needs_is_there(live: Live) -> None:
    done = live.run("doctor", "--json", alone=True)
    assert told(done, "sqlite") == ("ok", f"SQLite {sqlite3.sqlite_version}, with its write-ahead log (WAL)")
    assert told(done, "uv")[0] == "ok"
    assert told(done, "port")[0] == "ok"
    assert told(done, "state")[0] == "ok"


@pytest.fixture
def hosting(home: dict[str, str]) -> Path:
    """A data directory that a gateway has left behind."""
    folder = Path(home["CAPSULE_DATA_DIR"])
    folder.mkdir(parents=True)
    (folder / "gateway.lock").touch()
    return folder


@pytest.mark.parametrize(("content", "state"), [(b"", "warn"), (b"no database at all" * 100, "fail")])
def test_a_store_that_is_none(capsule: Run, hosting: Path, content: bytes, state: str) -> None:
    (hosting / "capsule.db").write_bytes(content)
    assert told(capsule("doctor", "--json"), "sqlite")[0] == state


@pytest.mark.usefixtures("hosting")
def test_a_port_that_is_taken(capsule: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = capsule("doctor", "--json", env={"CAPSULE_GATEWAY_PORT": str(port)})
    assert told(done, "port") == ("warn", f"port {port} is in use by another program")


def test_a_state_folder_that_others_may_write(capsule: Run, home: dict[str, str]) -> None:
    folder = Path(home["CAPSULE_STATE_DIR"])
    folder.mkdir()
    folder.chmod(0o777)
    assert told(capsule("doctor", "--json"), "state") == ("fail", f"{folder} can be written by others")


@pytest.mark.parametrize(("there", "detail"), [(False, "no capsule on the PATH"), (True, "comes first")])
def test_the_command_that_the_shell_finds(capsule: Run, tmp_path: Path, there: bool, detail: str) -> None:
    other = tmp_path / "capsule"
    if there:
        other.write_text("#!/bin/sh")
        other.chmod(0o755)
    done = capsule("doctor", "--json", env={"PATH": str(tmp_path)}, alone=True)
    assert told(done, "path")[0] == "warn"
    assert detail in told(done, "path")[1]


def test_nobody_is_logged_in(capsule: Run) -> None:
    done = capsule("doctor")
    assert done.returncode == 0
    assert "warn  login" in done.stdout
    assert "capsule login" in done.stdout


@pytest.mark.parametrize(
    ("content", "mode", "name"),
    [("not toml", 0o600, "config"), ("", 0o666, "config")],
    ids=["damaged", "open to others"],
)
def test_a_config_that_cannot_be_used(capsule: Run, home: dict[str, str], content: str, mode: int, name: str) -> None:
    folder = Path(home["CAPSULE_CONFIG_DIR"])
    folder.mkdir(mode=0o700)
    (folder / "config.toml").write_text(content)
    (folder / "config.toml").chmod(mode)
    done = capsule("doctor", "--json")
    assert done.returncode == 1
    failed = {check["name"]: check for check in json.loads(done.stdout) if check["state"] == "fail"}
    assert failed[name]["fix"]


def test_a_config_folder_that_others_may_write(capsule: Run, home: dict[str, str]) -> None:
    folder = Path(home["CAPSULE_CONFIG_DIR"])
    folder.mkdir()
    folder.chmod(0o777)
    done = capsule("doctor")
    assert done.returncode == 1
    assert f"chmod go-w {folder}" in done.stdout


def test_a_gateway_that_is_away(capsule: Run) -> None:
    env = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9"}
    done = capsule("doctor", env=env)
    assert done.returncode == 1
    assert "fail  gateway" in done.stdout
    assert "cps_x" not in done.stdout + done.stderr


def test_a_keyring_that_must_work_and_does_not(capsule: Run) -> None:
    done = capsule("doctor", env={"CAPSULE_KEYRING": "on", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"})
    assert "fail  keyring" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            """print('[{"name": "seccomp", "state": "ok", "detail": "there", "fix": ""}]')""",
            [checks.Check("seccomp", "ok", "there")],
        ),
        ("import sys; sys.exit('it broke')", None),
        ("print('[1]')", None),
    ],
    ids=["told", "broken", "nonsense"],
)
def test_what_the_kernel_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, expected: list[checks.Check] | None
) -> None:
    (tmp_path / "machine_report.py").write_text(textwrap.dedent(source))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = list(checks.machine_checks("machine_report"))
    if expected is not None:
        assert found == expected
    else:
        assert [(check.name, check.state) for check in found] == [("machine", "fail")]


def test_without_a_report_of_the_kernel_nothing_is_said() -> None:
    assert list(checks.machine_checks("cpsl.engine.local.no_such_report")) == []


def test_no_isolation_is_said_every_time(tmp_path: Path) -> None:
    home = environment(tmp_path) | {"CAPSULE_GATEWAY_PORT": "0"}

    def run(*words: str, alone: bool = False) -> str:
        done = run_capsule(words, home, tmp_path, alone=alone)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    try:
        entry = write_app(tmp_path / "p", "trusted")
        for words in (["gateway", "start", "--isolation", "none"], ["gateway", "status"]):
            assert run(*words, alone=True).count("--isolation none") == 1
        run("login")
        for words in (["status"], ["deploy", entry], ["doctor"]):
            assert run(*words).count("--isolation none") == 1, words
        assert json.loads(run("status", "--json"))["isolation"] == "none"
        assert json.loads(run("gateway", "status", "--json"))["isolation"] == "none"
    finally:
        run("gateway", "stop")


def test_an_isolated_gateway_warns_of_nothing(live: Live) -> None:
    for words in (["status"], ["gateway", "status"], ["doctor"]):
        done = live.run(*words)
        assert "--isolation none" not in done.stdout + done.stderr
