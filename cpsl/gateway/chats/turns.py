"""Turns as the world sees them: accepted once and durably, found again, taken up after a restart.

A turn is the gateway's, not a connection's. What runs it is in ``running``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from cpsl.errors import InvalidRequest, NotFound, TooLarge
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.chats import attachments, store
from cpsl.gateway.chats.log import TurnLog
from cpsl.gateway.chats.running import (
    Hold,
    LiveTurn,
    Runner,
    Surroundings,
    first_surroundings,
    in_state,
    surroundings,
)
from cpsl.gateway.chats.store import Entry
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations.service import Integrations
from cpsl.gateway.users.store import user_of
from cpsl.wire.events import Error, PromptClosed, Started, encode
from cpsl.wire.frames import AppUser
from cpsl.wire.ids import new_id
from cpsl.wire.turns import MAX_TEXT_BYTES, ChatRequest, Turn

T = TypeVar("T")


class Turns:
    """All turns of a gateway."""

    def __init__(self, db: Database, apps: Apps, integrations: Integrations, runner: Runner) -> None:
        self._db = db
        self._apps = apps
        self._integrations = integrations
        self._runner = runner
        self._accepting: set[asyncio.Task[TurnLog]] = set()

    async def submit(
        self, version: VersionRef, user: AppUser, request: ChatRequest, key: str | None, channel: str = "api"
    ) -> TurnLog:
        """Accept a message: when this returns, the turn is durable and its handler will run, once.

        ``key`` is the caller's Idempotency-Key: the same one again gives the same turn. ``channel`` is that of a new
        conversation. Raises InvalidRequest, TooLarge, NotFound (session, attachment); InvalidRequest
        (``idempotency_key_reused``) for a key of another message.
        """
        _check(request, key)
        found = await self._attached(user, request.attachments)
        new = store.NewTurn(
            id=new_id("trn"),
            app_id=version.app_id,
            app_user_id=user.id,
            version=version.number,
            channel=channel,
            text=request.text,
            session_id=request.session_id,
            idempotency_key=key,
            fingerprint=attachments.fingerprint(request, found),
            attachments=[attached for attached, _ in found],
        )
        # A caller that leaves now must not leave behind a turn that is stored and never run.
        accepting = asyncio.create_task(self._accept(new, version, user))
        self._accepting.add(accepting)
        accepting.add_done_callback(self._accepting.discard)
        return await asyncio.shield(accepting)

    async def log_of(self, turn_id: str) -> TurnLog:
        """The log of a turn, live or as it was stored. Raises NotFound."""
        live = self._runner.live(turn_id)
        if live is not None:
            return live.log

        def work(connection: Connection) -> tuple[str, list[Entry]]:
            row = store.turn(connection, turn_id)
            if row is None:
                raise unknown_turn(turn_id)
            return row.session_id, store.entries(connection, turn_id)

        session_id, entries = await self._db.read(work)
        return TurnLog.restored(self._db, turn_id, session_id, entries)

    async def row(self, turn_id: str) -> Row[Any]:
        """A turn, whoever's it is. Raises NotFound."""
        row = await self._db.read(lambda connection: store.turn(connection, turn_id))
        if row is None:
            raise unknown_turn(turn_id)
        return row

    async def recover(self, hold: Hold) -> None:
        """After a start: run the turns that never began, wait on where one waited for a person, close what was cut off.

        ``hold`` returns when such a person has answered.
        """
        for row in await self._db.read(_unfinished):
            log = await self.log_of(row.id)
            taken_up = bool(row.state == "queued" or log.prompts) and await self._take_up(row, log, hold)
            if not taken_up:
                await self._close(row, log)

    async def _attached(self, user: AppUser, file_ids: list[str]) -> list[attachments.Found]:
        if not file_ids:
            return []
        return await self._db.read(lambda connection: attachments.find(connection, user.id, file_ids))

    async def _write(self, work: Callable[[Connection], T]) -> T:
        """Write rows of an app. Raises NotFound when it was deleted since it was looked up."""
        try:
            return await self._db.write(work)
        except IntegrityError as error:
            raise NotFound("the app was deleted", code="app_not_found") from error

    async def _accept(self, new: store.NewTurn, version: VersionRef, user: AppUser) -> TurnLog:
        turn_id, session_id, found = await self._write(lambda connection: self._begin(connection, new, version))
        if found is None:
            return await self.log_of(turn_id)
        log = TurnLog.restored(self._db, turn_id, session_id, [Entry(1, "started", _started(new, session_id))])
        self._runner.start(LiveTurn(turn_id, version, user, new.text, log, new.attachments), found)
        return log

    def _begin(
        self, connection: Connection, new: store.NewTurn, version: VersionRef
    ) -> tuple[str, str, Surroundings | None]:
        """Store a turn; without surroundings it is one that an earlier try has stored."""
        if new.idempotency_key is not None:
            known = store.turn_by_key(connection, new.app_user_id, new.idempotency_key)
            if known is not None:
                _check_same(known, new)
                return known.id, known.session_id, None
        if new.session_id is None:
            session_id = store.add_session(connection, new)
            found = first_surroundings(connection, self._integrations, version, new, session_id)
        else:
            session_id = new.session_id
            found = surroundings(connection, self._integrations, version, new.app_user_id, session_id, new.id)
        attachments.use(connection, new.app_user_id, new.attachments)
        store.add_turn(connection, new, session_id, _started(new, session_id))
        return new.id, session_id, found

    async def _take_up(self, row: Row[Any], log: TurnLog, hold: Hold) -> bool:
        """Go on with a turn; False when its version is gone."""
        try:
            version = await self._apps.version(row.app_id, row.version)
        except NotFound:
            return False
        user = await self._db.read(lambda connection: user_of(connection, row.app_user_id))
        live = LiveTurn(row.id, version, user, row.text, log, attachments.read(row.attachments))
        if log.prompts:
            live.hold = hold
        elif not self._runner.is_busy(row.session_id):
            await log.add_durably([], in_state(row.id, "running"))
        self._runner.start(live, None)
        return True

    async def _close(self, row: Row[Any], log: TurnLog) -> None:
        await log.add([PromptClosed(prompt_id, "cancelled") for prompt_id in log.prompts])
        final = Error(
            "gateway_restarted",
            "The gateway was restarted while it answered. Please send the message again.",
            row.id,
        )

        def also(connection: Connection) -> None:
            store.set_turn_state(connection, row.id, "failed")
            store.close_prompts(connection, row.id)

        await log.close(final, also)


def shown(row: Row[Any], live: LiveTurn | None) -> Turn:
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
        prompt=next(iter(live.log.prompts.values()), None) if live else None,
    )


def _unfinished(connection: Connection) -> list[Row[Any]]:
    rows = (store.turn(connection, turn_id) for turn_id in store.unfinished(connection))
    return [row for row in rows if row is not None]


def _check(request: ChatRequest, key: str | None) -> None:
    attachments.check(request.attachments)
    if not request.text.strip() and not request.attachments:
        raise InvalidRequest("the message is empty", code="empty_message", hint="Say something.")
    if "\0" in request.text:
        raise InvalidRequest("the message has a NUL character", code="invalid_message")
    if len(request.text.encode(errors="surrogatepass")) > MAX_TEXT_BYTES:
        raise TooLarge(
            f"the message is over {MAX_TEXT_BYTES // 1024} KiB",
            code="message_too_large",
            hint="Put long material into a file, and attach it: capsule chat APP --attach FILE",
        )
    if key is not None and not (1 <= len(key) <= 255 and key.isprintable()):
        raise InvalidRequest("the Idempotency-Key must have 1 to 255 printable characters")


def _check_same(known: Row[Any], new: store.NewTurn) -> None:
    if bytes(known.fingerprint) != new.fingerprint:
        raise InvalidRequest(
            "this Idempotency-Key was used for another message",
            code="idempotency_key_reused",
            hint="Use a new key for each message.",
        )


def _started(new: store.NewTurn, session_id: str) -> bytes:
    return encode(Started(new.id, session_id, new.version))


def unknown_turn(turn_id: str) -> NotFound:
    """The error for a turn that is not there, and for one of somebody else."""
    return NotFound(f"no turn {turn_id[:80]!r} of yours", code="turn_not_found")
