"""What the client returns of turns and apps; and ``Fold``, which makes an answer of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from cpsl.errors import PromptRequired


class AppInfo(TypedDict):
    """An app of the workspace. Times in seconds since the epoch; ``live_version`` is 0 before the first deploy."""

    id: str
    name: str
    hostname: str
    url: str
    live_version: int
    price_in_cents: int
    pricing_type: str
    description: str
    created_at: float
    updated_at: float
    trouble: str


@dataclass(frozen=True)
class ChatResponse:
    """An answer, whole. ``text`` is all replies joined by a blank line; ``raw["replies"]`` has them one by one.

    ``session_id`` continues the conversation in the next call; ``request_id`` names the turn.
    """

    text: str
    session_id: str
    request_id: str
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class StreamChunk:
    """One event of a turn: ``event`` is its type, ``data`` what it carries, ``id`` its number from 1."""

    event: str
    data: dict[str, Any]
    id: int = 0

    @property
    def text(self) -> str:
        """The piece of the answer, empty for events that carry none: printing it of every chunk prints the answer."""
        text = self.data.get("text") if self.event == "chunk" else None
        return text if isinstance(text, str) else ""

    @property
    def done(self) -> bool:
        """Whether this event says that the turn is finished."""
        return self.event == "done"


class Fold:
    """Takes the chunks of a turn in order, gives the ChatResponse at the end."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._reply: list[str] = []
        self._replies: list[dict[str, str]] = []
        self._blocks: list[dict[str, Any]] = []
        self._ids: dict[str, str] = {"session_id": "", "request_id": ""}

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._pieces)

    def take(self, chunk: StreamChunk) -> None:
        """Add the next event. Raises PromptRequired for a prompt."""
        if chunk.event in ("started", "done"):
            self._ids = {name: str(chunk.data.get(name) or known) for name, known in self._ids.items()}
        elif chunk.event == "chunk":
            self._take_text(chunk)
        elif chunk.event == "reply":
            self._close_reply()
        elif chunk.event == "block":
            self._blocks.append(_untyped(chunk.data))
        elif chunk.event == "prompt":
            raise self._prompt(chunk)

    def response(self) -> ChatResponse:
        """The answer, now that the turn is done."""
        if self._reply:
            self._close_reply()
        raw = {"replies": self._replies, "text": self.text, "blocks": self._blocks, **self._ids}
        return ChatResponse(self.text, self._ids["session_id"], self._ids["request_id"], raw)

    def _take_text(self, chunk: StreamChunk) -> None:
        self._pieces.append(chunk.text)
        if not chunk.data.get("separator"):
            self._reply.append(chunk.text)

    def _close_reply(self) -> None:
        self._replies.append({"text": "".join(self._reply)})
        self._reply = []

    def _prompt(self, chunk: StreamChunk) -> PromptRequired:
        prompt = _untyped(chunk.data)
        where = f"Open {prompt['link']}, or answer it" if prompt.get("link") else "Answer it"
        return PromptRequired(
            f"The app waits for you: {prompt.get('message') or prompt.get('kind') or 'a prompt'}",
            prompt=prompt,
            session_id=self._ids["session_id"],
            request_id=self._ids["request_id"],
            partial=self.text,
            hint=f"{where} with client.turns.answer(request_id, prompt_id, fields). The turn goes on at the gateway.",
        )


def _untyped(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "type"}
