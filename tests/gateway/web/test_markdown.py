"""Answers as HTML: what is in them can do nothing to the page, however hostile, long or unfinished it is."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpsl.gateway.web import markdown
from cpsl.gateway.web.units import MAX_MARKDOWN, MAX_PLAIN, Splitter, Unit

SAFE_TAGS = {
    *("a", "blockquote", "br", "button", "code", "del", "div", "em", "figcaption", "figure", "h3", "h4", "h5", "h6"),
    *("hr", "img", "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    *("svg", "use"),
}
SAFE_ATTRIBUTES = {
    *("alt", "aria-hidden", "aria-label", "class", "data-copy", "data-language", "dir", "href", "loading", "rel"),
    *("role", "src", "start", "tabindex", "target", "title", "type"),
}
TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
FRAGMENTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><use href='#x'/></svg>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](//evil.example)",
    "[x](/a/echo/sign-out)",
    "![x](https://evil.example/track.png)",
    "![x](data:image/svg+xml,<svg>)",
    '![x](/api/v1/app/echo/files/fil_1" onerror="alert(1))',
    '<https://ok.example/?a="onmouseover=alert(1)>',
    '[x](https://ok.example "title\\" onclick=alert(1)")',
    "[r]\n\n[r]: javascript:alert(1)",
    '```"><script>alert(1)</script>\ncode\n```',
    "```html\n<script>alert(1)</script>",
    "~~~\nnever closed </code></pre><script>",
    "| a | b |\n|:-:|--:|\n| <b onclick=x> | `|` |",
    "- [x] done <script>\n- [ ] to do",
    "admin\u202etxt.exe \u2066\u2069",
    "`ac\u202ecess`",
    "&lt;script&gt; &#x3C;script&#x3E;",
    "</div></article></section>",
    "\0 \x1b[31m \ufeff \ud800",
    "a@b.example www.x.example http://y.example/<script>",
    "<!-- <script> --> <![CDATA[ <script> ]]> <?php ?>",
    "<button data-retry>x</button><form action=//evil>",
]


class Markup(HTMLParser):
    """All tags, attributes and addresses of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.depth = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]
        self.sources += [value or "" for name, value in attrs if name == "src"]
        self.depth += tag not in ("br", "hr", "img")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


def assert_safe(html: str) -> None:
    found = Markup(html)
    assert found.tags <= SAFE_TAGS
    assert found.attributes <= SAFE_ATTRIBUTES
    assert found.depth == 0
    for link in found.links:
        assert link.startswith(("http://", "https://", "mailto:", "/api/v1/app/")), link
    assert all(source.startswith("/api/v1/app/") for source in found.sources)
    assert not TURNING & set(html)


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("text", FRAGMENTS)
def test_hostile_markdown_is_harmless(text: str, is_open: bool) -> None:
    assert_safe(markdown.render(text, is_open=is_open))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=20), st.sampled_from("\n |`*_[]()<>#-"))))
def test_whatever_is_put_together_is_harmless(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert_safe(markdown.render(text))
    assert_safe(markdown.plain(text))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b** ~~c~~", '<p dir="auto">a <strong>b</strong> <s>c</s></p>\n'),
        ("# Big", '<h3 dir="auto">Big</h3>\n'),
        ("a\u202eb `c\u202ed`", '<p dir="auto">ab <code>c\u2039U+202E\u203ad</code></p>\n'),
        (
            "![cat](https://x.example/cat.png)",
            '<p dir="auto"><a href="https://x.example/cat.png" target="_blank" '
            'rel="noopener noreferrer nofollow">cat</a></p>\n',
        ),
        (
            "![cat](http://127.0.0.1:1980/api/v1/app/echo/files/fil_01a)",
            '<p dir="auto"><img src="/api/v1/app/echo/files/fil_01a" alt="cat" loading="lazy"></p>\n',
        ),
    ],
)
def test_what_markdown_becomes(text: str, html: str) -> None:
    assert markdown.render(text) == html


def test_code_is_coloured_when_its_block_is_finished() -> None:
    code = "```python\ndef f(): pass\n"
    assert '<span class="k">def</span>' in markdown.render(code + "```\n")
    assert "<span class=" not in markdown.render(code, is_open=True)
    assert "def f(): pass" in markdown.render(code, is_open=True)
    assert 'data-copy=""' in markdown.render(code)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 400_000,
        "*a **b " * 60_000,
        "![" * 200_000,
        "> " * 200_000,
        "- " * 200_000,
        "|a" * 5_000 + "\n" + "|-" * 5_000,
        "_a__b" * 10_000,
        "[a](b" * 10_000,
        "`a``b```" * 8_000,
        "[a\n" * 20_000,
        "a\n" * 30_000,
        "<" * 60_000,
    ],
    ids=lambda text: text[:6],
)
def test_what_takes_a_parser_long_is_shown_plain_or_is_done_soon(text: str) -> None:
    began = time.monotonic()
    splitter = Splitter()
    splitter.add(text)
    assert "".join(unit.html() for unit in splitter.finish())
    assert time.monotonic() - began < 10


def test_a_table_of_many_cells_is_shown_as_it_was_written() -> None:
    table = "|a|b|\n|-|-|\n" + "|1|2|\n" * 3000
    assert "<table>" not in markdown.render(table)
    assert "<table>" in markdown.render(table[:600])


# --- units


def split(pieces: list[str]) -> tuple[list[Unit], list[str]]:
    """The units of a text that comes in pieces, and what was shown in between."""
    splitter, units, shown = Splitter(), [], []
    for piece in pieces:
        splitter.add(piece)
        units += splitter.take()
        if tail := splitter.open():
            shown.append(tail.text)
    return units + splitter.finish(), shown


BLOCKS = [
    *("para\n", "two\nlines\n", "# head\n", "- a\n\n- b\n", "```py\nx\n\ny\n```\n", "```\nopen\n\n", "> q\n\n> r\n"),
    *(
        "|a|b|\n|-|-|\n|1|2|\n",
        "[x]: https://x.example\n",
        "[x]\n",
        "[y]: <z>\n'title\nmore'\n",
        "1. a\n\n   b\n",
        "***\n",
    ),
    *("    code\n\n    more\n", "\n", "\n\n", " \n", "text\r\n\r\n", "a\n===\n", "<div>\n\n</div>\n", "~~~\n", "end"),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(BLOCKS), max_size=12), st.data())
def test_units_are_the_same_in_whichever_pieces_a_text_comes(blocks: list[str], data: st.DataObject) -> None:
    text = "".join(blocks)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole, _ = split([text])
    units, _ = split(pieces)
    assert units == whole
    assert "".join(unit.text for unit in units).split() == text.split()


def test_a_mark_that_may_become_another_is_held_back() -> None:
    _, shown = split(["Look:\n", "``", "`py\nx = 1\n", "```"])
    assert shown == ["Look:\n", "Look:\n", "Look:\n```py\nx = 1\n", "Look:\n```py\nx = 1\n"]


def test_threads_do_not_mix_up_their_links() -> None:
    texts = [f"see http://host{n}.example/{'x' * (n % 50)} and www.w{n}.example or {n}@m.example" for n in range(400)]
    wanted = [markdown.render(text, {"A": {"href": "x"}}) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: markdown.render(text, {"A": {"href": "x"}}), texts)) == wanted


def test_what_no_page_could_bear_is_not_shown_and_the_page_says_so() -> None:
    units, _ = split(["word\n" * 100, "x" * (MAX_MARKDOWN + MAX_PLAIN)])
    assert "Export the conversation" in units[-1].html()
    assert sum(len(unit.text) for unit in units[:-1]) == MAX_MARKDOWN + MAX_PLAIN


def test_what_is_past_a_mebibyte_is_shown_as_it_was_written() -> None:
    units, _ = split([("word " * 500 + "\n\n") * (MAX_MARKDOWN // 2502 + 1), "x" * 100_000])
    assert any(unit.is_plain for unit in units)
    assert sum(len(unit.text) for unit in units) > MAX_MARKDOWN
    assert max(len(unit.text) for unit in units) < 40_000
