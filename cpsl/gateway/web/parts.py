"""A turn's events folded into parts: pieces of the page, each with an id by which a later state replaces it.

The same fold makes the stream of an answer that is coming, and the transcript of one that has come, so both give the
same HTML. Which parts there are, and their ids, depends on the log alone: who comes back finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from functools import partial
from typing import NamedTuple

from cpsl.gateway.chats.running import BEGINS, WAITS
from cpsl.gateway.web import cards
from cpsl.gateway.web.rendering import render
from cpsl.gateway.web.units import Splitter, Unit
from cpsl.wire.events import Block, Chunk, Done, Error, Event, Prompt, PromptClosed, Reply, Started, Status

FINAL = ("done", "stopped", "failed")


class Part(NamedTuple):
    """A piece of the page. ``html`` makes it, which may take a while for a ``weight`` of many characters."""

    id: str
    html: Callable[[], str]
    weight: int = 0


class Fold:
    """Takes the events of one turn in order; ``fresh`` gives the parts that changed since.

    ``state`` is ``queued``, ``answering``, ``waiting``, ``done``, ``stopped`` or ``failed``, and ``failure`` what went
    wrong. ``base`` is what the links of the app's pages begin with, and ``connected`` what cards need not offer to
    connect any more.
    """

    def __init__(self, turn_id: str, base: str, connected: Container[str] = ()) -> None:
        self.state = "queued"
        self.failure = ""
        self._news: Status | None = None
        self._turn_id = turn_id
        self._base = base
        self._connected = connected
        self._count = 0
        self._splitter = Splitter()
        self._changed: dict[str, Part] = {}
        self._prompts: dict[str, tuple[str, Prompt]] = {}
        self._blocks: dict[str, str] = {}

    def take(self, events: Iterable[Event]) -> None:
        """Follow some more events."""
        for event in events:
            self._take(event)

    def fresh(self) -> list[Part]:
        """The parts that are new or changed since the last call; of an answer that goes on, its end as it is now."""
        self._add(self._splitter.take())
        changed, self._changed = list(self._changed.values()), {}
        unit = self._splitter.open()
        return [*changed, self._answer(f"{self._turn_id}-{self._count + 1}", unit)] if unit else changed

    def take_news(self) -> Status | None:
        """The last news of the work, once."""
        news, self._news = self._news, None
        return news

    @property
    def weight(self) -> int:
        """Characters that the next ``fresh`` looks at."""
        return self._splitter.weight

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in FINAL

    def _take(self, event: Event) -> None:
        match event:
            case Chunk(separator=False):
                self._splitter.add(event.text)
                self._go_on()
            case Reply():
                self._close_text()
            case Status():
                self._tell(event)
            case Block():
                self._show(event)
            case Prompt() | PromptClosed():
                self._ask(event)
            case Started():
                self.state = "answering"
            case Done() | Error():
                self._end(event)

    def _go_on(self) -> None:
        if not self._prompts_open():
            self.state = "answering"

    def _tell(self, status: Status) -> None:
        if status.message == WAITS:
            self.state = "queued"
            return
        if status.message != BEGINS:
            self._news = status
        self._go_on()

    def _show(self, block: Block) -> None:
        self._close_text()
        part_id = self._blocks.get(block.id) or self._next_id()
        self._blocks[block.id] = part_id
        card = cards.of_block(self._base, block, self._connected)
        self._change(part_id, partial(cards.html, part_id, self._turn_id, card))

    def _ask(self, event: Prompt | PromptClosed) -> None:
        self._close_text()
        outcome = ""
        if isinstance(event, Prompt):
            part_id, prompt = self._next_id(), event
            self._prompts[prompt.prompt_id] = part_id, prompt
        elif event.prompt_id in self._prompts:
            part_id, prompt = self._prompts.pop(event.prompt_id)
            outcome = event.outcome
        else:
            return
        card = cards.of_prompt(self._turn_id, prompt, outcome)
        self._change(part_id, partial(cards.html, part_id, self._turn_id, card))
        self.state = "waiting" if self._prompts_open() else "answering"

    def _end(self, event: Done | Error) -> None:
        self._close_text()
        if isinstance(event, Done):
            self.state = "done"
            return
        self.state = "stopped" if event.code == "cancelled" else "failed"
        self.failure = event.message
        if self.state == "failed":
            part_id = self._next_id()
            self._change(part_id, partial(render, "parts/error.html", id=part_id, error=event))

    def _prompts_open(self) -> bool:
        return bool(self._prompts)

    def _close_text(self) -> None:
        self._add(self._splitter.finish())
        self._splitter = Splitter()

    def _add(self, units: list[Unit]) -> None:
        for unit in units:
            part = self._answer(self._next_id(), unit)
            self._changed[part.id] = part

    def _change(self, part_id: str, html: Callable[[], str]) -> None:
        self._changed[part_id] = Part(part_id, html)

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._turn_id}-{self._count}"

    def _answer(self, part_id: str, unit: Unit) -> Part:
        return Part(part_id, partial(_answer_html, part_id, unit), len(unit.text))


def _answer_html(part_id: str, unit: Unit) -> str:
    return f'<div class="answer" id="{part_id}" data-part="answer">{unit.html()}</div>'
