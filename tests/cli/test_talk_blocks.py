"""Markdown cut into blocks: nothing is lost, and the cuts do not depend on how the text came."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsule_cli.talk.blocks import Splitter

LINES = st.sampled_from(
    """
word;two  words;# head;---;===;- item;  more;1. one;12) x;```;```py;~~~~;~~~;> quote;    code;\ttab;[a]: http://x;* * *
| a | b |;|---|---|;<b>;  - in;   ```; \r;\x0b""".replace("\n", ";").split(";")
)
TEXTS = st.lists(LINES, max_size=25).map("\n".join) | st.text(alphabet="ab`~-*#|>1.) \n\t\r\\[]:", max_size=80)


def split(pieces: list[str]) -> list[str]:
    splitter = Splitter()
    return [*(block for piece in pieces for block in splitter.feed(piece)), *splitter.finish()]


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places})
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@settings(deadline=None, max_examples=100)
@given(TEXTS, st.lists(st.integers(0, 1000), max_size=12))
def test_blocks_joined_are_the_text_and_do_not_depend_on_its_pieces(text: str, places: list[int]) -> None:
    blocks = split([text])
    assert "".join(blocks) == text
    assert all(blocks)
    assert split(cut(text, places)) == blocks
    assert split(list(text)) == blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("one\n\ntwo", ["one\n\n", "two"]),
        ("# head\ntext\n", ["# head\n", "text\n"]),
        ("- a\n- b\n\ntext", ["- a\n", "- b\n\n", "text"]),
        ("1. a\n\n   ```\n   - no\n   ```\n2. b", ["1. a\n\n   ```\n   - no\n   ```\n", "2. b"]),
        ("```\n# no\n\n- no\n```\nyes", ["```\n# no\n\n- no\n```\n", "yes"]),
        ("````\n```\n````\nx", ["````\n```\n````\n", "x"]),
        ("```\nnever\n\nclosed", ["```\nnever\n\nclosed"]),
        ("a|b\n-|-\n1|2\n\nx", ["a|b\n-|-\n1|2\n\n", "x"]),
        ("> a\n> b\n\nx", ["> a\n> b\n\n", "x"]),
    ],
)
def test_what_a_block_is(text: str, blocks: list[str]) -> None:
    assert split([text]) == blocks


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("word\n\n", 1),
        ("# head\n", 1),
        ("- a\n- b\n", 1),
        ("```\nx\n```\n", 1),
        ("word\n", 0),
        ("- a\n", 0),
        ("```\nx\n", 0),
    ],
)
def test_a_block_is_there_as_soon_as_it_is_finished(text: str, shown: int) -> None:
    assert len(Splitter().feed(text)) == shown


@pytest.mark.parametrize("line", ["- item\n", "word\n", "> q\n"])
def test_thousands_of_lines_cost_little(line: str) -> None:
    splitter = Splitter()
    begun = time.process_time()
    for _ in range(4_000):
        splitter.feed(line)
    splitter.finish()
    assert time.process_time() - begun < 5
