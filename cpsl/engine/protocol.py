"""What an engine is to the gateway, and what the gateway is to an engine.

An engine runs one process per (version, app user). It imports neither the gateway nor the app: it starts runtimes by
argv, speaks ``cpsl.wire.frames`` with them, and asks its ``Host`` for what only the gateway knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from cpsl.errors import DeployFailed, GatewayError
from cpsl.wire import frames
from cpsl.wire.apps import AppSpec
from cpsl.wire.events import Event


class Place(NamedTuple):
    """Which runtime: one version of an app, for one of its users."""

    app_id: str
    version: int
    user_id: str


class RuntimeLost(GatewayError):
    """The runtime's process ended while something waited for it."""

    default_code = "runtime_lost"


class AppBroken(DeployFailed):
    """The app could not be imported, or its ``boot`` hook raised."""

    default_code = "app_broken"


Launch = Callable[[], Awaitable[frames.Start]]
"""Makes the start frame, only when a process is really started: it decrypts secrets."""

OnEvents = Callable[[list[Event]], Awaitable[None]]
"""Takes a turn's events as they come; the engine reads no further from that runtime until it returns."""


Answer = Callable[[frames.Question], Awaitable[Any]]
"""Answers what an app asks. Raises CapsuleError, which becomes the app's error."""

OnLog = Callable[[list[frames.LogRecord]], None]
"""Takes lines that an app printed. Must not block."""


class Host(Protocol):
    """What the gateway answers and keeps for the runtimes of an engine."""

    async def answer(self, place: Place, question: frames.Question) -> Any:
        """The answer to a runtime's question. Raises CapsuleError, which becomes the app's error."""

    def log(self, place: Place, records: list[frames.LogRecord]) -> None:
        """Keep lines that an app printed. Must not block."""


class Runtime(Protocol):
    """One running process."""

    async def turn(self, turn: frames.StartTurn, on_events: OnEvents) -> frames.TurnEnded:
        """Run a turn to its end. Raises RuntimeLost when the process ends first."""

    def cancel(self, request_id: str) -> None:
        """Ask the handler of a turn to stop. The turn still ends through ``turn``."""

    async def data(self, name: str, params: dict[str, str], integrations: dict[str, Any]) -> frames.DataResponse:
        """Ask a data handler. Raises RuntimeLost when the process ends first."""

    async def close_session(self, session: frames.SessionState) -> None:
        """Run the ``exit`` hook for a session that ends. Raises RuntimeLost when the process ends first."""


class Engine(Protocol):
    """Starts, finds and stops runtimes."""

    async def inspect(self, start: frames.Start, answer: Answer, on_log: OnLog) -> AppSpec:
        """Import the app once, in a process of its own, and say what it declares. Raises AppBroken."""

    async def runtime(self, place: Place, launch: Launch, *, keep_warm_seconds: int = 0) -> Runtime:
        """The runtime of this place: the warm one, or one started now. Raises AppBroken."""

    async def drain(self, app_id: str, version: int | None = None) -> None:
        """Stop the runtimes of a version (of all versions) as soon as their turns have ended."""

    async def close(self, timeout: float) -> None:
        """Stop everything; what still runs after ``timeout`` seconds is killed."""
