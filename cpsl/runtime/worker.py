"""Runs turns, data requests and hooks of one app on one event loop; sessions side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol

from cpsl.app.app import App
from cpsl.app.bridge import Bridge
from cpsl.app.files import Attachment
from cpsl.app.handlers import Handler
from cpsl.app.session import Session, enter_session
from cpsl.app.types import Message
from cpsl.errors import TooLarge
from cpsl.runtime import calls, data
from cpsl.runtime.failures import CANCELLED, NO_HANDLER, failure_of, not_stored
from cpsl.wire import frames

SHUTDOWN_SECONDS = 10.0
_CANCEL_SECONDS = 2.0


class Host(Protocol):
    """Where a worker's answers go."""

    def send(self, frame: frames.ToGateway, /) -> None:
        """Send a frame. Raises TooLarge for one that is too long."""


class Printed(Protocol):
    """What the app prints, as far as a worker has to do with it."""

    def finish(self, request_id: str = "", session_id: str = "") -> None:
        """A turn has ended: tell its last line, too."""

    def error(self, message: str, traceback: str, request_id: str = "", session_id: str = "") -> None:
        """Tell of a failure that no answer carries."""


class Worker:
    """One app at work. ``handle`` takes the host's frames; ``stopped`` is set once the host said so and all is done."""

    def __init__(self, app: App, user: frames.AppUser, link: Host, bridge: Bridge, output: Printed) -> None:
        self.stopped = asyncio.Event()
        self._app = app
        self._user = user
        self._link = link
        self._bridge = bridge
        self._output = output
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._cancelled: set[str] = set()
        self._others: set[asyncio.Task[None]] = set()

    async def boot(self) -> frames.Broken | None:
        """Run the boot hook. Returns what to tell the host if it fails."""
        failure = await self._hook(self._app.handlers.boot)
        self._output.finish()
        if failure is None:
            return None
        message = failure.message.replace("The app failed", "The boot hook failed")
        return frames.Broken("boot_failed", message, failure.traceback, failure.hint)

    def handle(self, frame: frames.ToRuntime) -> None:
        """Begin what the host asks for. Returns at once."""
        match frame:
            case frames.StartTurn():
                self._start(frame)
            case frames.CancelTurn():
                self._cancel(frame.request_id)
            case frames.DataRequest():
                self._begin(self._data(frame))
            case frames.CloseSession():
                self._begin(self._exit(frame))
            case frames.Ping():
                self._link.send(frames.Pong(frame.call_id))
            case frames.Stop():
                self._begin(self._stop())

    # --- turns ----------------------------------------------------------------------------------------------------

    def _start(self, frame: frames.StartTurn) -> None:
        task = asyncio.ensure_future(self._turn(frame))
        self._turns[frame.request_id] = task
        task.add_done_callback(lambda task: self._settle(frame.request_id, task))

    async def _turn(self, frame: frames.StartTurn) -> None:
        session = self._session(frame.session, frame.request_id, frame.integrations)
        enter_session(session)
        failure = await self._answer(frame, session)
        session.end()
        self._output.finish(session.request_id, session.id)
        stored, problem = session.data.changed()
        if problem is not None and failure is None:
            failure = not_stored(problem)
        self._end(frames.TurnEnded(frame.request_id, stored, failure))

    async def _answer(self, frame: frames.StartTurn, session: Session) -> frames.TurnFailure | None:
        """Call the handler; why it did not return, if it did not."""
        try:
            await self._enter_and_answer(frame, session)
        except BaseException as error:  # SystemExit too: one handler does not end the runtime of all sessions
            if isinstance(error, asyncio.CancelledError) and frame.request_id in self._cancelled:
                return CANCELLED
            return failure_of(error)
        return None if self._app.handlers.message else NO_HANDLER

    async def _enter_and_answer(self, frame: frames.StartTurn, session: Session) -> None:
        handlers = self._app.handlers
        if frame.session.is_new and handlers.enter:
            await calls.call(handlers.enter, session)
        if handlers.message is None:
            return
        attached = [Attachment.of(each, self._bridge) for each in frame.attachments]
        message = Message(frame.text, "user", session.channel.type, attachments=attached)
        result = await calls.call(handlers.message, session, message)
        if isinstance(result, str):
            await session.reply(result)
        elif isinstance(result, AsyncIterator):
            await session.stream(result)

    def _settle(self, request_id: str, task: asyncio.Task[None]) -> None:
        """A turn ends once, always: also one that was cancelled before it began."""
        if request_id not in self._turns:
            return
        error = None if task.cancelled() else task.exception()
        self._end(frames.TurnEnded(request_id, None, failure_of(error) if error else CANCELLED))

    def _end(self, ended: frames.TurnEnded) -> None:
        try:
            self._link.send(ended)
        except TooLarge as error:
            self._link.send(frames.TurnEnded(ended.request_id, None, ended.failure or not_stored(error)))
        self._turns.pop(ended.request_id, None)
        self._cancelled.discard(ended.request_id)

    def _cancel(self, request_id: str) -> None:
        task = self._turns.get(request_id)
        if task is not None and request_id not in self._cancelled:
            self._cancelled.add(request_id)
            task.cancel()

    # --- the rest -------------------------------------------------------------------------------------------------

    async def _data(self, request: frames.DataRequest) -> None:
        response = await data.answer(self._app, self._user, request)
        self._output.finish()
        try:
            self._link.send(response)
        except TooLarge as error:
            self._link.send(frames.DataResponse(request.call_id, failure=failure_of(error)))

    async def _exit(self, frame: frames.CloseSession) -> None:
        session = self._session(frame.session, "", {})
        enter_session(session)
        failure = await self._hook(self._app.handlers.exit, session)
        self._output.finish()
        if failure is not None:
            self._output.error("The exit hook failed.", failure.traceback, session_id=session.id)
        self._link.send(frames.SessionClosed(frame.call_id))

    async def _stop(self) -> None:
        for request_id in list(self._turns):
            self._cancel(request_id)
        if self._turns:
            await asyncio.wait(self._turns.values(), timeout=_CANCEL_SECONDS)
        try:
            failure = await asyncio.wait_for(self._hook(self._app.handlers.shutdown), SHUTDOWN_SECONDS)
            if failure is not None:
                self._output.error("The shutdown hook failed.", failure.traceback)
        except TimeoutError:
            self._output.error(f"The shutdown hook took more than {SHUTDOWN_SECONDS:.0f} seconds.", "")
        self._output.finish()
        self.stopped.set()

    async def _hook(self, hook: Handler | None, *offered: Any) -> frames.TurnFailure | None:
        if hook is None:
            return None
        try:
            await calls.call(hook, *offered)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return failure_of(error)
        return None

    def _session(self, state: frames.SessionState, request_id: str, integrations: dict[str, Any]) -> Session:
        return Session(
            self._app, state, self._bridge, user=self._user, request_id=request_id, integrations=integrations
        )

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)
