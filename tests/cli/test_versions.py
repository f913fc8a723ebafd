"""Versions and rollbacks, secrets that restart apps, and logs by what is wanted: as typed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.cli.conftest import APP, Live, write_app

SECRETIVE = ', secrets=["TYPED_KEY"]'


@pytest.fixture(scope="session")
def versioned(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """The app ``versioned`` with three versions, answering v1, v2 and v3."""
    folder = tmp_path_factory.mktemp("versioned")
    for answer in ("v1", "v2", "v3"):
        entry = write_app(folder / "p", "versioned", answer=answer)
        assert live.run("deploy", entry).returncode == 0
    return live


def test_versions_are_listed_and_gone_back_to(versioned: Live) -> None:
    shown = versioned.run("app", "versions", "versioned").stdout.splitlines()
    assert shown[0].split() == ["VERSION", "STATE", "ENTRY", "IMAGE", "CREATED"]
    assert [line.split()[:3] for line in shown[1:]] == [
        ["v3", "*", "live"],
        ["v2", "retired", "app.py:app"],
        ["v1", "retired", "app.py:app"],
    ]
    done = versioned.run("app", "rollback", "versioned")
    assert done.returncode == 0, done.stderr
    assert "versioned v2 is live, instead of v3" in done.stderr
    assert done.stdout.endswith("/a/versioned\n")
    assert versioned.run("chat", "versioned", "x").stdout == "v2\n"
    told = json.loads(versioned.run("app", "rollback", "versioned", "v1", "--json").stdout)
    assert (told["version"], told["previous"]) == (1, 2)
    listed = json.loads(versioned.run("app", "versions", "versioned", "--json").stdout)
    assert [each["version"] for each in listed if each["state"] == "live"] == [1]
    assert versioned.run("app", "rollback", "versioned", "3").returncode == 0
    assert versioned.run("chat", "versioned", "x").stdout == "v3\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["v3"], 5), (["v9"], 3), (["v0"], 3), (["latest"], 2), (["-1"], 2)],
    ids=lambda words: str(words),
)
def test_what_cannot_be_gone_back_to_is_said(versioned: Live, words: list[str], code: int) -> None:
    if versioned.run("chat", "versioned", "x").stdout != "v3\n":
        versioned.run("app", "rollback", "versioned", "v3")
    done = versioned.run("app", "rollback", "versioned", *words)
    assert done.returncode == code
    assert done.stderr
    assert not done.stdout


def test_no_such_app(live: Live) -> None:
    for words in (["app", "versions"], ["app", "rollback"], ["logs"]):
        assert live.run(*words, "nobodys-app").returncode == 3


def test_a_secret_says_which_apps_restart(live: Live, tmp_path: Path) -> None:
    live.run("secret", "create", "TYPED_KEY=first", "--force")
    assert live.run("deploy", write_app(tmp_path / "p", "secretive", more=SECRETIVE)).returncode == 0
    changed = live.run("secret", "create", "TYPED_KEY=second", "--force")
    assert "Restarting: secretive" in changed.stderr
    assert "Restarting" not in live.run("secret", "create", "TYPED_KEY=second", "--force").stderr
    staged = live.run("secret", "create", "TYPED_KEY=third", "--force", "--stage")
    assert "Staged: waits for the next deploy of secretive" in staged.stderr
    assert "Restarting" not in staged.stderr
    told = json.loads(live.run("secret", "create", "TYPED_KEY=4th", "--force", "--json").stdout)
    assert told["restarted"] == ["secretive"]
    assert "not masked" in told["notes"][0]
    listed = live.run("secret", "list").stdout
    assert next(line for line in listed.splitlines() if line.startswith("TYPED_KEY")).split()[2] == "secretive"
    assert "Restarting: secretive" in live.run("secret", "delete", "TYPED_KEY").stderr


def test_logs_by_what_is_wanted(live: Live) -> None:
    answer = json.loads(live.run("chat", "talker", "hi", "--json").stdout)
    live.run("chat", "talker", "fail")
    deadline = time.monotonic() + 5
    while "deliberate" not in live.run("logs", "talker", "--since", "1h", "--level", "error").stdout:
        assert time.monotonic() < deadline
    assert "deliberate" not in live.run("logs", "talker", "--turn", answer["request_id"]).stdout
    assert "deliberate" not in live.run("logs", "talker", "--session", answer["session_id"]).stdout
    assert "deliberate" in live.run("logs", "talker", "--version", "v1", "--stream", "system").stdout
    assert "deliberate" not in live.run("logs", "talker", "--stream", "stdout").stdout
    assert live.run("logs", "talker", "--since", "2199-01-01").stdout == ""
    [line] = live.run("logs", "talker", "--level", "error", "-n", "1", "--json").stdout.splitlines()
    assert json.loads(line)["level"] == "error"


@pytest.mark.parametrize("words", [["--since", "yore"], ["--level", "loud"], ["--stream", "stdin"], ["--version", "x"]])
def test_filters_that_cannot_be(live: Live, words: list[str]) -> None:
    done = live.run("logs", "talker", *words)
    assert done.returncode == 2
    assert words[1] in done.stderr


def test_an_app_that_needed_no_build_says_so(live: Live) -> None:
    done = live.run("logs", "talker", "--build")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing was built for talker v1" in done.stderr
    assert json.loads(live.run("logs", "talker", "--build", "--json").stdout)["text"] == ""


def test_logs_are_searched_in_capitals_or_not(live: Live, tmp_path: Path) -> None:
    source = APP.replace('await session.reply("{answer}")', 'print("Disk is 90% full"); await session.reply("ok")')
    (tmp_path / "app.py").write_text(source.format(name="searched", more="", answer=""))
    assert live.run("deploy", f"{tmp_path / 'app.py'}:app").returncode == 0
    live.run("chat", "searched", "x")
    for _ in range(50):
        if "Disk" in (found := live.run("logs", "searched", "--search", "90% FULL")).stdout:
            break
        time.sleep(0.1)
    assert len(found.stdout.splitlines()) == 1
    nothing = live.run("logs", "searched", "--search", "9_% full")
    assert not nothing.stdout
    assert "fits" in nothing.stderr
    assert not live.run("logs", "searched", "--until", "1d").stdout
