"""One block of Markdown as the lines of a terminal. Loaded only where an answer is shown to a person."""

from __future__ import annotations

import os
import re
from io import StringIO
from itertools import chain, repeat
from urllib.parse import urlsplit

from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, ListItem, Markdown
from rich.segment import Segment
from rich.theme import Theme

from capsule_cli.talk.blocks import parser
from capsule_cli.talk.safe import safe

TEXT_COLUMNS = 100
"""The widest that text is set: longer lines are hard to read. Tables and code take the whole screen."""

_THEME = Theme(
    {
        "markdown.item.bullet": "none",
        "markdown.item.number": "none",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.code": "cyan",
        "markdown.table.header": "bold",
        "markdown.table.border": "dim",
    }
)
_CLICKABLE = ("http", "https", "mailto")
_LONGEST = 100_000  # characters; rich would take seconds for a longer block
_PADDING = re.compile(r"[ ]+((?:\x1b\[[0-9;]*m)*)$")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_KNOWN_TO_LINK = ("WT_SESSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "VTE_VERSION", "WEZTERM_PANE")
_PROGRAMS_THAT_LINK = ("iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper")
_TERMS_THAT_LINK = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm")


def render(block: str, columns: int) -> list[str]:
    """``block`` in lines of at most ``columns``, styled with escape sequences of ours and nobody else's."""
    if len(block) > _LONGEST:
        return safe(block).strip("\n").split("\n")
    written = _Safe(block)
    wide = any(token.type in ("table_open", "fence") for token in written.parsed)
    console = Console(
        file=StringIO(),
        force_terminal=True,
        color_system="standard",
        width=columns if wide else min(columns, TEXT_COLUMNS),
        legacy_windows=False,
        theme=_THEME,
        highlight=False,
    )
    with console.capture() as shown:
        console.print(written)
    lines = [_PADDING.sub(r"\1", line) for line in shown.get().split("\n")]
    return _without_margins(lines)


def _without_margins(lines: list[str]) -> list[str]:
    filled = [number for number, line in enumerate(lines) if _STYLE.sub("", line).strip()]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def links_are_clickable() -> bool:
    """Whether the terminal is known to show OSC 8 links; another one gets the address as text."""
    if os.environ.get("TMUX") or os.environ.get("STY"):
        return False
    if os.environ.get("TERM_PROGRAM") in _PROGRAMS_THAT_LINK:
        return True
    return any(map(os.environ.get, _KNOWN_TO_LINK)) or os.environ.get("TERM", "").startswith(_TERMS_THAT_LINK)


class _Title(Heading):
    """A heading that begins where the text begins, at every level."""

    LEVEL_ALIGN = {f"h{level}": "left" for level in range(1, 7)}


class _Item(ListItem):
    """An item of a list, its number as people write it."""

    def render_number(self, console: Console, options: ConsoleOptions, number: int, last_number: int) -> RenderResult:
        """The item's lines, the first with the number."""
        mark = f" {str(number).rjust(len(str(last_number)))}. "
        lines = console.render_lines(
            self.elements, options.update(width=options.max_width - len(mark)), style=self.style
        )
        for begin, line in zip(chain([mark], repeat(" " * len(mark))), lines, strict=False):
            yield Segment(begin)
            yield from line
            yield Segment.line()


class _Safe(Markdown):
    """rich's Markdown without HTML, with safe text, and with links that go only where a browser goes."""

    elements = {**Markdown.elements, "heading_open": _Title, "list_item_open": _Item}

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme="ansi_dark", hyperlinks=links_are_clickable())
        self.parsed = _cleaned(parser().parse(safe(text)))


def _cleaned(tokens: list[Token]) -> list[Token]:
    for token in tokens:
        token.content = safe(token.content)  # again: entities have become characters
        token.info = safe(token.info)
        if token.children:
            token.children = _linked(_cleaned(token.children))
    return tokens


def _linked(tokens: list[Token]) -> list[Token]:
    """``tokens`` of a line with images as links; a link that must not be clicked as its text and its address."""
    found: list[Token] = []
    bare: list[str] = []  # the addresses of the links that are open and not clickable
    for token in _with_images_as_links(tokens):
        if token.type == "link_open" and not _may_be_clicked(token):
            bare.append(str(token.attrs.get("href", "")))
        elif token.type == "link_close" and bare:
            found.append(Token("text", "", 0, content=safe(f" ({bare.pop()})")))
        else:
            found.append(token)
    return found


def _with_images_as_links(tokens: list[Token]) -> list[Token]:
    found: list[Token] = []
    for token in tokens:
        if token.type != "image":
            found.append(token)
            continue
        link = Token("link_open", "a", 1, attrs={"href": token.attrs.get("src", "")})
        text = Token("text", "", 0, content=f"[image] {token.content}".rstrip())
        found += [link, text, Token("link_close", "a", -1)]
    return found


def _may_be_clicked(link: Token) -> bool:
    try:
        return urlsplit(str(link.attrs.get("href", ""))).scheme.lower() in _CLICKABLE
    except ValueError:
        return False
