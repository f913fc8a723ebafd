"""What cannot be right is refused before anything is sent, in words that repeat no value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run

FAKE = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["A=1", "sk-very-secret"], "Argument 2 is not NAME=VALUE"),
        (["A="], "empty"),
        (["A=1", "A=2"], "twice"),
        (["1A=sk-very-secret"], "cannot name a secret"),
        (["PATH=sk-very-secret"], "cannot name a secret"),
        (["A"], "needs a terminal"),
    ],
)
def test_secrets_that_cannot_be(capsule: Run, arguments: list[str], told: str) -> None:
    done = capsule("secret", "create", *arguments, env=FAKE)
    assert done.returncode == 2
    assert told in done.stderr
    assert "sk-very-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("given", ["", "\n"])
def test_an_empty_secret_on_stdin_is_refused(capsule: Run, given: str) -> None:
    done = capsule("secret", "create", "A", "-", stdin=given, env=FAKE)
    assert done.returncode == 2
    assert "empty" in done.stderr


@pytest.mark.parametrize(
    ("entry", "code", "told"),
    [
        ("app.py", 2, "not FILE.py:SYMBOL"),
        ("app.py:", 2, "not FILE.py:SYMBOL"),
        (":app", 2, "not FILE.py:SYMBOL"),
        ("app.py:a b", 2, "not the name of a variable"),
        ("missing.py:app", 3, "There is no file missing.py"),
        ("pkg.shop:app", 3, f"Did you mean pkg{os.sep}shop.py:app ?"),
        ("folder:app", 3, "folder is a folder"),
        ("folder:app", 3, f"Did you mean folder{os.sep}app.py:app ?"),
        ("notes.txt:app", 3, "notes.txt is no Python file"),
        ("..:app", 3, ".. is a folder"),
    ],
)
def test_entry_points_that_cannot_be(capsule: Run, entry: str, code: int, told: str, tmp_path: Path) -> None:
    for name in ("pkg/shop.py", "folder/app.py", "notes.txt"):
        (tmp_path / "work" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "work" / name).touch()
    done = capsule("deploy", entry, env=FAKE)
    assert done.returncode == code
    assert told in done.stderr


def test_a_channel_to_serve_on_must_have_a_name(capsule: Run) -> None:
    """No save of a file can mend the command, so it does not wait for one."""
    done = capsule("serve", "app.py:app", "--channel", "no name", env=FAKE)
    assert done.returncode == 2
    assert "cannot name a channel" in done.stderr


@pytest.mark.parametrize("name", ["app", "fs", "channel"])
def test_deletes_do_not_ask_without_a_terminal(capsule: Run, name: str) -> None:
    done = capsule(name, "delete", "x", env=FAKE)
    assert done.returncode in (2, 6)  # an app is looked up first
    assert "--yes" in done.stderr or name == "app"


def test_a_conversation_needs_a_terminal(capsule: Run) -> None:
    done = capsule("chat", "hello", env=FAKE)
    assert done.returncode == 2
    assert 'capsule chat hello "hi"' in done.stderr


@pytest.mark.parametrize("given", ["", "\n \n"])
def test_an_empty_message_is_refused(capsule: Run, given: str) -> None:
    done = capsule("chat", "hello", stdin=given, env=FAKE)
    assert done.returncode == 2
    assert "empty" in done.stderr


def test_a_token_is_read_from_stdin_and_must_be_there(capsule: Run) -> None:
    done = capsule("login", "--with-token", stdin="")
    assert done.returncode == 2
    assert "no token" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x", "--type", "icq", "-c", "a=b"], "no channel type"),
        (["x", "--type", "telegram", "-c", "token=b"], "Unknown credential 'token'"),
        (["x", "--type", "slack", "-c", "bot_token=b"], "signing_secret"),
        (["x", "--type", "telegram", "-c", "bot_token"], "not KEY=VALUE"),
        (["x"], "--type"),
    ],
)
def test_channels_that_cannot_be(capsule: Run, arguments: list[str], told: str) -> None:
    done = capsule("channel", "create", *arguments, env=FAKE)
    assert done.returncode == 2
    assert told in done.stderr


def test_uploads_that_cannot_be(capsule: Run, tmp_path: Path) -> None:
    assert capsule("fs", "upload", "x", "missing.csv", env=FAKE).returncode == 3
    folder = capsule("fs", "upload", "x", str(tmp_path), env=FAKE)
    assert folder.returncode == 2
    assert "is a folder" in folder.stderr
    nameless = capsule("fs", "upload", "x", "-", stdin="a", env=FAKE)
    assert nameless.returncode == 2


def test_no_gateway_runs_here(capsule: Run) -> None:
    assert capsule("gateway", "status").returncode == 6
    assert '"running": false' in capsule("gateway", "status", "--json").stdout
    assert capsule("gateway", "stop").returncode == 0
    assert capsule("gateway", "logs").returncode == 3
