"""One turn: send a message, print what comes, answer what is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from capsule_cli import output
from capsule_cli.connect import closing
from capsule_cli.talk import answers
from capsule_cli.talk.echo import echo
from capsule_cli.talk.interrupts import Interrupts
from capsule_cli.talk.screen import Screen
from cpsl.errors import AppError, CapsuleError, ConnectionFailed, PromptRequired
from cpsl.wire.events import Block, Chunk, Event, Prompt, PromptClosed, Reply, Started, Status

if TYPE_CHECKING:
    from cpsl.client import Client, StreamChunk


@dataclass
class Answer:
    """What an app said in one turn. ``cancelled`` when the person cut it short."""

    session_id: str
    request_id: str = ""
    replies: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    cancelled: bool = False

    @property
    def text(self) -> str:
        """All of it, so far."""
        return "".join(self.pieces)

    def as_json(self) -> dict[str, Any]:
        """The object that ``capsule chat --json`` prints."""
        return {
            "text": self.text,
            "session_id": self.session_id,
            "request_id": self.request_id,
            "replies": self.replies,
        }


class Turn:
    """Carries one turn of ``app``. ``may_ask``: there is a person at a terminal who can answer prompts."""

    def __init__(self, client: Client, app: str, *, screen: Screen, may_ask: bool) -> None:
        self._client = client
        self._app = app
        self._screen = screen
        self._may_ask = may_ask
        self._joined = False
        self._open_reply: list[str] = []
        self.answer = Answer("")
        self._interrupts = Interrupts(self._cancel)

    def run(
        self, text: str, session_id: str | None, *, attachments: Sequence[Path] = (), timeout: float | None = None
    ) -> Answer:
        """Send ``text`` and follow the turn to its end, for at most ``timeout`` seconds.

        Raises AppError when the app failed, PromptRequired when nobody is there to answer, KeyboardInterrupt at the
        second Ctrl-C; after the first, the answer comes back with ``cancelled``.
        """
        self.answer.session_id = session_id or ""
        wanted: dict[str, Any] = {"attachments": list(attachments), "timeout": timeout}
        given = {name: value for name, value in wanted.items() if value}
        return self._follow(self._client.stream(self._app, text, session_id=session_id, **given))

    def join(self, request_id: str) -> Answer:
        """Follow a turn that was begun elsewhere, from its first event to its end; raises as ``run`` does."""
        self._joined = True
        return self._follow(self._client.turns.events(request_id))

    def _follow(self, stream: Iterator[StreamChunk]) -> Answer:
        self._screen.begin()
        try:
            with echo(on=False), self._interrupts, closing(stream) as chunks:
                for chunk in chunks:
                    self._take(chunk)
        except CapsuleError as error:
            if not self._interrupts.cancelled:
                self._add_next_step(error)
                raise
        finally:
            self._screen.close()
        self.answer.cancelled = self._interrupts.cancelled
        return self.answer

    def _add_next_step(self, error: CapsuleError) -> None:
        """Where the app failed, what it says of it is in its log; where the connection did, the turn goes on."""
        turn = error.request_id
        if isinstance(error, AppError) and not error.hint:
            error.hint = f"What it says of it: capsule logs {self._app}{f' --turn {turn}' if turn else ''}"
        elif isinstance(error, ConnectionFailed) and turn:
            error.hint = f"The turn goes on at the gateway. Take it up: capsule chat {self._app} --turn {turn}"

    def _take(self, chunk: StreamChunk) -> None:
        event = _typed(chunk)
        handler = self._handlers().get(type(event))
        if handler:
            handler(event)

    def _handlers(self) -> dict[type, Callable[[Any], None]]:
        return {
            Started: self._started,
            Chunk: self._chunk,
            Reply: self._reply,
            Status: self._screen.status,
            Block: self._screen.block,
            Prompt: self._prompt,
            PromptClosed: self._screen.prompt_closed,
        }

    def _started(self, event: Started) -> None:
        self.answer.session_id, self.answer.request_id = event.session_id, event.request_id
        self._interrupts.started(event.request_id)

    def _chunk(self, event: Chunk) -> None:
        self._screen.text(event.text, separator=event.separator)
        self.answer.pieces.append(event.text)
        if not event.separator:
            self._open_reply.append(event.text)

    def _reply(self, event: Reply) -> None:
        self.answer.replies.append("".join(self._open_reply))
        self._open_reply = []
        self._screen.end_reply()

    def _prompt(self, event: Prompt) -> None:
        if self._joined and not self._waits_for(event):
            return
        if not self._may_ask:
            raise self._nobody_there(event)
        self._screen.prompt(event)
        with echo(on=True), self._interrupts.asking():
            answers.answer(self._client, self.answer.request_id, event)

    def _waits_for(self, event: Prompt) -> bool:
        # The log of a turn that is joined late begins with prompts that somebody may have answered.
        waiting = self._client.turns.get(self.answer.request_id).prompt
        return waiting is not None and waiting.prompt_id == event.prompt_id

    def _nobody_there(self, prompt: Prompt) -> PromptRequired:
        link = f"Open {prompt.link} , or answer" if prompt.link else "Answer"
        return PromptRequired(
            f"The app waits for a person: {prompt.message or prompt.kind}",
            prompt=msgspec.to_builtins(prompt),
            session_id=self.answer.session_id,
            request_id=self.answer.request_id,
            hint=f"{link} it in a terminal: capsule chat {self._app} --turn {self.answer.request_id}",
        )

    def _cancel(self, request_id: str) -> None:
        try:
            self._client.turns.cancel(request_id)
        except CapsuleError as error:
            output.whisper(f"The turn could not be cancelled: {error.message}")


def _typed(chunk: StreamChunk) -> Event | None:
    """The event as its struct; None for a kind that this version does not know."""
    try:
        found: Event = msgspec.convert({**chunk.data, "type": chunk.event}, type=Event)
    except msgspec.ValidationError:
        return None
    return found
