"""Cuts an answer that is still being written into units, so that what is finished is rendered once.

A unit is a run of Markdown blocks up to a blank line behind which another block begins: nothing that follows can change
it. Where units end depends on the text alone, not on the pieces in which it came, so that the page that watched and the
page that is loaded later are the same.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from markdown_it import MarkdownIt

from cpsl.gateway.web import markdown
from cpsl.gateway.web.markdown import Definitions

MAX_MARKDOWN = 1024 * 1024
"""Characters of one answer that are understood as Markdown. What follows is shown as it was written."""
MAX_PLAIN = 4 * 1024 * 1024
"""Characters that are shown so. What follows is not shown, and the page says so: a browser could not bear it."""
_NOT_SHOWN = "\u2026\n\nThe rest of this answer is too long for a page. Export the conversation to read it."
_SLICE = 32 * 1024
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_UNDECIDED = re.compile(r"(\A|\n)[ \t>]*[-=*_#|:`~+]{1,3}[ \t]*\Z")


class Unit(NamedTuple):
    """A part of an answer. ``is_open``: there will be more of it. ``is_plain``: it is no Markdown."""

    text: str
    definitions: Definitions
    is_open: bool = False
    is_plain: bool = False

    def html(self) -> str:
        """The unit as it stands in the page."""
        if self.is_plain:
            return markdown.plain(self.text)
        return markdown.render(self.text, self.definitions, is_open=self.is_open)


class Splitter:
    """Takes an answer in pieces with ``add``; ``take`` gives the units that are finished since."""

    def __init__(self) -> None:
        self._definitions: Definitions = {}
        self._pieces: list[str] = []
        self._room = MAX_MARKDOWN
        self._plain: list[str] = []
        self._plain_room = MAX_PLAIN
        self._is_cut = False

    def add(self, text: str) -> None:
        """The next piece. This costs nothing: the work is done when somebody looks."""
        text = text.replace("\r", "")
        if taken := text[: self._room]:
            self._pieces.append(taken)
            self._room -= len(taken)
        if rest := text[len(taken) :][: self._plain_room]:
            self._plain.append(rest)
            self._plain_room -= len(rest)
        self._is_cut = self._is_cut or len(text) > len(taken) + len(rest)

    @property
    def weight(self) -> int:
        """Characters that are not finished: to look at them costs as much."""
        return sum(map(len, self._pieces)) + sum(map(len, self._plain))

    def take(self) -> list[Unit]:
        """The units that are finished."""
        tail = "".join(self._pieces)
        units = self._cut(tail, tail[: tail.rfind("\n") + 1])
        return units + (self._past_the_room() if self._plain else [])

    def finish(self) -> list[Unit]:
        """What is left, as nothing more will come."""
        units = self.take()
        tail, rest = "".join(self._pieces), "".join(self._plain)
        units += self._cut(tail, tail + "\n") + self._unit("".join(self._pieces))
        units += [Unit(rest, {}, is_plain=True)] if rest else []
        units += [Unit(_NOT_SHOWN, {})] if self._is_cut else []
        self._pieces, self._plain = [], []
        return units

    def open(self) -> Unit | None:
        """What has begun, as it can be shown meanwhile: a mark that may become another one is held back."""
        if self._plain:
            return Unit("".join(self._plain), {}, is_open=True, is_plain=True)
        text = _UNDECIDED.sub(r"\1", "".join(self._pieces))
        return Unit(text, self._definitions, is_open=True) if text.strip() else None

    def _cut(self, tail: str, known: str) -> list[Unit]:
        """Cut ``tail`` where blocks begin in ``known``, the part of it of which the lines are whole."""
        units, begin = [], 0
        for start in _starts(known):
            units += self._unit(tail[begin:start])
            begin = start
        self._pieces = [tail[begin:]]
        return units

    def _unit(self, text: str) -> list[Unit]:
        if not text.strip():
            return []
        unit = Unit(text, self._definitions)
        self._definitions = _with_definitions(self._definitions, text)
        return [unit]

    def _past_the_room(self) -> list[Unit]:
        units = self._unit("".join(self._pieces))
        self._pieces = []
        rest = "".join(self._plain)
        end = len(rest) - len(rest) % _SLICE
        self._plain = [rest[end:]]
        return units + [Unit(rest[at : at + _SLICE], {}, is_plain=True) for at in range(0, end, _SLICE)]


def _starts(text: str) -> list[int]:
    """Where blocks begin that follow a blank line, in characters. ``text`` consists of whole lines."""
    if not _BLANK_LINE.search(text):
        return []
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    blocks = [token.map[0] for token in _blocks().parse(text) if token.level == 0 and token.map and token.nesting >= 0]
    return [offsets[line] for line in blocks if line and not lines[line - 1].strip()]


def _with_definitions(known: Definitions, text: str) -> Definitions:
    if "]:" not in text:
        return known
    environment = {"references": dict(known)}
    _blocks().parse(text, environment)
    return environment["references"]


@cache
def _blocks() -> MarkdownIt:
    """Finds blocks, and does not look into them."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.core.ruler.enableOnly(["normalize", "block"])
    return made
