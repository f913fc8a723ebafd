"""A host in memory: it records what the app emits and asks, and answers from a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cpsl.app.app import App
from cpsl.app.session import Session
from cpsl.errors import NotFound
from cpsl.wire.events import Chunk, Event
from cpsl.wire.frames import AppUser, Question, SessionState


class Recorder:
    """A ``Bridge`` that keeps lists. ``answers`` maps a question's type to its answer, or to a function of it."""

    app_url = "http://gw/a/demo"

    def __init__(self, answers: dict[type[Any], Any] | None = None) -> None:
        self.answers = answers or {}
        self.events: list[Event] = []
        self.questions: list[Question] = []

    def emit(self, request_id: str, event: Event) -> None:
        self.events.append(event)

    async def drained(self) -> None:
        return None

    async def ask(self, question: Question) -> Any:
        return self.ask_blocking(question)

    def ask_blocking(self, question: Question) -> Any:
        self.questions.append(question)
        if type(question) not in self.answers:
            raise NotFound(f"no answer to {question}")
        answer: Callable[[Question], Any] | Any = self.answers[type(question)]
        return answer(question) if callable(answer) else answer

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Chunk))


def session(bridge: Recorder, app: App | None = None, **state: Any) -> Session:
    """A session in the middle of the turn ``req_1``."""
    return Session(
        app or App("demo"),
        SessionState("ses_1", "chat", **state),
        bridge,
        user=AppUser("usr_1", email="ada@example.org"),
        request_id="req_1",
    )
