"""What an engine is to the gateway, and what the gateway is to an engine.

An engine runs one process per (version, app user). It imports neither the gateway nor the app: it starts runtimes by
argv, speaks ``cpsl.wire.frames`` with them, and asks its ``Host`` for what only the gateway knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, Protocol

from cpsl.errors import DeployFailed, GatewayError
from cpsl.wire import frames
from cpsl.wire.apps import AppSpec, ImageSpec
from cpsl.wire.events import AppEvent


class Place(NamedTuple):
    """Which runtime: one version of an app, for one of its users. No user: the version itself, as it is imported."""

    app_id: str
    version: int
    version_id: str
    user_id: str


class RuntimeLost(GatewayError):
    """The runtime's process ended while something waited for it."""

    default_code = "runtime_lost"


class OutOfMemory(RuntimeLost):
    """The runtime took more memory than its app may have."""

    default_code = "out_of_memory"


class DiskFull(RuntimeLost):
    """The runtime was about to fill the disk of the machine."""

    default_code = "disk_full"


class AppBroken(DeployFailed):
    """The app could not be imported, or its ``boot`` hook raised."""

    default_code = "app_broken"


Launch = Callable[[], Awaitable[frames.Start]]
"""Makes the start frame, only when a version is really imported: it decrypts secrets."""

OnEvents = Callable[[list[AppEvent]], Awaitable[None]]
"""Takes a turn's events as they come; the engine reads no further from that runtime until it returns."""


Answer = Callable[[frames.Question], Awaitable[Any]]
"""Answers what an app asks. Raises CapsuleError, which becomes the app's error."""

OnLog = Callable[[list[frames.LogRecord]], None]
"""Takes lines that an app printed. Must not block."""


OnLine = Callable[[str], None]
"""Takes a line that a build printed. Must not block."""


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

    async def give_up(self) -> None:
        """A handler did not stop when it was asked to: the process gets no new turns.

        It ends when its other turns have ended; at once, if its app keeps them from running.
        """

    async def data(self, name: str, params: dict[str, str], integrations: dict[str, Any]) -> frames.DataResponse:
        """Ask a data handler. Raises RuntimeLost when the process ends first."""

    async def close_session(self, session: frames.SessionState) -> None:
        """Run the ``exit`` hook for a session that ends. Raises RuntimeLost when the process ends first."""


class Engine(Protocol):
    """Starts, finds and stops runtimes."""

    async def build(self, image: ImageSpec, on_line: OnLine) -> str:
        """The folder of an image, built now if need be; empty for one that asks for nothing.

        ``on_line`` gets what the build prints. Raises DeployFailed, InvalidRequest (``invalid_image``).
        """

    def is_built(self, image: ImageSpec) -> bool:
        """Whether ``build`` has nothing to do."""

    def build_log(self, image: ImageSpec) -> str:
        """What building an image printed; empty if it was never built, or its log is gone."""

    async def collect(self, used: Iterable[ImageSpec]) -> None:
        """Remove the images that none of ``used`` needs."""

    async def inspect(self, start: frames.Start, answer: Answer, on_log: OnLog) -> AppSpec:
        """Import an app only to see what it declares, before there is an image for it. Raises AppBroken."""

    async def prepare(self, version_id: str, start: frames.Start, answer: Answer, on_log: OnLog) -> AppSpec:
        """Import a version and keep it ready for runtimes; what it declares. Raises AppBroken: nothing is left then."""

    async def runtime(self, place: Place, user: frames.AppUser, launch: Launch, keep_warm_seconds: int) -> Runtime:
        """The runtime of this place: the warm one, or one started now. Raises AppBroken, RuntimeLost."""

    async def drain(self, version_ids: Iterable[str]) -> None:
        """Stop versions as soon as their turns have ended. Does not wait for it."""

    def retire(self, user_id: str) -> None:
        """End the runtimes of a user when their turns have ended; who asks next gets another. Does not wait for it."""

    async def evict(self, app_id: str, user_id: str) -> None:
        """End what runs for a user of an app, in all its versions, now; a turn that has not ended is lost."""

    def trouble(self, version_id: str) -> str:
        """Why a version is unhealthy; empty if it is not."""

    async def close(self, timeout: float) -> None:
        """Stop everything; what still runs after ``timeout`` seconds is killed."""
