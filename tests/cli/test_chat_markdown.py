"""An answer on a terminal: what the screen shows in the end, at every width, however the text came."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsule_cli.talk.page import Page
from tests.cli.conftest import Live
from tests.cli.terminal import Terminal
from tests.cli.test_talk_blocks import TEXTS, cut

Open = Callable[..., Terminal]
COLOUR = {"NO_COLOR": ""}

TEXT = """# A *title*

Plain words that are long enough to need more than one line on a narrow terminal, and **bold** ones.
- one
- two with `code`
  - below

1. first

   ```python
   def f():
       return 1
   ```
2. second

| Name | Value |
|------|-------|
| 日本 | 😀 a cell that is far too long for a terminal of forty columns |

> said

```python
print("# no title")
```

[a link](https://example.com/x) and [no link](ssh://host) end."""


def shown(
    open: Open, text: str, *, word: str = "type", columns: int = 80, env: dict[str, str] | None = None
) -> Terminal:
    screen = open("chat", "talker", f"{word} {text}", env=COLOUR | (env or {}), columns=columns)
    assert screen.exit_code() == 0, screen.screen
    return screen


@pytest.mark.parametrize("columns", [40, 200])
def test_what_is_typed_looks_like_what_comes_at_once(terminal_of: Open, columns: int) -> None:
    typed = shown(terminal_of, TEXT, columns=columns).lines
    assert typed == shown(terminal_of, TEXT, word="say", columns=columns).lines
    assert all(len(line) <= columns for line in typed)
    assert typed[0] == "A title"
    assert " • two with code" in typed
    assert any("print(" in line for line in typed)
    assert not any("```" in line or "**" in line for line in typed)
    assert "Thinking" not in "\n".join(typed)


def test_code_that_takes_a_while_is_announced(terminal_of: Open) -> None:
    screen = shown(terminal_of, "```py\n" + "value = 1\n" * 150 + "```\nend")
    assert "Writing" in screen.screen
    assert [line for line in screen.lines if line and line != " value = 1"] == ["end"]


def test_plain_words_are_never_drawn_twice(terminal_of: Open) -> None:
    screen = shown(terminal_of, "one two three four five six seven eight nine ten\n\n- eleven\n- twelve and more")
    for word in ("one", "ten", "eleven", "twelve", "more"):
        assert screen.screen.count(word) == 1
    assert screen.lines == ["one two three four five six seven eight nine ten", "", " • eleven", " • twelve and more"]


def test_what_has_left_the_screen_is_not_drawn_again(terminal_of: Open) -> None:
    words = " ".join(f"word{number}" for number in range(700))
    lines = shown(terminal_of, f"**b** {words}", word="say").lines
    assert " ".join(" ".join(lines).split()).endswith(words)


def test_a_fence_that_never_ends_is_shown(terminal_of: Open) -> None:
    assert any("x = 1" in line for line in shown(terminal_of, "so:\n\n```py\nx = 1").lines)


def test_two_replies_are_two_texts(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "two", env=COLOUR)
    assert screen.exit_code() == 0
    assert screen.lines == ["one", "", "two"]


def test_links_are_clicked_only_where_a_browser_goes(terminal_of: Open) -> None:
    able = {"TERM_PROGRAM": "WezTerm"}
    screen = shown(terminal_of, TEXT, word="say", env=able).screen
    assert ";https://example.com/x\x1b\\" in screen
    assert ";ssh://host" not in screen
    assert "no link (ssh://host)" in screen
    assert "a link (https://example.com/x)" in shown(terminal_of, TEXT, word="say").lines[-1]


HOSTILE = [
    "\x1b]52;c;aGk=\x07 x",
    "`\x1b[2J` x",
    "```\n\x1b]0;title\x07\n```",
    "[x](https://e.example/\x1b]8;;evil\x07)",
    '[x](https://e.example "\x1b[31m")',
    "&#27;[31m x",
    "\u009b31m x",
    "```\x1b[31m\nx\n```",
    "| \x1b[31m |\n|---|\n| x |",
]


@pytest.mark.parametrize("markdown", ["--markdown", "--no-markdown"])
def test_an_app_writes_no_escape_sequence(terminal_of: Open, markdown: str) -> None:
    text = "\n\n".join(HOSTILE) + "\n\n\u202egnirts x &#x202e;"
    screen = terminal_of("chat", "talker", f"say {text}", markdown, env=COLOUR | {"TERM_PROGRAM": "WezTerm"})
    assert screen.exit_code() == 0
    for sign in ("\x1b]52", "\x1b[2J", "\x1b]0;", "\x1b[31m", "\u009b", "\x07", "\u202e"):
        assert sign not in screen.screen
    assert "\\u202egnirts" in screen.screen


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour_the_text_is_as_it_is(terminal_of: Open, env: dict[str, str]) -> None:
    assert shown(terminal_of, "# a\n**b**", word="say", env=env).lines == ["# a", "**b**"]


def test_a_pipe_gets_the_bytes_of_the_answer(live: Live) -> None:
    text = "# a\n**b** \x1b[31m\u202e 日本"
    assert live.run("chat", "talker", "say " + text).stdout == text + "\n"


def test_html_is_not_swallowed(terminal_of: Open) -> None:
    assert shown(terminal_of, "<think>so</think> yes", word="say").lines == ["<think>so</think> yes"]


def test_status_lines_stand_beside_the_spinner_and_go(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "busy", env=COLOUR)
    screen.wait_for("looking (at it)")
    assert screen.exit_code() == 0
    assert screen.lines == ["found"]


def test_nothing_is_drawn_over_in_a_window_of_another_size(terminal_of: Open) -> None:
    words = [f"word{number}" for number in range(100)]
    screen = terminal_of("chat", "talker", "type **b** " + " ".join(words), env=COLOUR)
    screen.wait_for("word20")
    screen.resize(40)
    assert screen.exit_code() == 0
    assert [word for word in words if screen.screen.count(f"{word} ") + screen.screen.count(f"{word}\r") != 1] == []


def test_what_the_terminal_echoes_does_not_tear_the_answer(terminal_of: Open) -> None:
    screen = terminal_of("chat", "talker", "type " + "one two three four five " * 20, env=COLOUR)
    screen.wait_for("five")
    screen.type("hello")
    assert screen.exit_code() == 0
    assert "hello" not in screen.screen


def drawn(pieces: list[str], columns: int) -> list[str]:
    """What a screen of 200 lines shows of an answer that came in ``pieces``."""
    out = StringIO()
    page = Page()
    with redirect_stdout(out):
        for piece in pieces:
            page.feed(piece)
        page.end()
    screen = pyte.Screen(columns, 200)
    pyte.Stream(screen).feed(out.getvalue().replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display]


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.lists(st.integers(0, 1000), max_size=12), st.sampled_from([20, 80]))
def test_the_screen_does_not_depend_on_the_pieces(text: str, places: list[int], columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("LINES", "200")
        at_once = drawn([text], columns)
        assert drawn(cut(text, places), columns) == at_once
        assert drawn(list(text), columns) == at_once


def test_fewer_lines_than_were_sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "200")
    monkeypatch.setenv("TERM_PROGRAM", "WezTerm")
    monkeypatch.delenv("TMUX", raising=False)
    text = "one two three four [](https://example.com/much-longer) \n\nend"
    assert drawn(list(text), 20) == drawn([text], 20)
    assert drawn([text], 20)[:3] == ["one two three four", "", "end"]
