"""``capsule chat`` in scripts: what is on stdout, what is loaded, what is left when something breaks off."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.cli.conftest import Live
from tests.cli.terminal import Terminal
from tests.support.proxy import cutting_proxy

Open = Callable[..., Terminal]
_PROBE = """
import sys
sys.argv = ["capsule", *{arguments!r}]
from capsule_cli.main import main
try:
    main()
finally:
    print("\\0" + " ".join(sys.modules), file=sys.stderr)
"""


def loaded_by(live: Live, *arguments: str) -> set[str]:
    command = [sys.executable, "-c", _PROBE.format(arguments=list(arguments))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=live.env, stdin=subprocess.DEVNULL)
    return set(done.stderr.rpartition("\0")[2].split())


def test_one_answer_in_a_pipe_loads_neither_rich_nor_the_editor(live: Live) -> None:
    loaded = loaded_by(live, "chat", "talker", "x")
    assert "capsule_cli.talk.turn" in loaded
    assert not loaded & {
        "rich.console",
        "rich.markdown",
        "prompt_toolkit",
        "markdown_it",
    }


def test_a_reader_that_has_enough_ends_it_quietly(live: Live) -> None:
    command = [sys.executable, "-m", "capsule_cli", "chat", "talker", "type " + "one two " * 300]
    with subprocess.Popen(
        command, env=live.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == "one "
        process.stdout.close()
        process.wait(10)
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize("options", [[], ["--no-stream"], ["--json"]])
def test_an_answer_without_words(live: Live, options: list[str]) -> None:
    done = live.run("chat", "talker", "nothing", *options)
    assert done.returncode == 0
    assert done.stderr == ""
    assert '"text": ""' in done.stdout if options == ["--json"] else done.stdout == ""


def test_a_very_long_line(live: Live, terminal_of: Open) -> None:
    assert live.run("chat", "talker", "long 1000000").stdout == "x" * 1_000_000 + "\n"
    screen = terminal_of("chat", "talker", "long 150000", env={"NO_COLOR": ""})
    assert screen.exit_code() == 0
    assert sum(line.count("x") for line in screen.screen.split("\n")) == 150_000


def test_an_error_after_some_words_leaves_them(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "fail", env={"NO_COLOR": ""})
    assert screen.exit_code() == 7
    assert screen.lines[0] == "so far"
    assert screen.lines[1].startswith("Error: ")
    assert "(trn_" in "".join(screen.lines)


def test_there_is_no_pager(terminal_of: Open) -> None:
    text = "\n".join(f"- line {number}" for number in range(100))
    screen = terminal_of("chat", "talker", f"say {text}", env={"NO_COLOR": "", "PAGER": "false", "LESS": ""})
    assert screen.exit_code() == 0
    assert screen.lines[-1] == " • line 99"


def test_a_cut_connection_leaves_no_seam(live: Live, terminal_of: Open) -> None:
    words = " ".join(f"word{number}" for number in range(100))
    token = live.run("auth", "token").stdout.strip()
    url = json.loads(live.run("status", "--json").stdout)["gateway_url"]
    with cutting_proxy(url, [900, 1500, 0, 2500]) as proxy:
        near = {"CAPSULE_TOKEN": token, "CAPSULE_GATEWAY_URL": proxy.url}
        assert Live(live.env | near, live.folder).run("chat", "talker", f"type {words}").stdout == words + "\n"
        assert proxy.cuts == 4
    with cutting_proxy(url, [900, 1500]) as proxy:
        near = {"CAPSULE_TOKEN": token, "CAPSULE_GATEWAY_URL": proxy.url, "NO_COLOR": ""}
        screen = terminal_of("chat", "talker", f"type {words}", env=near)
        assert screen.exit_code() == 0
        assert " ".join(screen.lines) == words
        assert proxy.cuts == 2
