"""A conversation in a terminal: typing, pasting, commands, history, going on, and leaving."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Live
from tests.cli.terminal import CTRL_C, CTRL_D, Terminal

Open = Callable[..., Terminal]
ALT_ENTER, CTRL_R, UP = "\x1b\r", "\x12", "\x1b[A"


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    """Nothing said before."""
    return {"CAPSULE_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture
def talk(terminal_of: Open, state: dict[str, str]) -> Iterator[Terminal]:
    """A conversation with the app; ended with Ctrl-D, which must end it."""
    screen = terminal_of("chat", "talker", env=state)
    screen.wait_for_prompt()
    yield screen
    screen.wait_for_prompt()
    screen.type(CTRL_D)
    assert screen.exit_code() == 0, screen.screen


def say(screen: Terminal, keys: str, answer: str) -> None:
    screen.type(keys)
    screen.wait_for(answer)
    screen.wait_for_prompt()


def test_several_lines_are_one_message(talk: Terminal) -> None:
    say(talk, f"one{ALT_ENTER}two\r", r"'one\ntwo' after None")
    say(talk, "\x1b[200~three\nfour\x1b[201~\r", r"'three\nfour' after 'one\ntwo'")


def test_what_was_said_is_found_again(talk: Terminal) -> None:
    say(talk, "first words\r", "'first words' after")
    say(talk, "second\r", "'second' after")
    say(talk, UP * 2 + "\r", "'first words' after 'second'")
    talk.type(CTRL_R + "seco")
    talk.wait_for("nd")
    say(talk, "\r\r", "'second' after 'first words'")


def test_commands_are_found_and_others_explained(talk: Terminal) -> None:
    say(talk, "/help\r", "/attach")
    say(talk, "/sesions\r", "Did you mean /sessions?")
    say(talk, "/retry\r", "Nothing was said yet")
    say(talk, "//etc\r", "'/etc' after None")
    say(talk, "/retry\r", "'/etc' after '/etc'")
    talk.type("/re\t")
    talk.wait_for("try")
    say(talk, "\r", "'/etc' after '/etc'")


def test_sessions_are_listed_and_switched(talk: Terminal) -> None:
    say(talk, "apples\r", "'apples' after None")
    say(talk, "/new\r", "A new session.")
    say(talk, "pears\r", "'pears' after None")
    say(talk, "/sessions\r", "/switch NUMBER")
    say(talk, "/switch 2\r", "In: apples")
    say(talk, "again\r", "'again' after 'apples'")
    say(talk, "/switch 99\r", "no session 99")
    say(talk, "/switch ses_nope\r", "Error:")
    say(talk, "still\r", "'still' after 'again'")


def test_an_editor_writes_the_message(terminal_of: Open, state: dict[str, str], tmp_path: Path) -> None:
    editor = tmp_path / "my editor"
    editor.write_text('#!/bin/sh\nprintf " and\\nmore" >> "$1"\n')
    editor.chmod(0o700)
    screen = terminal_of("chat", "talker", env=state | {"VISUAL": f"'{editor}'"})
    screen.wait_for_prompt()
    say(screen, "/edit draft\r", r"'draft and\nmore' after None")


def test_the_last_answer_is_copied(talk: Terminal) -> None:
    say(talk, "/copy\r", "no answer yet")
    say(talk, "x\r", "'x' after None")
    say(talk, "/copy\r", "clipboard")


def test_the_last_answer_is_copied_by_the_terminal(terminal_of: Open, state: dict[str, str]) -> None:
    screen = terminal_of("chat", "talker", env=state | {"NO_COLOR": ""})
    screen.wait_for_prompt()
    say(screen, "say **x**\r", "x")
    say(screen, "/copy\r", "\x1b]52;c;" + base64.b64encode(b"**x**").decode())


def test_history_is_private_and_of_one_app_and_survives_two_at_once(
    terminal_of: Open, state: dict[str, str], live: Live
) -> None:
    one, two = (terminal_of("chat", "talker", env=state) for _ in range(2))
    for screen, word in ((one, "fromone"), (two, "fromtwo")):
        screen.wait_for_prompt()
        say(screen, word + "\r", f"'{word}' after None")
        screen.type(CTRL_D)
        assert screen.exit_code() == 0
    folder = Path(state["CAPSULE_STATE_DIR"]) / "chat"
    text = (folder / "talker.history").read_text()
    assert "fromone" in text
    assert "fromtwo" in text
    left = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert left == dict.fromkeys(("talker.history", "sessions.json", ".sessions.json.lock"), 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_continue_goes_on_with_the_last_session(live: Live, tmp_path: Path) -> None:
    env = live.env | {"CAPSULE_STATE_DIR": str(tmp_path / "state")}
    mine = Live(env, live.folder)
    assert mine.run("chat", "talker", "a").stdout == "'a' after None\n"
    assert live.run("chat", "talker", "b").stdout == "'b' after None\n"
    assert mine.run("chat", "talker", "c", "-c").stdout == "'c' after 'a'\n"
    assert mine.run("chat", "talker", "d", "--new").stdout == "'d' after None\n"
    elsewhere = Live(live.env | {"CAPSULE_STATE_DIR": str(tmp_path / "new")}, live.folder)
    assert elsewhere.run("chat", "talker", "e", "--continue").stdout == "'e' after 'd'\n"
    assert live.run("chat", "talker", "f", "-c", "--new").returncode == 2


def test_a_simple_terminal_has_the_same_commands(terminal_of: Open, state: dict[str, str]) -> None:
    screen = terminal_of("chat", "talker", env=state | {"TERM": "dumb"})
    screen.wait_for("> ")
    screen.type("one\n")
    screen.wait_for("'one' after None")
    screen.wait_for("> ")
    screen.type("/new\n")
    screen.wait_for("A new session.")
    screen.wait_for("> ")
    screen.type("other\n")
    screen.wait_for("'other' after None")
    screen.wait_for("> ")
    screen.type(CTRL_D)
    screen.wait_for("Continue with: capsule chat talker --session ses_")
    assert screen.exit_code() == 0
    assert "one" in (Path(state["CAPSULE_STATE_DIR"]) / "chat" / "talker.history").read_text()


def test_ctrl_c_cancels_then_leaves(terminal_of: Open, state: dict[str, str]) -> None:
    screen = terminal_of("chat", "talker", env=state)
    screen.wait_for_prompt()
    screen.type("slow\r")
    screen.wait_for("5 6 7")
    screen.type(CTRL_C)
    screen.wait_for("Cancelled.")
    screen.wait_for_prompt()
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert "Continue with" in screen.screen


def test_nothing_can_be_written_and_people_still_talk(terminal_of: Open, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    screen = terminal_of("chat", "talker", env={"CAPSULE_STATE_DIR": str(tmp_path / "file" / "state")})
    screen.wait_for_prompt()
    say(screen, "x\r", "'x' after None")


def test_a_closed_terminal_ends_it(terminal_of: Open, state: dict[str, str]) -> None:
    screen = terminal_of("chat", "talker", env=state | {"NO_COLOR": ""})
    screen.wait_for_prompt()
    screen.type("busy\r")
    screen.wait_for("looking (at it)")
    os.killpg(screen.process.pid, 1)
    assert screen.exit_code(10) != 0
    assert "Traceback" not in screen.screen


def test_no_stdin_leaves_what_is_piped_alone(live: Live) -> None:
    assert live.run("chat", "talker", "x", "--no-stdin", stdin="more").stdout == "'x' after None\n"


def test_no_stream_prints_the_same(live: Live) -> None:
    assert live.run("chat", "talker", "two", "--no-stream").stdout == "one\n\ntwo\n"
    failed = live.run("chat", "talker", "fail", "--no-stream")
    assert (failed.returncode, failed.stdout) == (7, "so far\n")


def test_json_names_what_a_script_goes_on_with(live: Live) -> None:
    found = json.loads(live.run("chat", "talker", "x", "--json", "session_id,request_id").stdout)
    assert found["session_id"].startswith("ses_")
    assert found["request_id"].startswith("trn_")


def test_a_file_that_is_none_is_refused_before_anything_is_sent(live: Live) -> None:
    assert live.run("chat", "talker", "x", "--attach", "nowhere.png").returncode == 2


def test_files_go_with_a_message(live: Live, tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("1234")
    (tmp_path / "c.txt").write_text("56")
    files = [word for name in ("a b.txt", "c.txt") for word in ("--attach", str(tmp_path / name))]
    assert live.run("chat", "talker", "files", *files).stdout == "a b.txt 4, c.txt 2\n"


def test_files_go_with_the_next_message_only(terminal_of: Open, state: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_text("1234")
    talk = terminal_of("chat", "talker", env=state, columns=200)
    talk.wait_for_prompt()
    say(talk, f"/attach {tmp_path}/nope\r", "No such file")
    talk.type(f"/attach {tmp_path}/pic\t")
    talk.wait_for("ture.png")
    say(talk, "\r", "With the next message: picture.png")
    say(talk, "files\r", "picture.png 4")
    say(talk, "files\r", "none")
    say(talk, f"/attach {tmp_path}/picture.png\r", "With the next")
    say(talk, "files\r", "picture.png 4")
    say(talk, "/retry\r", "picture.png 4")


def test_an_answer_that_takes_too_long(live: Live) -> None:
    done = live.run("chat", "talker", "busy", "--timeout", "0.3")
    assert done.returncode == 6
    assert "--turn trn_" in done.stderr
