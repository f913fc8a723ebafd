"""Turns while they run: one after another in a session, side by side otherwise, each ended once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from cpsl.engine.protocol import AppBroken, Engine, Place, Runtime
from cpsl.errors import CapsuleError, NotFound
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.chats import attachments, store
from cpsl.gateway.chats.log import Also, TurnLog
from cpsl.gateway.chats.repeating import Repetition
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations.service import Integrations
from cpsl.gateway.integrations.tokens import Tokens
from cpsl.wire.events import Done, Error, PromptClosed, Status
from cpsl.wire.frames import AppUser, SessionState, StartTurn, TurnEnded, TurnFailure
from cpsl.wire.integrations import Credentials
from cpsl.wire.turns import Attachment

log = logging.getLogger("cpsl.gateway.chats")
_CANCEL_SECONDS = 0.8
WAITS = "Waiting for the message before this one to be answered"
BEGINS = "The message before this one is answered"
_TOO_MUCH = TurnFailure("answer_too_large", "The app said more than is kept of one answer; it was stopped.")


class LiveTurn:
    """A turn that has not ended, and what it runs in.

    One that waited for a person when the gateway ended has a ``hold``: its handler runs again, from the beginning, when
    that returns. It belongs to ``owner_id``: another than the user it runs for, once a visitor has signed in.
    """

    def __init__(
        self,
        turn_id: str,
        version: VersionRef,
        user: AppUser,
        text: str,
        log: TurnLog,
        attached: list[Attachment],
    ) -> None:
        self.id = turn_id
        self.version = version
        self.user = user
        self.owner_id = user.id
        self.text = text
        self.log = log
        self.attached = attached
        self.runtime: Runtime | None = None
        self.deadline: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_cancelled = False
        self.is_overdue = False
        self.is_left = False
        self.hold: Hold | None = None
        self.prompts_asked = 0
        self.prompts_repeated: set[str] = set()

    @property
    def place(self) -> Place:
        """Where its handler runs."""
        return self.version.place(self.user)


Hold = Callable[[LiveTurn], Awaitable[None]]
"""Returns when a turn that waits for a person need not wait any longer."""


class Surroundings(msgspec.Struct):
    """What a handler finds when its turn begins: its session, and what its user has connected."""

    session: SessionState
    integrations: dict[str, Credentials]


class Runner:
    """Runs the turns of a gateway."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        apps: Apps,
        integrations: Integrations,
        tokens: Tokens,
        app_logs: AppLogs,
        turn_timeout: float,
    ) -> None:
        self._db = db
        self._engine = engine
        self._turn_timeout = turn_timeout
        self._apps = apps
        self._integrations = integrations
        self._tokens = tokens
        self._app_logs = app_logs
        self._live: dict[str, LiveTurn] = {}
        self._last_of_session: dict[str, asyncio.Task[None]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    def live(self, turn_id: str) -> LiveTurn | None:
        """A turn that has not ended."""
        return self._live.get(turn_id)

    def of_user(self, app_user_id: str) -> list[LiveTurn]:
        """The turns of an app user that have not ended."""
        return [live for live in self._live.values() if live.owner_id == app_user_id]

    def is_busy(self, session_id: str) -> bool:
        """Whether a turn of this session has not ended."""
        return session_id in self._last_of_session

    def move(self, visitor_id: str, app_user_id: str) -> None:
        """A visitor has signed in: the turns that have not ended are that user's now, and go on where they run."""
        for live in self.of_user(visitor_id):
            live.owner_id = app_user_id

    def start(self, live: LiveTurn, found: Surroundings | None) -> None:
        """Run a stored turn, after the one before it in its session; ``found`` where it was read already."""
        self._live[live.id] = live
        session_id = live.log.session_id
        before = self._last_of_session.get(session_id)
        live.task = asyncio.create_task(self._run(live, found, before))
        self._last_of_session[session_id] = live.task
        live.task.add_done_callback(lambda task: self._forget(live, task))

    async def cancel(self, turn_id: str) -> None:
        """End a turn within a second; the answer so far stays. A turn that has ended is left as it is."""
        live = self._live.get(turn_id)
        if live is None or live.task is None:
            return
        live.is_cancelled = True
        await self._stop(live, live.task)

    async def close(self, timeout: float) -> None:
        """Let turns end for ``timeout`` seconds; then end those that have not.

        A turn that waits for a person is left as it is, and so are those behind it: the next gateway takes them up.
        """
        left = {live.log.session_id for live in self._live.values() if live.log.prompts}
        for live in [live for live in self._live.values() if live.log.session_id in left]:
            self._leave(live)
        tasks = {live.task for live in self._live.values() if live.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _leave(self, live: LiveTurn) -> None:
        live.is_left = True
        if live.runtime is not None:
            live.runtime.cancel(live.id)
        if live.task is not None:
            live.task.cancel()

    async def runtime(self, version: VersionRef, user: AppUser) -> Runtime:
        """The runtime of an app user. Raises AppBroken, after the app's log has the reason."""
        place = version.place(user)
        try:
            return await self._engine.runtime(
                place, user, lambda: self._apps.start_frame(version), version.spec.keep_warm_seconds
            )
        except AppBroken as error:
            self._app_logs.system(place, error.traceback or error.message, "error")
            raise

    def give_up(self, runtime: Runtime) -> None:
        """Something in this runtime did not end in time: whoever comes next gets another."""
        self._in_background(runtime.give_up())

    async def _stop(self, live: LiveTurn, task: asyncio.Task[None]) -> None:
        """Ask the handler to stop; end the turn within a second all the same."""
        if live.runtime is not None:
            live.runtime.cancel(live.id)
            await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
            if not task.done():
                self.give_up(live.runtime)
        task.cancel()
        await asyncio.wait({task})

    def _stop_if_overdue(self, live: LiveTurn) -> None:
        """The time of a turn is over; that in which it waits for a person does not count."""
        if live.log.prompts:
            live.deadline = self._alarm(live)
        elif live.task is not None:
            live.is_overdue = True
            self._in_background(self._stop(live, live.task))

    def _alarm(self, live: LiveTurn) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._turn_timeout, self._stop_if_overdue, live)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    def _forget(self, live: LiveTurn, task: asyncio.Task[None]) -> None:
        self._live.pop(live.id, None)
        if self._last_of_session.get(live.log.session_id) is task:
            del self._last_of_session[live.log.session_id]

    async def _run(self, live: LiveTurn, found: Surroundings | None, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None and not before.done():
                await self._wait_for(live, before)
                found = None
            if live.hold is not None:
                await live.hold(live)
            ended = await self._execute(live, found or await self._surroundings(live))
        except asyncio.CancelledError:
            if live.is_left:
                return await live.log.leave()
            ended = TurnEnded(live.id, failure=self._why_cancelled(live))
        except CapsuleError as error:
            ended = TurnEnded(live.id, failure=self._explain(live, error))
        except Exception:
            log.exception("turn %s failed", live.id)
            ended = TurnEnded(live.id, failure=TurnFailure("internal_error", "The gateway failed to run this turn."))
        return await self._finish(live, ended)

    async def _wait_for(self, live: LiveTurn, before: asyncio.Task[None]) -> None:
        is_told = len(live.log.after(0)) > 1  # by the gateway before this one
        await live.log.add([] if is_told else [Status(WAITS)], in_state(live.id, "queued"))
        await asyncio.wait({before})
        await live.log.add_durably([Status(BEGINS)], in_state(live.id, "running"))

    async def _surroundings(self, live: LiveTurn) -> Surroundings:
        def work(connection: Connection) -> Surroundings:
            found = surroundings(
                connection, self._integrations, live.version, live.owner_id, live.log.session_id, live.id
            )
            return _as_it_was(connection, live, found) if live.hold else found

        return await self._db.read(work)

    async def _execute(self, live: LiveTurn, found: Surroundings) -> TurnEnded:
        runtime = await self.runtime(live.version, live.user)
        live.runtime = runtime
        repetition = Repetition(live.log) if live.hold else None

        async def on_events(events: list[Any]) -> None:
            await live.log.add(repetition.new(events) if repetition else events)
            if live.log.is_over_size:
                runtime.cancel(live.id)

        url = partial(self._apps.file_url, live.version.app)
        attachments.with_urls(found.session.history, url)
        attached = attachments.located(live.attached, url)
        connected = await self._tokens.all_good(live.version, live.owner_id, found.integrations)
        turn = StartTurn(live.id, found.session, live.text, connected, attached)
        live.deadline = self._alarm(live)
        try:
            return await runtime.turn(turn, on_events)
        finally:
            live.deadline.cancel()

    async def _finish(self, live: LiveTurn, ended: TurnEnded) -> None:
        failure = self._failure(live, ended)
        state = "done" if failure is None else ("cancelled" if failure.code == "cancelled" else "failed")
        if failure is not None and failure.traceback:
            self._tell(live, failure.traceback)

        def also(connection: Connection) -> None:
            store.set_turn_state(connection, live.id, state)
            if live.prompts_asked:
                store.close_prompts(connection, live.id)
            if ended.data is not None:
                store.save_data(connection, live.log.session_id, ended.data)

        await live.log.add([PromptClosed(prompt_id, "cancelled") for prompt_id in live.log.prompts])
        await live.log.close(_final(live, failure), also)

    def _failure(self, live: LiveTurn, ended: TurnEnded) -> TurnFailure | None:
        if live.log.is_over_size:
            return _TOO_MUCH
        if live.is_overdue:
            message = f"The app did not finish within {self._turn_timeout:g} seconds and was stopped."
            return TurnFailure("turn_timeout", message, traceback=message)
        return ended.failure

    def _why_cancelled(self, live: LiveTurn) -> TurnFailure:
        if live.is_cancelled:
            return TurnFailure("cancelled", "The turn was cancelled.")
        return TurnFailure("gateway_stopped", "The gateway was stopped while it answered. Please send it again.")

    def _explain(self, live: LiveTurn, error: CapsuleError) -> TurnFailure:
        self._tell(live, f"{error.message}\n{error.hint or ''}")
        is_hidden = isinstance(error, AppBroken) and error.code != "app_unhealthy"  # it may quote the app's code
        message = "The app could not be started" if is_hidden else error.message
        return TurnFailure(error.code, f"{message[0].upper()}{message[1:]}.")

    def _tell(self, live: LiveTurn, trouble: str) -> None:
        """Put what went wrong in a turn into its app's log."""
        where = {"session_id": live.log.session_id, "request_id": live.id}
        self._app_logs.system(live.place, trouble.rstrip(), "error", **where)


def in_state(turn_id: str, state: str) -> Also:
    """Puts a turn into a state, in the transaction that stores its events."""
    return lambda connection: store.set_turn_state(connection, turn_id, state)


def _as_it_was(connection: Connection, live: LiveTurn, found: Surroundings) -> Surroundings:
    """What a handler that runs again found the first time: without what this very turn has asked for since."""
    found.session.is_new = store.is_first_turn(connection, live.log.session_id, live.id)
    for row in store.prompts_of(connection, live.id):
        found.integrations.pop(row.event.get("integration", ""), None)
    return found


def _final(live: LiveTurn, failure: TurnFailure | None) -> Done | Error:
    if failure is None:
        return Done(live.id, live.log.session_id)
    return Error(failure.code, failure.message, live.id, failure.hint)


def first_surroundings(
    connection: Connection, integrations: Integrations, version: VersionRef, new: store.NewTurn, session_id: str
) -> Surroundings:
    """What the handler of a session's first turn will find."""
    connected = integrations.of_user(connection, version, new.app_user_id)
    return Surroundings(SessionState(session_id, new.channel, is_new=True), connected)


def surroundings(
    connection: Connection,
    integrations: Integrations,
    version: VersionRef,
    app_user_id: str,
    session_id: str,
    turn_id: str,
) -> Surroundings:
    """Read what the handler of a turn will find. Raises NotFound when the session is not this user's, or gone."""
    row = store.session(connection, app_user_id, session_id)
    if row is None or row.app_id != version.app_id:
        raise NotFound(
            f"no session {session_id[:80]!r} of yours in this app",
            code="session_not_found",
            hint="Leave the session out to begin a new conversation.",
        )
    connected = integrations.of_user(connection, version, app_user_id)
    return Surroundings(store.state_for(connection, row, turn_id), connected)
