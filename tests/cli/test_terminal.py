"""Prompts in a real terminal: nothing shows that is secret, Ctrl-C leaves nothing half done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.terminal import CTRL_C, CTRL_D, Terminal

Open = Callable[..., Terminal]
FAKE = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9"}


def test_a_secret_is_typed_hidden(terminal: Open) -> None:
    screen = terminal("secret", "create", "A", env=FAKE)
    screen.wait_for("Value of A (hidden): ")
    screen.type("sk-very-secret\n")
    assert screen.exit_code() == 6  # nobody is there to store it
    assert "sk-very-secret" not in screen.screen


def test_nobody_is_asked_who_is_not_logged_in(terminal: Open) -> None:
    screen = terminal("secret", "create", "A")
    assert screen.exit_code() == 4
    assert "Value of" not in screen.screen


@pytest.mark.parametrize(
    ("words", "prompt"),
    [
        (["secret", "create", "A"], "Value of A (hidden): "),
        (["channel", "create", "x", "--type", "telegram"], "bot_token (hidden): "),
        (["channel", "delete", "x"], "[y/N] "),
        (["fs", "delete", "x"], "Type x to go ahead: "),
    ],
)
def test_ctrl_c_at_a_prompt_is_130_and_says_nothing(terminal: Open, words: list[str], prompt: str) -> None:
    screen = terminal(*words, env=FAKE)
    screen.wait_for(prompt)
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert "Error" not in screen.screen
    assert "Traceback" not in screen.screen
    assert screen.screen.endswith("\n"), "the shell's prompt would stand behind it"


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), (CTRL_D, 1), ("y\n", 6)])
def test_only_yes_is_yes(terminal: Open, answer: str, code: int) -> None:
    screen = terminal("channel", "delete", "x", env=FAKE)
    screen.wait_for("[y/N] ")
    screen.type(answer)
    assert screen.exit_code() == code


@pytest.mark.parametrize(("answer", "code"), [("y\n", 1), ("X\n", 1), ("\n", 1), (CTRL_D, 1), ("x\n", 6)])
def test_what_takes_much_along_wants_its_name_typed(terminal: Open, answer: str, code: int) -> None:
    screen = terminal("fs", "delete", "x", env=FAKE)
    screen.wait_for("with all its files. This cannot be undone.")
    screen.wait_for("Type x to go ahead: ")
    screen.type(answer)
    assert screen.exit_code() == code


@pytest.mark.parametrize(("given", "code"), [(["--confirm", "x"], 6), (["--confirm=x"], 6), (["--confirm", "y"], 2)])
def test_or_given_as_an_option(terminal: Open, given: list[str], code: int) -> None:
    screen = terminal("fs", "delete", "x", *given, env=FAKE)
    assert screen.exit_code() == code
    assert "Type" not in screen.screen


def test_an_empty_hidden_value_is_refused(terminal: Open) -> None:
    screen = terminal("secret", "create", "A", env=FAKE)
    screen.wait_for("(hidden): ")
    screen.type("\n")
    assert screen.exit_code() == 2
    assert "empty" in screen.screen


def test_a_token_is_never_awaited_at_a_terminal(terminal: Open) -> None:
    screen = terminal("login", "--with-token")
    assert screen.exit_code() == 2
    assert "stdin" in screen.screen


def test_stdin_for_a_secret_is_never_awaited_at_a_terminal(terminal: Open) -> None:
    screen = terminal("secret", "create", "A", "-", env=FAKE)
    assert screen.exit_code() == 2


def test_an_app_that_is_slow_to_import_is_no_silence_and_ctrl_c_ends_it(terminal: Open, tmp_path: Path) -> None:
    """The import is a process of its own, which got the Ctrl-C too and answered with a traceback."""
    (tmp_path / "slow.py").write_text("import cpsl, time\ntime.sleep(30)\napp = cpsl.App('slow')\n")
    screen = terminal("deploy", f"{tmp_path / 'slow.py'}:app", env=FAKE)
    screen.wait_for("slow.py:app here, to see what it asks for")
    screen.type(CTRL_C)
    assert screen.exit_code() == 130
    assert "Traceback" not in screen.screen


@pytest.mark.parametrize("pasted", ["-----BEGIN KEY-----\nabc\n-----END KEY-----\n", "two\nlines", "x" * 6000 + "\n"])
def test_a_secret_that_is_no_single_line_is_not_cut_off(terminal: Open, pasted: str) -> None:
    """Only the first line of a pasted key was stored, and the rest could go to the shell."""
    screen = terminal("secret", "create", "A", env=FAKE)
    screen.wait_for("Value of A (hidden): ")
    screen.type(pasted)
    assert screen.exit_code() == 2
    assert "more than one line" in screen.screen
    assert "A=@FILE" in screen.screen
    assert pasted.strip()[-5:] not in screen.screen
