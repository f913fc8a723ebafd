"""Markdown in pieces, cut into blocks as soon as each is finished: a paragraph, a list item, a table, a fence.

Pure: no terminal, no clock. Blocks are looked for at the ends of lines only, so they do not depend on how the text was
cut into pieces; all blocks joined are the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FENCE_END = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*$")
_CLOSED_BY_BLANK = frozenset({"paragraph_open", "table_open"})
_CLOSED_AT_ONCE = frozenset({"heading_open", "hr"})
_PATIENCE = 16  # a block is parsed anew after a 16th more of it, so that a long one costs little


@cache
def parser() -> MarkdownIt:
    """CommonMark with tables; HTML is text like any other, since a terminal shows none."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


@dataclass(frozen=True)
class _Piece:
    """A top-level block, or an item of a top-level list: what it is, and its lines."""

    kind: str
    first: int
    end: int
    fence: str = ""


class Splitter:
    """Takes text as it comes, gives the blocks that are finished."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []  # the line that has no end yet, in pieces
        self.size = 0
        """Characters of ``pending``."""
        self._fence = ""  # the mark of the fence that is open
        self._parse_at = 0

    @property
    def pending(self) -> str:
        """What has come of the block that is not finished."""
        return "".join((*self._lines, *self._line))

    @property
    def head(self) -> str:
        """The first line of ``pending`` that is not blank, as far as it has come."""
        return next((line for line in self._lines if line.strip()), "".join(self._line))

    def feed(self, text: str) -> list[str]:
        """Add text; the blocks that are finished now."""
        found: list[str] = []
        self.size += len(text)
        *lines, rest = text.split("\n")
        for line in lines:
            self._lines.append("".join((*self._line, line, "\n")))
            self._line = []
            found += self._finished()
        if rest:
            self._line.append(rest)
        return found

    def finish(self) -> list[str]:
        """The text ends here; what is left, in blocks."""
        if self._line:
            self._lines.append("".join(self._line))
            self._line = []
        return self._cut(_pieces("".join(self._lines)), whole=True)

    def _finished(self) -> list[str]:
        if not self._worth_parsing():
            return []
        self._parse_at = len(self._lines) + len(self._lines) // _PATIENCE
        pieces = _pieces("".join(self._lines))
        return self._cut(pieces, whole=bool(pieces) and self._is_closed(pieces[-1]))

    def _worth_parsing(self) -> bool:
        line = self._lines[-1]
        if self._fence:
            mark = _FENCE_END.match(line)
            return bool(mark and mark[1].startswith(self._fence))
        return not line.strip() or len(self._lines) >= self._parse_at

    def _is_closed(self, last: _Piece) -> bool:
        if last.kind in _CLOSED_AT_ONCE:
            return True
        if last.kind in _CLOSED_BY_BLANK:
            return not self._lines[-1].strip()
        mark = _FENCE_END.match(self._lines[-1])
        return bool(last.fence and last.end - last.first > 1 and mark and mark[1].startswith(last.fence))

    def _cut(self, pieces: list[_Piece], *, whole: bool) -> list[str]:
        """Take the finished blocks off: all but the last, or the ``whole``. Blank lines go with what they follow."""
        ends = [piece.first for piece in pieces[1:]] + ([len(self._lines)] if whole else [])
        starts = [0, *ends]
        found = ["".join(self._lines[start:end]) for start, end in zip(starts, ends, strict=False)]
        if found:
            self._parse_at = 0
        self._lines = self._lines[starts[-1] :]
        self.size -= sum(map(len, found))
        self._fence = pieces[-1].fence if pieces and not whole else ""
        return [block for block in found if block]


def _pieces(text: str) -> list[_Piece]:
    found: list[_Piece] = []
    for token in parser().parse(text):
        if token.map is None or token.level > 1 or token.type.endswith("_list_open"):
            continue
        if token.level == 0 or token.type == "list_item_open":
            found.append(_piece(token))
    return found


def _piece(token: Token) -> _Piece:
    first, end = token.map or (0, 0)
    return _Piece(token.type, first, end, token.markup if token.type == "fence" else "")
