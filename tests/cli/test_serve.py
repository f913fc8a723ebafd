"""``capsule serve``: live again after every save, whatever the editor does, and the log beside it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Live
from tests.cli.terminal import CTRL_C, Terminal
from tests.support.gateway import GatewayProcess

APP = """import cpsl
from words import WORD

app = cpsl.App(name="{name}")


@app.message()
async def handle(session, msg):
    print("heard", msg.text)
    await session.reply(WORD)
"""


class Serve:
    """``capsule serve --json`` at work on a project of its own."""

    def __init__(self, live: Live, folder: Path, name: str, *options: str) -> None:
        self.folder, self.app, self._live = folder, f"{name}-dev", live
        folder.mkdir()
        (folder / "app.py").write_text(APP.format(name=name))
        self.write("one")
        entry = f"{folder / 'app.py'}:app"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "capsule_cli", "serve", entry, "--json", *options],
            env=live.env,
            cwd=live.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def write(self, word: str) -> None:
        (self.folder / "words.py").write_text(f"WORD = {word!r}\n")

    def wait_for(self, event: str, seconds: float = 15) -> dict[str, Any]:
        """The next event of this kind; no other kind but log lines may come before."""
        while True:
            found = self._events.get(timeout=seconds)
            if found["event"] == event:
                return found
            assert found["event"] == "log", (found, self.process.stderr and self.process.stderr.read())

    def is_quiet(self, seconds: float) -> bool:
        time.sleep(seconds)
        return all(event["event"] == "log" for event in list(self._events.queue))

    def ask(self) -> str:
        return self._live.run("chat", self.app, "hi").stdout.strip()

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(15)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))


@pytest.fixture
def serve(live: Live, tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(name: str, *options: str) -> Serve:
        started.append(Serve(live, tmp_path / name, name, *options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_every_way_to_save_goes_live_once(serve: Callable[..., Serve]) -> None:
    one = serve("saved")
    first = one.wait_for("live")
    assert (first["app"], first["version"]) == ("saved-dev", 1)
    assert first["url"].endswith("/a/saved-dev")
    assert one.ask() == "one"

    began = time.monotonic()
    one.write("two")
    assert one.wait_for("live")["version"] == 2
    assert time.monotonic() - began < 5  # usually a fraction of a second; this machine may be busy
    assert one.ask() == "two"

    (one.folder / "words.py~").write_text("WORD = 'three'\n")  # as editors that never leave half a file
    os.replace(one.folder / "words.py~", one.folder / "words.py")
    assert one.wait_for("live")["version"] == 3
    assert one.ask() == "three"

    for number in range(50):
        (one.folder / f"module_{number}.py").write_text("")
    one.write("four")
    assert one.wait_for("live")["version"] == 4
    assert one.is_quiet(1)
    assert one.ask() == "four"


def test_what_is_ignored_is_no_change(serve: Callable[..., Serve]) -> None:
    one = serve("ignoring")
    one.wait_for("live")
    (one.folder / ".gitignore").write_text("*.log\nbuild/\n")
    one.wait_for("live")
    (one.folder / "noise.log").write_text("x")
    (one.folder / "build").mkdir()
    (one.folder / "build" / "made.py").write_text("x")
    (one.folder / "__pycache__").mkdir(exist_ok=True)
    (one.folder / "__pycache__" / "app.pyc").write_text("x")
    for name in (".words.py.swp", "words.py~", ".env"):
        (one.folder / name).write_text("x")
    assert one.is_quiet(1.5)


def test_what_does_not_come_up_is_shown_and_the_version_before_stays(serve: Callable[..., Serve]) -> None:
    one = serve("broken")
    one.wait_for("live")
    (one.folder / "words.py").write_text("WORD = (\n")
    failed = one.wait_for("failed")
    assert "SyntaxError" in failed["error"]["traceback"]
    assert one.ask() == "one"
    (one.folder / "words.py").unlink()
    assert "No module named 'words'" in one.wait_for("failed")["error"]["traceback"]
    (one.folder / "app.py").rename(one.folder / "elsewhere")
    one.wait_for("failed")
    (one.folder / "elsewhere").rename(one.folder / "app.py")
    one.wait_for("failed")
    one.write("mended")
    assert one.wait_for("live")["version"] == 2
    assert one.ask() == "mended"


def test_it_waits_for_a_first_save_that_comes_up(live: Live, serve: Callable[..., Serve]) -> None:
    one = serve("unready")
    (one.folder / "words.py").write_text("WORD = missing\n")
    event = one._events.get(timeout=15)
    if event["event"] == "live":  # it was quicker than this test
        event = one._events.get(timeout=15)
    assert event["event"] == "failed"
    one.write("ready")
    one.wait_for("live")
    assert one.ask() == "ready"


def test_the_log_is_there_and_signals_end_it_in_order(serve: Callable[..., Serve]) -> None:
    one = serve("logged")
    one.wait_for("live")
    one.ask()
    line = one.wait_for("log")
    assert (line["message"], line["level"], line["version"]) == ("heard hi", "info", 1)
    assert line["timestamp"].endswith("Z")
    assert one.end(signal.SIGTERM) == 0
    assert one.wait_for("stopped")["app"] == "logged-dev"
    again = serve("logged-again")
    again.wait_for("live")
    assert again.end(signal.SIGHUP) == 0


def test_a_conversation_goes_on_across_a_save(live: Live, serve: Callable[..., Serve]) -> None:
    one = serve("talking")
    one.wait_for("live")
    session = json.loads(live.run("chat", "talking-dev", "hi", "--json").stdout)["session_id"]
    one.write("two")
    one.wait_for("live")
    answer = json.loads(live.run("chat", "talking-dev", "hi", "--session", session, "--json").stdout)
    assert (answer["session_id"], answer["text"]) == (session, "two")


def test_in_a_terminal(live: Live, terminal_of: Callable[..., Terminal], tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(name="shown"))
    (tmp_path / "words.py").write_text("WORD = 'hi'\n")
    screen = terminal_of("serve", f"{tmp_path / 'app.py'}:app")
    screen.wait_for("shown-dev v1 is live")
    screen.wait_for("/a/shown-dev")
    screen.wait_for("capsule chat shown-dev")
    live.run("chat", "shown-dev", "you")
    screen.wait_for("INFO    heard you")
    (tmp_path / "words.py").write_text("def (\n")
    screen.wait_for("SyntaxError")
    screen.wait_for("shown-dev runs as it was")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert "capsule app delete shown-dev" in screen.screen
    assert "KeyboardInterrupt" not in screen.screen


def test_a_channel_in_use_is_taken_only_by_force(live: Live, tmp_path: Path, serve: Callable[..., Serve]) -> None:
    live.run("channel", "create", "served", "--type", "telegram", "-c", "bot_token=1:a")
    holder = tmp_path / "holder"
    holder.mkdir()
    source = APP.format(name="holder").replace('"holder"', '"holder", channels=[cpsl.Channel("served")]')
    (holder / "app.py").write_text(source)
    (holder / "words.py").write_text("WORD = 'mine'\n")
    assert live.run("deploy", f"{holder / 'app.py'}:app").returncode == 0
    refused = serve("taking", "--channel", "served")
    assert refused.process.wait(15) == 5
    assert refused.process.stderr is not None
    told = json.loads(refused.process.stderr.read().splitlines()[-1])["error"]
    assert (told["code"], "holder" in told["message"]) == ("channel_in_use", True)
    forced = serve("forcing", "--channel", "served", "--force-channel")
    forced.wait_for("live")
    assert live.run("channel", "delete", "served", "--yes").returncode == 5


@pytest.mark.parametrize(
    ("entry", "code"), [("nothing.py:app", 3), ("app.py", 2), ("app.py:1x", 2)], ids=["no file", "no symbol", "no name"]
)
def test_what_no_save_can_mend_ends_it(live: Live, entry: str, code: int) -> None:
    done = live.run("serve", entry)
    assert done.returncode == code
    assert "capsule serve app.py:app" in done.stderr


def test_it_goes_on_after_the_gateway_was_away(own_gateway: GatewayProcess, tmp_path: Path) -> None:
    home = Live(own_gateway.env, tmp_path)
    login = ["login", "--with-token", "--gateway", own_gateway.url]
    assert home.run(*login, stdin=own_gateway.token).returncode == 0
    one = Serve(home, tmp_path / "project", "outlasting")
    try:
        one.wait_for("live")
        own_gateway.kill()
        one.write("missed")
        assert one.wait_for("failed")["error"]["code"] == "gateway_unreachable"
        own_gateway.start()
        one.write("two")
        assert one.wait_for("live")["version"] == 2
        assert one.ask() == "two"
        assert one.wait_for("log")["message"] == "heard hi"
    finally:
        one.process.kill()
        one.process.communicate()
