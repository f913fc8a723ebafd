"""Pieces of a stream that may be deltas (what is new) or snapshots (all so far): which of the two is found out here.

Libraries stream in both ways, and the published interface took both. A delta may begin with the text so far by chance
("1", then "10"), so one such piece proves nothing; taking it for a snapshot would lose text. The rule:

- A piece that does not begin with the piece before it, or repeats it unchanged, makes the whole stream one of deltas.
- The stream is one of snapshots once a piece goes on from a piece of 16 characters or more, or twice in a row from
  pieces of which the later has four different letters. Nothing is sent twice then.
- Until that is settled, pieces are held back; a stream that ends before is taken as deltas. In doubt text appears
  twice: it is never lost.

Who knows says so: ``session.stream(pieces, cumulative=True)``.
"""

from __future__ import annotations

_CERTAIN_LENGTH = 16
_CERTAIN_LETTERS = 4


class Pieces:
    """Turns pieces into what is to be written. ``cumulative`` None finds out; True and False say it."""

    def __init__(self, cumulative: bool | None = None) -> None:
        self._cumulative = cumulative
        self._so_far = ""  # what was written, as long as the pieces may be snapshots
        self._held: list[str] = []

    def feed(self, piece: str) -> str:
        """What to write now that ``piece`` came; may be empty."""
        if self._cumulative is None and self._so_far and piece:
            self._cumulative = self._judge(piece)
        if self._cumulative is False:
            return self.end() + piece
        if self._cumulative is None and self._so_far and piece:
            self._held.append(piece)
            return ""
        self._held.clear()
        return self._beyond(piece)

    def end(self) -> str:
        """What was held back, when nothing more comes."""
        held, self._held = "".join(self._held), []
        return held

    def _judge(self, piece: str) -> bool | None:
        before = self._held[-1] if self._held else self._so_far
        if piece == before or not piece.startswith(before):
            return False
        certain = len(before) >= _CERTAIN_LENGTH or (self._held and _is_telling(before))
        return True if certain else None

    def _beyond(self, piece: str) -> str:
        """What a snapshot adds. One that contradicts the text so far cannot unsay it: it follows whole."""
        known = self._so_far
        if known.startswith(piece):
            return ""
        self._so_far = piece
        return piece[len(known) :] if piece.startswith(known) else piece


def _is_telling(text: str) -> bool:
    return len({mark for mark in text if mark.isalnum()}) >= _CERTAIN_LETTERS
