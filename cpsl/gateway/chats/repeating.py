"""What a handler says when it runs for the second time, because the gateway was restarted while it waited for a person.

It begins again and says again what the log has already: that is passed over, and the log goes on where it ended. Text
is compared as it reads, however it is cut into chunks; status messages that were told are not told again. Where a
handler says something else this time, a status says so, and what it says from there is a reply of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cpsl.gateway.chats.log import TurnLog
from cpsl.wire.events import AppEvent, Block, Chunk, Event, Reply, Status, decode

_SEPARATOR = "\n\n"
_SAYS_OTHERWISE = Status("The app was interrupted while it waited, and says something else now")


class Repetition:
    """Passes over what ``log`` has. Events go in as the handler says them; out comes what is new."""

    def __init__(self, log: TurnLog) -> None:
        events = [decode(entry.data) for entry in log.after(0)]
        self._told = [event for event in events if isinstance(event, Status)]
        self._expected = list(_joined(events))
        self._replies = len(log.replies)
        self._is_open = bool(self._expected) and isinstance(self._expected[-1], str)
        self._said = ""
        self._blocks: dict[str, str] = {}
        self._has_left = False
        self._is_first = False

    def new(self, events: Iterable[AppEvent]) -> list[Event]:
        """Those of ``events``, or the parts of them, that the log has not."""
        return [new for event in events for new in self._one(event)]

    def _one(self, event: AppEvent) -> Iterator[Event]:
        if isinstance(event, Status):
            if event not in self._told:
                yield event
            else:
                self._told.remove(event)
        elif self._expected:
            yield from self._compared(event)
        else:
            yield from self._beyond(event)

    def _compared(self, event: AppEvent) -> Iterator[Event]:
        expected = self._expected[0]
        match event:
            case Chunk(separator=False) if isinstance(expected, str):
                yield from self._text(event.text, expected)
            case Block() if isinstance(expected, Block) and _is_same(event, expected):
                self._expected.pop(0)
                self._blocks[event.id] = expected.id
            case Chunk(separator=True) | Reply() if type(event) is type(expected):
                self._expected.pop(0)
                self._said = ""
            case _:
                yield from self._leave(event)

    def _text(self, text: str, expected: str) -> Iterator[Event]:
        if expected.startswith(text):
            self._said += text
            self._expected[0:1] = [expected[len(text) :]] if len(text) < len(expected) else []
        elif len(self._expected) == 1 and text.startswith(expected):
            self._expected = []
            yield Chunk(text[len(expected) :])
        else:
            yield from self._leave(Chunk(text))

    def _leave(self, event: AppEvent) -> Iterator[Event]:
        """The handler says something else than the log has: close what is open there, and begin anew."""
        again = "" if isinstance(self._expected[0], Reply) else self._said
        self._expected, self._has_left = [], True
        self._is_first = bool(self._replies or self._is_open)
        if self._is_open:
            yield self._closed()
        yield _SAYS_OTHERWISE
        if again:
            yield from self._beyond(Chunk(again))
        yield from self._beyond(event)

    def _beyond(self, event: AppEvent) -> Iterator[Event]:
        """What comes after all that the log has."""
        if isinstance(event, Chunk) and self._is_first:
            self._is_first = False
            if not event.separator:
                yield Chunk(_SEPARATOR, separator=True)
        if isinstance(event, Block):
            event = msgspec.structs.replace(event, id=self._blocks.get(event.id, event.id))
        yield self._closed() if isinstance(event, Reply) and self._has_left else event

    def _closed(self) -> Reply:
        self._replies += 1
        return Reply(self._replies)


def _joined(events: list[Event]) -> Iterator[str | Chunk | Reply | Block]:
    """The answer in a log: its text in whole pieces, and what stands between them."""
    text = ""
    for event in events:
        if isinstance(event, Chunk) and not event.separator:
            text += event.text
        elif isinstance(event, (Chunk, Reply, Block)):
            if text:
                yield text
            text = ""
            yield event
    if text:
        yield text


def _is_same(new: Block, old: Block) -> bool:
    """Whether two cards show the same. An image that the app made anew has another address."""
    if (new.block_type, new.payload) == (old.block_type, old.payload):
        return True
    return new.block_type == old.block_type == "image" and _without_file(new) == _without_file(old)


def _without_file(image: Block) -> dict[str, object]:
    return {**image.payload, "url": str(image.payload.get("url", "")).rpartition("/")[0]}
