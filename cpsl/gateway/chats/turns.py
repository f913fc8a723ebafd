"""The life of a turn: accepted (and durable), queued, running, ended. It is the gateway's, not a connection's."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from cpsl.engine.protocol import AppBroken, Engine, Place, Runtime
from cpsl.errors import CapsuleError, InvalidRequest, NotFound, TooLarge
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.chats import store
from cpsl.gateway.chats.log import Also, Entry, TurnLog
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations.service import Integrations
from cpsl.wire.events import Done, Error, PromptClosed, Started, Status, encode
from cpsl.wire.frames import AppUser, SessionState, StartTurn, TurnEnded, TurnFailure
from cpsl.wire.ids import new_id
from cpsl.wire.integrations import Credentials
from cpsl.wire.turns import MAX_TEXT_BYTES, ChatRequest, Turn

log = logging.getLogger("cpsl.gateway.chats")
_CANCEL_SECONDS = 0.8
_WAITS = "Waiting for the message before this one to be answered"

_TOO_MUCH = TurnFailure("answer_too_large", "The app said more than is kept of one answer; it was stopped.")


class LiveTurn:
    """A turn that has not ended, and what it runs in."""

    def __init__(self, turn_id: str, version: VersionRef, user: AppUser, text: str, log: TurnLog) -> None:
        self.id = turn_id
        self.version = version
        self.user = user
        self.text = text
        self.log = log
        self.runtime: Runtime | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_cancelled = False

    @property
    def place(self) -> Place:
        """Where its handler runs."""
        return Place(self.version.app_id, self.version.number, self.user.id)


class Begun(msgspec.Struct):
    """What storing a turn gave: the turn of this request, new or from an earlier try, and its handler's session."""

    turn_id: str
    session_id: str
    is_new: bool
    state: SessionState | None = None
    integrations: dict[str, Credentials] = {}


class Turns:
    """All turns of a gateway. ``closing`` is set when it stops."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        apps: Apps,
        integrations: Integrations,
        app_logs: AppLogs,
    ) -> None:
        self._db = db
        self._engine = engine
        self._apps = apps
        self._integrations = integrations
        self._app_logs = app_logs
        self._live: dict[str, LiveTurn] = {}
        self._accepting: set[asyncio.Task[TurnLog]] = set()
        self._last_of_session: dict[str, asyncio.Task[None]] = {}
        self._users: dict[tuple[str, str], str] = {}

    async def user(self, version: VersionRef, actor: Actor | None) -> AppUser:
        """The app user behind a caller of the API, or the one that stands for all who did not say who they are."""
        kind, subject, email = ("account", actor.account_id, actor.email) if actor else ("anonymous", "", None)
        key = (version.app_id, f"{kind}/{subject}")
        if key not in self._users:
            self._users[key] = await self._db.write(
                lambda connection: store.app_user(connection, version.app_id, kind, subject, email)
            )
        return AppUser(self._users[key], email, authenticated=actor is not None)

    async def submit(self, version: VersionRef, user: AppUser, request: ChatRequest, key: str | None) -> TurnLog:
        """Accept a message: when this returns, the turn is durable and its handler will run, once.

        ``key`` is the caller's Idempotency-Key: the same one again gives the same turn. Raises InvalidRequest,
        TooLarge, NotFound (session), Conflict-like InvalidRequest for a key that was used with another message.
        """
        _check(request, key)
        new = store.NewTurn(
            id=new_id("trn"),
            app_id=version.app_id,
            app_user_id=user.id,
            version=version.number,
            channel="api",
            text=request.text,
            session_id=request.session_id,
            idempotency_key=key,
            fingerprint=hashlib.sha256(msgspec.json.encode(request)).digest(),
        )
        # A caller that leaves now must not leave behind a turn that is stored and never run.
        accepting = asyncio.create_task(self._accept(new, version, user))
        self._accepting.add(accepting)
        accepting.add_done_callback(self._accepting.discard)
        return await asyncio.shield(accepting)

    async def _accept(self, new: store.NewTurn, version: VersionRef, user: AppUser) -> TurnLog:
        begun = await self._db.write(lambda connection: self._begin(connection, new, version.workspace_id))
        if not begun.is_new:
            return await self.log_of(begun.turn_id)
        started = Entry(1, "started", _started(new, begun.session_id))
        turn_log = TurnLog.restored(self._db, new.id, begun.session_id, [started])
        live = LiveTurn(new.id, version, user, new.text, turn_log)
        self._start(live, begun)
        return turn_log

    async def log_of(self, turn_id: str) -> TurnLog:
        """The log of a turn, live or as it was stored. Raises NotFound."""
        live = self._live.get(turn_id)
        if live is not None:
            return live.log

        def work(connection: Connection) -> tuple[str, list[Entry]]:
            row = store.turn(connection, turn_id)
            if row is None:
                raise _unknown_turn(turn_id)
            return row.session_id, store.entries(connection, turn_id)

        session_id, entries = await self._db.read(work)
        return TurnLog.restored(self._db, turn_id, session_id, entries)

    async def owned(self, actor: Actor, turn_id: str) -> Row[Any]:
        """The row of a turn, for the one who began it. Raises NotFound for everybody else."""
        row = await self._db.read(lambda connection: store.turn(connection, turn_id))
        if row is None or row.workspace_id != actor.workspace_id:
            raise _unknown_turn(turn_id)
        user = await self.user(await self._apps.version(row.app_id, row.version), actor)
        if user.id != row.app_user_id:
            raise _unknown_turn(turn_id)
        return row

    def live(self, turn_id: str) -> LiveTurn | None:
        """A turn that has not ended."""
        return self._live.get(turn_id)

    async def cancel(self, turn_id: str) -> None:
        """End a turn within a second; the answer so far stays. A turn that has ended is left as it is."""
        live = self._live.get(turn_id)
        if live is None or live.task is None:
            return
        live.is_cancelled = True
        if live.runtime is not None:
            live.runtime.cancel(turn_id)
            await asyncio.wait({live.task}, timeout=_CANCEL_SECONDS)
        live.task.cancel()
        await asyncio.wait({live.task})

    async def recover(self) -> None:
        """After a start: run the turns that never began, and close the logs of those that were cut off."""
        for row in await self._db.read(_unfinished):
            await self._recover(row)

    async def close(self, timeout: float) -> None:
        """Let turns end for ``timeout`` seconds; then end those that have not."""
        tasks = {live.task for live in self._live.values() if live.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _begin(self, connection: Connection, new: store.NewTurn, workspace_id: str) -> Begun:
        if new.idempotency_key is not None:
            known = store.turn_by_key(connection, new.app_user_id, new.idempotency_key)
            if known is not None:
                return _same_turn(known, new)
        session_id = new.session_id or store.add_session(connection, new)
        row = store.session(connection, new.app_user_id, session_id)
        if row is None or row.app_id != new.app_id:
            raise NotFound(
                f"no session {session_id[:80]!r} of yours in this app",
                code="session_not_found",
                hint="Leave the session out to begin a new conversation.",
            )
        store.add_turn(connection, new, session_id, _started(new, session_id))
        state = store.state_for(connection, row, new.id)
        store.mark_entered(connection, session_id)
        integrations = self._integrations.of_user(connection, workspace_id, new.app_user_id)
        return Begun(new.id, session_id, True, state, integrations)

    def _start(self, live: LiveTurn, begun: Begun | None) -> None:
        self._live[live.id] = live
        session_id = live.log.session_id
        before = self._last_of_session.get(session_id)
        live.task = asyncio.create_task(self._run(live, begun, before))
        self._last_of_session[session_id] = live.task
        live.task.add_done_callback(lambda task: self._forget(live, task))

    def _forget(self, live: LiveTurn, task: asyncio.Task[None]) -> None:
        self._live.pop(live.id, None)
        if self._last_of_session.get(live.log.session_id) is task:
            del self._last_of_session[live.log.session_id]

    async def _run(self, live: LiveTurn, begun: Begun | None, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None and not before.done():
                await self._wait_for(live, before)
                begun = None
            ended = await self._execute(live, begun or await self._reload(live))
        except asyncio.CancelledError:
            ended = TurnEnded(live.id, failure=self._why_cancelled(live))
        except CapsuleError as error:
            ended = TurnEnded(live.id, failure=self._explain(live, error))
        except Exception:
            log.exception("turn %s failed", live.id)
            ended = TurnEnded(live.id, failure=TurnFailure("internal_error", "The gateway failed to run this turn."))
        await self._finish(live, ended)

    async def _wait_for(self, live: LiveTurn, before: asyncio.Task[None]) -> None:
        await live.log.add([Status(_WAITS)], _state(live.id, "queued"))
        await asyncio.wait({before})
        await live.log.add_durably([], _state(live.id, "running"))

    async def _reload(self, live: LiveTurn) -> Begun:
        def work(connection: Connection) -> Begun:
            row = store.session(connection, live.user.id, live.log.session_id)
            if row is None:
                raise NotFound("the session was deleted", code="session_deleted")
            state = store.state_for(connection, row, live.id)
            integrations = self._integrations.of_user(connection, live.version.workspace_id, live.user.id)
            return Begun(live.id, row.id, True, state, integrations)

        return await self._db.read(work)

    async def _execute(self, live: LiveTurn, begun: Begun) -> TurnEnded:
        assert begun.state is not None
        runtime = await self.runtime(live.version, live.user)
        live.runtime = runtime

        async def on_events(events: list[Any]) -> None:
            await live.log.add(events)
            if live.log.is_over_size:
                runtime.cancel(live.id)

        turn = StartTurn(live.id, begun.state, live.text, begun.integrations)
        return await runtime.turn(turn, on_events)

    async def runtime(self, version: VersionRef, user: AppUser) -> Runtime:
        """The runtime of an app user. Raises AppBroken, after the app's log has the reason."""
        place = Place(version.app_id, version.number, user.id)
        try:
            return await self._engine.runtime(
                place,
                lambda: self._apps.start_frame(version, user),
                keep_warm_seconds=version.spec.keep_warm_seconds,
            )
        except AppBroken as error:
            self._app_logs.system(place, error.traceback or error.message, "error")
            raise

    async def _finish(self, live: LiveTurn, ended: TurnEnded) -> None:
        failure = ended.failure if not live.log.is_over_size else _TOO_MUCH
        state = "done" if failure is None else ("cancelled" if failure.code == "cancelled" else "failed")
        if failure is not None and failure.traceback:
            where = {"session_id": live.log.session_id, "request_id": live.id}
            self._app_logs.system(live.place, failure.traceback.rstrip(), "error", **where)

        def also(connection: Connection) -> None:
            store.set_turn_state(connection, live.id, state)
            store.close_prompts(connection, live.id)
            if ended.data is not None:
                store.save_data(connection, live.log.session_id, ended.data)

        await live.log.add([PromptClosed(prompt_id, "cancelled") for prompt_id in list(live.log.prompts)])
        await live.log.close(_final(live, failure), also)

    async def _recover(self, row: Row[Any]) -> None:
        turn_log = await self.log_of(row.id)
        if row.state == "queued":
            version = await self._apps.version(row.app_id, row.version)
            live = LiveTurn(row.id, version, AppUser(row.app_user_id), row.text, turn_log)
            await turn_log.add_durably([], _state(row.id, "running"))
            self._start(live, None)
            return
        for prompt_id in list(turn_log.prompts):
            await turn_log.add([PromptClosed(prompt_id, "cancelled")])
        final = Error(
            "gateway_restarted",
            "The gateway was restarted while it answered. Please send the message again.",
            row.id,
        )

        def also(connection: Connection) -> None:
            store.set_turn_state(connection, row.id, "failed")
            store.close_prompts(connection, row.id)

        await turn_log.close(final, also)

    def _why_cancelled(self, live: LiveTurn) -> TurnFailure:
        if live.is_cancelled:
            return TurnFailure("cancelled", "The turn was cancelled.")
        return TurnFailure("gateway_stopped", "The gateway was stopped while it answered. Please send it again.")

    def _explain(self, live: LiveTurn, error: CapsuleError) -> TurnFailure:
        where = {"session_id": live.log.session_id, "request_id": live.id}
        self._app_logs.system(live.place, f"{error.message}\n{error.hint or ''}".rstrip(), "error", **where)
        message = "The app could not be started." if isinstance(error, AppBroken) else f"{error.message}."
        return TurnFailure(error.code, message)


def shown(row: Row[Any]) -> Turn:
    """A turn as HTTP shows it."""
    return Turn(
        request_id=row.id,
        session_id=row.session_id,
        app=row.app,
        version=row.version,
        state=row.state,
        text=row.text,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _unfinished(connection: Connection) -> list[Row[Any]]:
    rows = (store.turn(connection, turn_id) for turn_id in store.unfinished(connection))
    return [row for row in rows if row is not None]


def _check(request: ChatRequest, key: str | None) -> None:
    if not request.text.strip():
        raise InvalidRequest("the message is empty", code="empty_message", hint="Say something.")
    if "\0" in request.text:
        raise InvalidRequest("the message has a NUL character", code="invalid_message")
    if len(request.text.encode(errors="surrogatepass")) > MAX_TEXT_BYTES:
        raise TooLarge(
            f"the message is over {MAX_TEXT_BYTES // 1024} KiB",
            code="message_too_large",
            hint="Put long material into a file: capsule fs upload NAME FILE",
        )
    if key is not None and not (1 <= len(key) <= 255 and key.isprintable()):
        raise InvalidRequest("the Idempotency-Key must have 1 to 255 printable characters")


def _same_turn(known: Row[Any], new: store.NewTurn) -> Begun:
    if bytes(known.fingerprint) != new.fingerprint:
        raise InvalidRequest(
            "this Idempotency-Key was used for another message",
            code="idempotency_key_reused",
            hint="Use a new key for each message.",
        )
    return Begun(known.id, known.session_id, False)


def _started(new: store.NewTurn, session_id: str) -> bytes:
    return encode(Started(new.id, session_id, new.version))


def _state(turn_id: str, state: str) -> Also:
    return lambda connection: store.set_turn_state(connection, turn_id, state)


def _final(live: LiveTurn, failure: TurnFailure | None) -> Done | Error:
    if failure is None:
        return Done(live.id, live.log.session_id)
    return Error(failure.code, failure.message, live.id, failure.hint)


def _unknown_turn(turn_id: str) -> NotFound:
    return NotFound(f"no turn {turn_id[:80]!r} of yours", code="turn_not_found")
