"""stdin, stdout and stderr as shells may leave them: closed, full, without a reader, not UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
AWAY = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9", "CAPSULE_MAX_RETRIES": "0"}


def shell(words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``capsule WORDS`` by a shell, which knows how to close a stream."""
    return subprocess.run(
        ["sh", "-c", f'"$PYTHON" -m capsule_cli {words}'],
        env=env | AWAY | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", ["--version", "--help", "secret --help", "config list", "config list --json"])
def test_without_a_stdout_nothing_fails(home: dict[str, str], words: str) -> None:
    done = shell(f"{words} >&-", home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--version", "--help", "config list"])
def test_data_that_cannot_be_written_is_a_failure_said_once(home: dict[str, str], words: str, unbuffered: str) -> None:
    done = shell(f"{words} >/dev/full", home | {"PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 1
    assert done.stderr == "Error: No space left on device\n"


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_and_one_object_with_json(home: dict[str, str], unbuffered: str) -> None:
    done = shell("config list --json >/dev/full", home | {"PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 1
    assert json.loads(done.stderr)["error"]["code"] == "os_error"


@pytest.mark.parametrize("where", ["2>&-", "2>&- >&-", pytest.param("2>/dev/full", marks=needs_full)])
def test_talk_that_gets_lost_changes_no_exit_code(home: dict[str, str], where: str) -> None:
    assert shell(f"app list {where}", home).returncode == 6


def test_without_a_stdin_nothing_is_asked(home: dict[str, str]) -> None:
    done = shell("secret create A <&-", home)
    assert done.returncode == 2
    assert "terminal" in done.stderr


@pytest.mark.parametrize("json_too", [False, True])
def test_json_in_ascii_keeps_every_letter(home: dict[str, str], json_too: bool) -> None:
    done = shell(f"app get {'--json ' if json_too else ''}Café", home | {"PYTHONIOENCODING": "ascii"})
    assert done.stderr.isascii()
    if json_too:
        assert json.loads(done.stderr)["error"]["message"]


def test_a_config_file_that_is_a_folder(home: dict[str, str]) -> None:
    folder = Path(home["CAPSULE_CONFIG_DIR"])
    (folder / "config.toml").mkdir(parents=True)
    folder.chmod(0o700)
    done = shell("app list", home)
    assert done.returncode == 2
    assert f"{folder / 'config.toml'} is a folder" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a home is found by HOME")
@pytest.mark.parametrize("place", ["", "relative", "/dev/null/home"])
def test_without_a_home_there_is_a_clear_line(home: dict[str, str], place: str) -> None:
    env = {name: value for name, value in home.items() if name != "CAPSULE_CONFIG_DIR"} | {"HOME": place}
    done = shell("auth switch nix", env)
    assert done.returncode in (2, 3)
    assert done.stderr.startswith("Error: ")
