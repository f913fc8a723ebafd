"""An answer on a terminal: its words at once, each block in its final form as soon as it is finished.

The words of a paragraph or a list item are set as they come. When the block is finished its lines are compared with
those on the screen, and only from the first that differs on they are written again: plain text never is. Code, tables
and quotes appear when they are finished. Nothing else is ever redrawn, and nothing that has left the screen.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable

from rich.cells import cell_len, chop_cells

from capsule_cli.talk.blocks import Splitter
from capsule_cli.talk.markdown import TEXT_COLUMNS, render
from capsule_cli.talk.safe import safe

_ITEM = re.compile(r"[ ]{0,3}(?:[-*+]|(\d{1,9})[.)])[ \t]+")
_STRUCTURE = re.compile(r"\s*(?:```|~~~|\||>|=|#{1,6}(?:\s|$)|(?:[-*+]|\d{1,9}[.)])(?:\s|$)|$)")
_WHOLE = re.compile(r"[ ]{0,3}(?:``|~~|\||>|#|=|\[)|    |\t|[ ]{0,3}(?:[-*_+ ]*|\d{1,9}[.)]?)$")
_WIDE = "\u1100-\U0010ffff"  # may be broken behind any character
_WORD = re.compile(rf"\s+|[{_WIDE}]|[^\s{_WIDE}]+(?=[\s{_WIDE}])")
_LONGEST = 20_000  # characters that are shown before their block is finished


class Page:
    """Writes one answer on stdout; ``clear`` is called before anything shows."""

    def __init__(self, clear: Callable[[], None] = lambda: None) -> None:
        self._clear = clear
        self._splitter = Splitter()
        self._draft: Draft | None = None
        self._before = ""  # the block above

    @property
    def busy(self) -> bool:
        """Whether the cursor stands at the begin of a line, with nothing begun."""
        return self._draft is None

    def feed(self, text: str) -> None:
        """A piece of the answer."""
        for block in self._splitter.feed(safe(text)):
            self._set(block)
        self._sketch()
        sys.stdout.flush()

    def end(self) -> None:
        """Nothing more comes of this answer, or something else is shown now."""
        for block in self._splitter.finish():
            self._set(block)
        sys.stdout.flush()

    def _write(self, text: str) -> None:
        self._clear()
        sys.stdout.write(text)

    def _sketch(self) -> None:
        if self._splitter.size > _LONGEST or _WHOLE.match(self._splitter.head):
            return
        pending = self._splitter.pending
        mark, text = _sketchable(pending)
        if self._draft is None and _WORD.match(text):
            self._gap(pending)
            self._draft = Draft(mark, self._write)
        if self._draft is not None:
            self._draft.show(text)

    def _set(self, block: str) -> None:
        lines = render(block, _columns())
        if self._draft is None and lines:
            self._gap(block)
            self._write("\n".join(lines) + "\n")
        elif self._draft is not None:
            self._draft.replace(lines, _sketchable(block)[1])
        if lines or self._draft is not None:
            self._before = block
        self._draft = None

    def _gap(self, block: str) -> None:
        """A blank line between blocks, but not between the items of a tight list."""
        tight = _is_item(self._before) and _is_item(block) and not self._before.endswith("\n\n")
        if self._before and not tight:
            self._write("\n")


class Draft:
    """The words of a block that is not finished, as lines on the screen; the cursor stands behind the last."""

    def __init__(self, mark: str, write: Callable[[str], None]) -> None:
        self._write = write
        self._lines = [mark]
        self._indent = " " * cell_len(mark)
        self._space = ""
        self._taken = 0
        self._size = shutil.get_terminal_size()
        self._width = min(_columns(), TEXT_COLUMNS)
        self._write(mark)

    def show(self, text: str) -> None:
        """Write the words of ``text``, the whole block so far, that are complete and not written yet."""
        while match := _WORD.match(text, self._taken):
            self._taken = match.end()
            if match[0].isspace():
                self._space = " "
            else:
                self._word(match[0])

    def replace(self, lines: list[str], text: str) -> None:
        """Put the finished ``lines`` where the words are, as far as they differ; if that cannot be, end the words."""
        if len(self._lines) < self._size.lines and shutil.get_terminal_size() == self._size:
            self._redraw(lines)
        else:
            self.show(text + "\n")
        self._write("\n")

    def _word(self, word: str) -> None:
        room = self._width - len(self._indent)
        for piece in chop_cells(word, room) if cell_len(word) > room else [word]:
            self._piece(piece)

    def _piece(self, word: str) -> None:
        begun = len(self._lines[-1]) > len(self._indent)
        line = self._lines[-1] + (self._space if begun else "")
        if begun and cell_len(line + word) > self._width:
            self._write(f"\n{self._indent}{word}")
            self._lines.append(self._indent + word)
        else:
            self._write((self._space if begun else "") + word)
            self._lines[-1] = line + word
        self._space = ""

    def _redraw(self, lines: list[str]) -> None:
        same = 0
        for drawn, line in zip(self._lines, lines, strict=False):
            if drawn != line:
                break
            same += 1
        last = len(self._lines) - 1
        if same == last and lines[same:] and lines[same].startswith(self._lines[last]):
            self._write(lines[same][len(self._lines[last]) :])
            same += 1
        if same > last:
            self._write("".join(f"\n{line}" for line in lines[same:]))
        else:
            self._redraw_from(same, lines)

    def _redraw_from(self, first: int, lines: list[str]) -> None:
        up = len(self._lines) - 1 - first
        self._write("\r" + (f"\x1b[{up}A" if up else "") + "\x1b[J" + "\n".join(lines[first:]))
        if lines and not lines[first:]:
            self._write("\x1b[A")  # the last line of the block is the one above


def _sketchable(block: str) -> tuple[str, str]:
    """The mark and the text of a block as far as it may be shown before it is finished."""
    text = block.lstrip("\n")
    item = _ITEM.match(text)
    if item:
        text = text[item.end() :]
    first, *others = text.split("\n")
    end = next((number for number, line in enumerate(others) if _STRUCTURE.match(line)), len(others))
    return _mark(item), "\n".join((first, *others[:end]))


def _mark(item: re.Match[str] | None) -> str:
    """The mark of a list's item as ``render`` sets it."""
    if item is None:
        return ""
    return f" {int(item[1])}. " if item[1] else " • "


def _is_item(block: str) -> bool:
    return bool(_ITEM.match(block.lstrip("\n")))


def _columns() -> int:
    return max(shutil.get_terminal_size().columns - 1, 10)
