"""The answer of one turn: replies, one after another, as the events that everybody sees.

Text goes out as ``Chunk``; a ``Reply`` closes each reply; before the first text of a second reply comes a blank line
as a ``separator``. So all chunks in order read as the replies joined by a blank line. When two writers take turns,
each change of writer closes the reply and begins a new one: the answer stays one line of text and nothing is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from cpsl.app.bridge import Bridge
from cpsl.app.snapshots import Pieces
from cpsl.errors import InvalidRequest
from cpsl.wire.events import AppEvent, Chunk, Reply

SEPARATOR = "\n\n"
_PIECE_CHARACTERS = 256 * 1024
"""Longer text is cut into several chunks, far below the limit of a frame."""


class Answer:
    """What a turn has said so far. Safe to use from several threads.

    ``on_reply`` is called with the text of each reply when it is closed.
    """

    def __init__(self, bridge: Bridge, request_id: str, on_reply: Callable[[str], None]) -> None:
        self._bridge = bridge
        self._request_id = request_id
        self._on_reply = on_reply
        self._lock = threading.RLock()
        self._writer: object | None = None
        self._text: list[str] = []
        self._count = 0
        self._ended = not request_id

    def write(self, writer: object, text: str) -> None:
        """Add ``text`` to the reply of ``writer``. Raises InvalidRequest (code ``turn_ended``) after the end."""
        if not text:
            return
        with self._lock:
            if self._writer is not writer:
                self._begin(writer)
            self._text.append(text)
            for start in range(0, len(text), _PIECE_CHARACTERS):
                self.emit(Chunk(text[start : start + _PIECE_CHARACTERS]))

    def close(self, writer: object) -> None:
        """Close the reply of ``writer``, if it is the open one."""
        with self._lock:
            if self._writer is writer:
                self._close()

    def emit(self, event: AppEvent) -> None:
        """Send another event of this turn, in order with the text."""
        with self._lock:
            if self._ended:
                raise _turn_ended()
            self._bridge.emit(self._request_id, event)

    def end(self) -> None:
        """Close what is open; after this nothing more can be said."""
        with self._lock:
            self._close()
            self._ended = True

    def _begin(self, writer: object) -> None:
        self._close()
        if self._count:
            self.emit(Chunk(SEPARATOR, separator=True))
        self._count += 1
        self._writer = writer

    def _close(self) -> None:
        if self._writer is None:
            return
        text, self._text, self._writer = "".join(self._text), [], None
        self._on_reply(text)
        self.emit(Reply(self._count))


class ReplyStream:
    """One reply, written piece by piece: ``async with session.stream_reply() as out: out.write("…")``.

    Works with a plain ``with`` too, for handlers that are not async. Pieces may be deltas or snapshots (see
    ``cpsl.app.snapshots``). ``write`` waits when the host takes text slower than the app makes it.
    """

    def __init__(self, answer: Answer, cumulative: bool | None = None) -> None:
        self._answer = answer
        self._pieces = Pieces(cumulative)
        self._written: list[str] = []

    @property
    def text(self) -> str:
        """All that was written."""
        return "".join(self._written)

    def write(self, text: str) -> None:
        """Add a piece. Raises TypeError for what is no text, InvalidRequest after the turn has ended."""
        self._send(self._pieces.feed(checked_text(text)))

    def close(self) -> None:
        """End the reply; more text then begins another."""
        self._send(self._pieces.end())
        self._answer.close(self)

    def _send(self, text: str) -> None:
        if text:
            self._answer.write(self, text)
            self._written.append(text)

    def __enter__(self) -> ReplyStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> ReplyStream:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


def checked_text(text: str) -> str:
    """``text``, if it is a ``str`` that can be sent as UTF-8; lone surrogates are replaced. Raises TypeError else."""
    if not isinstance(text, str):
        raise TypeError(f"a reply is text (str), not {type(text).__name__}; use str(…) or json.dumps(…)")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8") if _has_surrogates(text) else text


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= mark <= "\udfff" for mark in text)


def _turn_ended() -> InvalidRequest:
    return InvalidRequest(
        "There is no turn that could be answered: it has ended, or was cancelled",
        code="turn_ended",
        hint="Await everything that answers before the handler returns. Hooks other than enter have no turn.",
    )
