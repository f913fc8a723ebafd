"""Machines that lack something: a keyring that works, a home that can be written, an index that knows us."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from capsule_cli import checks, kept, updates
from cpsl._version import __version__
from tests.cli.conftest import Live, Run, run_capsule, write_app
from tests.cli.inside import run
from tests.cli.terminal import Terminal

BACKEND = """
import time
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

class Bad(KeyringBackend):
    priority = 5
    def fail(self, *_):
        {what}
    get_password = set_password = delete_password = fail
"""
BAD = {
    "locked": "raise KeyringLocked('locked')",
    "slow": "time.sleep(60)",
    "broken": "raise RuntimeError('no bus')",
    "forgetful": "return None",
}


def keyring_of(folder: Path, what: str) -> dict[str, str]:
    """The environment of a system whose keyring is bad in this way: installed as keyring's own configuration says."""
    (folder / "python_keyring").mkdir(parents=True)
    (folder / "bad_keyring.py").write_text(textwrap.dedent(BACKEND).format(what=BAD[what]))
    configured = f"[backend]\ndefault-keyring=bad_keyring.Bad\nkeyring-path={folder}\n"
    (folder / "python_keyring" / "keyringrc.cfg").write_text(configured)
    return {"XDG_CONFIG_HOME": str(folder), "CAPSULE_KEYRING": "auto", "CAPSULE_KEYRING_TIMEOUT": "0.5"}


@pytest.mark.parametrize("what", BAD)
def test_a_keyring_that_is_no_help_is_done_without(live: Live, tmp_path: Path, what: str) -> None:
    env = live.env | keyring_of(tmp_path / "xdg", what) | {"CAPSULE_CONFIG_DIR": str(tmp_path / "config")}
    mine = Live(env, tmp_path)
    done = mine.run("login", "--json", alone=True)  # within one process, keyring looks once which one there is
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["token_kept_in"] == str(tmp_path / "config" / "credentials.json")
    for words in (["status"], ["app", "list"], ["logout"]):
        assert mine.run(*words, alone=True).returncode == 0, words


@pytest.mark.parametrize("what", ["locked", "broken", "slow"])
def test_a_keyring_that_has_stopped_working_is_said(live: Live, tmp_path: Path, what: str) -> None:
    """A token is in it, so nothing but unlocking it helps: in one line."""
    env = live.env | keyring_of(tmp_path / "xdg", what) | {"CAPSULE_CONFIG_DIR": str(tmp_path / "config")}
    config = tmp_path / "config"
    config.mkdir(mode=0o700)
    text = 'active = "local"\nkeyring_works = true\n[profiles.local]\ngateway_url = "http://127.0.0.1:9"\n'
    (config / "config.toml").write_text(text)
    (config / "config.toml").chmod(0o600)
    for words in (["app", "list"], ["status"], ["auth", "token"], ["chat", "x", "hi"]):
        done = run_capsule(words, env, tmp_path, alone=True)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("Error: The keyring did not give the token")
        assert "CAPSULE_KEYRING=off" in done.stderr
        assert ("(no answer in 0.5 seconds)" in done.stderr) is (what == "slow")


def test_a_keyring_that_hangs_holds_neither_login_nor_logout(live: Live, tmp_path: Path) -> None:
    env = live.env | keyring_of(tmp_path / "xdg", "slow") | {"CAPSULE_CONFIG_DIR": str(tmp_path / "config")}
    (tmp_path / "config").mkdir(mode=0o700)
    (tmp_path / "config" / "config.toml").write_text("keyring_works = true\n")
    (tmp_path / "config" / "config.toml").chmod(0o600)
    began = time.monotonic()
    done = run_capsule(["login", "--json"], env, tmp_path, alone=True)
    assert (done.returncode, json.loads(done.stdout)["token_kept_in"]) == (0, str(tmp_path / "config/credentials.json"))
    assert run_capsule(["status"], env, tmp_path, alone=True).returncode == 0
    left = run_capsule(["logout"], env, tmp_path, alone=True)
    assert "did not delete" in left.stderr
    assert run_capsule(["status"], env, tmp_path, alone=True).returncode == 4
    assert run_capsule(["doctor"], env, tmp_path, alone=True).stdout.count("fail  keyring") == 1
    assert time.monotonic() - began < 30


@pytest.fixture
def nowhere() -> dict[str, str]:
    """The environment of somebody who can write to none of our folders: not even root makes one in /proc."""
    return {f"CAPSULE_{kind}_DIR": f"/proc/capsule/{kind}" for kind in ("CONFIG", "STATE")}


def test_where_nothing_can_be_written_a_token_is_enough(live: Live, nowhere: dict[str, str], tmp_path: Path) -> None:
    around = {
        "CAPSULE_TOKEN": live.run("auth", "token").stdout.strip(),
        "CAPSULE_GATEWAY_URL": json.loads(live.run("status", "--json").stdout)["gateway_url"],
    }
    entry = write_app(tmp_path / "p", "readonly")
    for words in (["app", "list"], ["deploy", entry], ["chat", "readonly", "hi"], ["logs", "readonly"], ["doctor"]):
        done = run(words, live.env | around | nowhere, str(tmp_path))
        assert done.code == 0, (words, done)
    assert run(["chat", "readonly", "hi"], live.env | around | nowhere, str(tmp_path)).out == "hi\n"


@pytest.mark.parametrize("words", [["login"], ["config", "set", "timeout", "5"]], ids=" ".join)
def test_what_has_to_be_written_fails_in_one_line(live: Live, nowhere: dict[str, str], words: list[str]) -> None:
    done = run(words, live.env | nowhere)
    assert done.code != 0
    assert done.err.count("Error: ") == 1
    assert "This is a bug" not in done.err


def test_everything_that_is_kept_is_in_the_table(live: Live) -> None:
    live.run("chat", "talker", "hi")
    for kind in (kept.CONFIG, kept.STATE, kept.DATA):
        folder = Path(live.env[f"CAPSULE_{kind.upper()}_DIR"])
        known = [each.name for each in kept.FILES if each.folder == kind]
        for path in folder.iterdir():
            name = f"{path.name}/" if path.is_dir() else path.name
            assert path.name.endswith(".lock") or any(each.startswith(name) for each in known), path


# --- doctor -------------------------------------------------------------------------------------------------------


def test_doctor_says_whether_messengers_reach_the_gateway(live: Live) -> None:
    def told() -> dict[str, str]:
        found = json.loads(run(["doctor", "--json"], live.env).out)
        return next(check for check in found if check["name"] == "webhooks")

    run(["channel", "create", "reached", "--type", "telegram", "-c", "bot_token=1:A"], live.env)
    assert told()["state"] == "warn"
    assert "this machine only" in told()["detail"]
    assert "https" in told()["fix"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://capsule.example.com", "is not https"),
        ("https://127.0.0.2.invalid", "cannot be reached"),
        ("http://localhost:1980", "this machine only"),
    ],
)
def test_an_address_that_is_no_use_outside(url: str, told: str) -> None:
    state, detail = checks.seen_from_outside(url)
    assert state == checks.WARN
    assert told in detail


# --- a newer version ----------------------------------------------------------------------------------------------


@contextmanager
def index(version: str) -> Iterator[dict[str, str]]:
    """A package index that has this version of ours; the environment in which pip asks it."""
    page = f'<a href="/capsule_cli-{version}-py3-none-any.whl">capsule_cli-{version}-py3-none-any.whl</a>'

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield {
                "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_address[1]}/simple",
                "PIP_CONFIG_FILE": "/dev/null",
            }
        finally:
            server.shutdown()
            thread.join()


def test_a_newer_version_is_found_by_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_STATE_DIR", str(tmp_path / "state"))
    with index("99.0.0") as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        updates.look()
    assert json.loads((tmp_path / "state" / "update.json").read_text())["latest"] == "99.0.0"


def known(home: dict[str, str], latest: str, **more: float) -> None:
    folder = Path(home["CAPSULE_STATE_DIR"])
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "update.json").write_text(json.dumps({"latest": latest, "checked_at": 1e11, **more}))
    (folder / "update.json").chmod(0o600)


def test_it_is_said_once_a_day_to_a_person_who_asked_for_it(
    terminal: Callable[..., Terminal], home: dict[str, str]
) -> None:
    """flyctl 7, gh 8: nothing waits for it, and nobody is asked who did not want it."""
    known(home, "99.0.0")
    on = {"CAPSULE_UPDATE_CHECK": "1"}
    for env, said in (
        ({}, 0),
        (on | {"CI": "1"}, 0),
        (on | {"CLAUDECODE": "1"}, 0),
        (on | {"CAPSULE_NO_UPDATE_CHECK": "1"}, 0),
        (on, 1),
        (on, 0),
    ):
        shown = terminal("config", "get", "timeout", env=env, columns=200)
        assert shown.exit_code() == 0
        assert shown.screen.count(f"capsule 99.0.0 is there, this is {__version__}") == said, env


def test_it_is_not_said_in_a_pipe_nor_of_an_older_one(
    capsule: Run, terminal: Callable[..., Terminal], home: dict[str, str]
) -> None:
    known(home, "99.0.0")
    assert "is there" not in capsule("config", "list", env={"CAPSULE_UPDATE_CHECK": "1"}).stderr
    known(home, "0.0.1")
    shown = terminal("config", "get", "timeout", env={"CAPSULE_UPDATE_CHECK": "1"})
    assert shown.exit_code() == 0
    assert "is there" not in shown.screen
