"""Turns, sessions and files of an app under test, in memory. All of it belongs to one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cpsl.errors import NotFound
from cpsl.wire import events, turns
from cpsl.wire.frames import PromptResult, SessionState, TurnFailure
from cpsl.wire.ids import new_id
from cpsl.wire.integrations import Credentials

T = TypeVar("T")
CHANNEL = "api"


@dataclass
class File:
    """A file that the user gave, or that the app shows."""

    name: str
    content_type: str
    content: bytes
    id: str = field(default_factory=lambda: new_id("fil"))


@dataclass
class Talk:
    """A conversation, with what is kept of it."""

    id: str = field(default_factory=lambda: new_id("ses"))
    title: str = ""
    messages: list[turns.Message] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    is_new: bool = True
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin(self) -> SessionState:
        """What the next handler finds."""
        state = SessionState(self.id, CHANNEL, self.is_new, list(self.messages), dict(self.data))
        self.is_new, self.updated_at = False, time.time()
        return state

    def shown(self, app: str, *, whole: bool = False) -> turns.Session:
        """As the API shows it."""
        said = self.messages if whole else []
        return turns.Session(self.id, app, CHANNEL, self.created_at, self.updated_at, self.title, said)


class Turn:
    """One message and all that the app says to it: ``log`` grows until it is ``closed``."""

    def __init__(self, talk: Talk, text: str, attached: list[turns.Attachment]) -> None:
        self.id = new_id("trn")
        self.talk, self.text, self.attached = talk, text, attached
        self.log: list[events.Event] = [events.Started(self.id, talk.id, 1)]
        self.state = "running"
        self.created_at = time.time()
        self.ended = asyncio.get_running_loop().create_future()
        self.prompts: dict[str, tuple[events.Prompt, asyncio.Future[PromptResult]]] = {}
        self._news = asyncio.Event()

    def add(self, *news: events.Event) -> None:
        """Append to the log."""
        self.log += news
        self._news.set()
        self._news = asyncio.Event()

    def close(self, failure: TurnFailure | None) -> None:
        """The handler is finished: the log ends, and its replies are part of the conversation."""
        for prompt_id in list(self.prompts):
            self.resolve(prompt_id, PromptResult("cancelled"))
        self.talk.messages += [self._message(text, "app") for text in self._replies()]
        self.state = "done" if failure is None else "cancelled" if failure.code == "cancelled" else "failed"
        if failure is None:
            self.add(events.Done(self.id, self.talk.id))
        else:
            self.add(events.Error(failure.code, failure.message, self.id, failure.hint))

    async def watch(self, after: int) -> AsyncIterator[tuple[int, events.Event]]:
        """The events behind number ``after``, as they come, with their numbers."""
        while True:
            news = self._news
            for number, event in list(enumerate(self.log, 1))[after:]:
                yield number, event
                after = number
            if isinstance(self.log[-1], events.FINAL) and after == len(self.log):
                return
            if after == len(self.log):
                await news.wait()

    def ask(self, prompt: events.Prompt) -> asyncio.Future[PromptResult]:
        """Show a prompt; what becomes of it."""
        answered: asyncio.Future[PromptResult] = asyncio.get_running_loop().create_future()
        self.prompts[prompt.prompt_id] = prompt, answered
        self.add(prompt)
        return answered

    def resolve(self, prompt_id: str, result: PromptResult) -> None:
        """Close a prompt that waits."""
        _, answered = self.prompts.pop(prompt_id)
        self.add(events.PromptClosed(prompt_id, result.outcome))
        if not answered.done():
            answered.set_result(result)

    def shown(self, app: str) -> turns.Turn:
        """As the API shows it."""
        waiting = next((prompt for prompt, _ in self.prompts.values()), None)
        return turns.Turn(self.id, self.talk.id, app, 1, self.state, self.text, self.created_at, prompt=waiting)

    def asked(self) -> turns.Message:
        """The user's message."""
        message = self._message(self.text, "user")
        message.attachments = self.attached
        return message

    def _message(self, text: str, sender: str) -> turns.Message:
        return turns.Message(text, sender, time.time(), self.id, CHANNEL)

    def _replies(self) -> list[str]:
        replies, open_reply = list[str](), ""
        for event in self.log:
            if isinstance(event, events.Chunk) and not event.separator:
                open_reply += event.text
            elif isinstance(event, events.Reply):
                replies.append(open_reply)
                open_reply = ""
        return replies


@dataclass
class Store:
    """All that is kept while the gateway is open."""

    talks: dict[str, Talk] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    keys: dict[str, tuple[object, Turn]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    connected: dict[str, Credentials] = field(default_factory=dict)

    def talk(self, session_id: str) -> Talk:
        """Raises NotFound."""
        return _known(self.talks, session_id, "session")

    def turn(self, turn_id: str) -> Turn:
        """Raises NotFound."""
        return _known(self.turns, turn_id, "turn")

    def file(self, file_id: str) -> File:
        """Raises NotFound."""
        return _known(self.files, file_id, "file")


def _known(things: dict[str, T], name: str, kind: str) -> T:
    if name in things:
        return things[name]
    raise NotFound(f"no {kind} {name[:80]!r} of yours", code=f"{kind}_not_found")
