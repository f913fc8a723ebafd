"""``capsule chat`` with a real gateway and a real terminal: answers, prompts, cancelling, going on."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Live
from tests.cli.terminal import CTRL_C, CTRL_D, Terminal
from tests.support.processes import eventually

Open = Callable[..., Terminal]


def test_one_answer_is_all_that_is_on_stdout(live: Live) -> None:
    done = live.run("chat", "talker", "two")
    assert done.returncode == 0
    assert done.stdout == "one\n\ntwo\n"
    assert "thinking (hard)" in done.stderr


def test_stdin_is_added_to_the_text(live: Live) -> None:
    assert live.run("chat", "talker", "read:", stdin="a\nb\n").stdout == "'read:\\n\\na\\nb' after None\n"
    assert live.run("chat", "talker", stdin="alone\n").stdout == "'alone' after None\n"


def test_json_is_one_object_and_its_session_goes_on(live: Live) -> None:
    first = json.loads(live.run("chat", "talker", "two", "--json").stdout)
    assert first["text"] == "one\n\ntwo"
    assert first["replies"] == ["one", "two"]
    assert first["request_id"]
    one = json.loads(live.run("chat", "talker", "x", "--json").stdout)
    two = live.run("chat", "talker", "y", "--session", one["session_id"])
    assert two.stdout == "'y' after 'x'\n"


def test_an_app_that_fails_leaves_its_text_and_one_line(live: Live) -> None:
    done = live.run("chat", "talker", "fail")
    assert done.returncode == 7
    assert done.stdout == "so far\n"
    assert "Error: " in done.stderr
    assert "deliberate" not in done.stdout
    next_step = done.stderr.splitlines()[-1].split(": capsule ")[1].split()
    assert next_step[:3] == ["logs", "talker", "--turn"]
    assert eventually(lambda: "deliberate" in live.run(*next_step).stdout)


def test_a_prompt_without_a_terminal_is_exit_8(live: Live) -> None:
    done = live.run("chat", "talker", "box")
    assert done.returncode == 8
    assert "Need the box" in done.stderr
    assert "trn_" in done.stderr
    assert "http://127.0.0.1" in done.stderr
    told = json.loads(live.run("chat", "talker", "box", "--json").stderr)["error"]
    assert told["link"].startswith("http://127.0.0.1")
    assert told["request_id"].startswith("trn_")


def test_cards_are_lines(live: Live) -> None:
    done = live.run("chat", "talker", "hint")
    assert done.stdout == "shown\n"
    assert "[Connect GitHub]: Unlock analysis" in done.stderr
    assert "/connect/github" in done.stderr
    assert "[image a picture] https://example.com/a.png" in done.stderr


def test_a_form_is_asked_hidden(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "tailscale")
    screen.wait_for("Tailscale: Need a key")
    screen.wait_for("Auth key (hidden): ")
    screen.type("\n")
    screen.wait_for("Auth key is needed.")
    screen.wait_for("Auth key (hidden): ")
    screen.type("very-secret\n")
    assert screen.exit_code() == 0
    assert "key 11 long" in screen.screen
    assert "very-secret" not in screen.screen


def test_a_file_is_asked_for_until_it_fits(terminal_of: Open, live: Live, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    (tmp_path / "wrong.bin").write_bytes(b"\0")
    screen = terminal_of("chat", "talker", "file", env={"HOME": str(tmp_path)})
    screen.wait_for("A CSV file, please")
    screen.wait_for("empty to decline: ")
    screen.type("/nowhere.csv\n")
    screen.wait_for("No such file")
    screen.wait_for("empty to decline: ")
    screen.type("~/wrong.bin\n")
    screen.wait_for("empty to decline: ")
    screen.type("~/data.csv\n")
    assert screen.exit_code() == 0
    assert "data.csv has 8 bytes, begins a,b" in screen.screen


def test_a_prompt_can_be_declined(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "box")
    screen.wait_for("User (hidden): ")
    screen.type(CTRL_D)
    screen.wait_for("Declined.")
    assert screen.exit_code() == 7  # the app does not catch it


def test_ctrl_c_at_a_prompt_cancels_the_turn(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "box")
    screen.wait_for("User (hidden): ")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert "Error" not in screen.screen


def test_an_integration_shows_its_link_and_waits(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "github")
    screen.wait_for("GitHub: Need access")
    screen.wait_for("/connect/")
    screen.wait_for("Waiting")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130


def test_ctrl_c_cancels_at_the_gateway(terminal_of: Open, live: Live) -> None:
    screen = terminal_of("chat", "talker", "slow")
    screen.wait_for("5 6 7")
    screen.type(CTRL_C)
    assert screen.exit_code(10) == 130
    assert "Traceback" not in screen.screen
    assert "Error" not in screen.screen


def test_a_conversation(terminal_of: Open, live: Live) -> None:
    screen = terminal_of("chat", "talker")
    screen.wait_for_prompt()
    screen.type("first\n")
    screen.wait_for("'first' after None")
    screen.wait_for_prompt()
    screen.type("slow\n")
    screen.wait_for("5 6 7")
    screen.type(CTRL_C)
    screen.wait_for("Cancelled.")
    screen.wait_for_prompt()
    screen.type("fail\n")
    screen.wait_for("so far")
    screen.wait_for("Error: ")
    screen.wait_for_prompt()
    screen.type("\x1b[A\x1b[A\x1b[A\n")  # three up: the first message again
    screen.wait_for("'first' after 'first'")
    screen.wait_for_prompt()
    screen.type(CTRL_D)
    screen.wait_for("Continue with: capsule chat talker --session ses_")
    assert screen.exit_code() == 0
    history = Path(live.env["CAPSULE_STATE_DIR"]) / "chat" / "talker.history"
    assert stat.S_IMODE(os.stat(history).st_mode) == 0o600
    assert "first" in history.read_text()


def test_a_form_in_a_conversation_and_nothing_of_it_is_remembered(terminal_of: Open, live: Live) -> None:
    screen = terminal_of("chat", "talker")
    screen.wait_for_prompt()
    screen.type("aws\n")
    screen.wait_for("Need AWS credentials")
    screen.wait_for("Access key ID: ")
    screen.type("AKIA-typed\n")
    screen.wait_for("Secret access key (hidden): ")
    screen.type("very-secret\n")
    screen.wait_for("Region: ")
    screen.type("eu-west-1\n")
    screen.wait_for("region eu-west-1, 11 long")
    screen.wait_for_prompt()
    screen.type(CTRL_D)
    assert screen.exit_code() == 0
    assert "very-secret" not in screen.screen
    assert "AKIA-typed" not in (Path(live.env["CAPSULE_STATE_DIR"]) / "chat" / "talker.history").read_text()


def test_two_ctrl_c_leave_a_conversation(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker")
    screen.wait_for_prompt()
    screen.type("half a line" + CTRL_C)
    screen.wait_for("Ctrl-C again")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130


def test_an_app_cannot_steer_the_terminal(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "steer")
    assert screen.exit_code() == 0
    assert "red" in screen.screen
    assert "\x1b[31m" not in screen.screen


def test_what_does_not_exist(live: Live) -> None:
    assert live.run("chat", "nope", "hi").returncode == 3
    assert live.run("chat", "talker", "hi", "--session", "ses_nope").returncode == 3


def test_a_turn_that_waits_is_joined_and_answered(live: Live, terminal_of: Open) -> None:
    asked = live.run("chat", "talker", "box", "--json")
    turn = json.loads(asked.stderr)["error"]["request_id"]
    assert f"capsule chat talker --turn {turn}" in asked.stderr
    screen = terminal_of("chat", "talker", "--turn", turn)
    screen.wait_for("Need the box")
    screen.wait_for("User (hidden): ")
    screen.type(CTRL_D)
    assert screen.exit_code() == 7
    again = live.run("chat", "talker", "--turn", turn)
    assert again.returncode == 7
    assert "waits for a person" not in again.stderr


def test_a_turn_cannot_be_joined_with_something_to_say(live: Live) -> None:
    assert live.run("chat", "talker", "hi", "--turn", "trn_x").returncode == 2
    assert live.run("chat", "talker", "--turn", "trn_x").returncode == 3
