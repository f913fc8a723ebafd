"""The event log of one turn: numbered, stored, and only then shown.

Whoever watches reads the log from wherever they are; nothing is queued for them, so a slow reader costs nothing and a
lost connection loses nothing. Events that arrive while a commit is under way wait for the next one together, and
chunks that wait together become one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from cpsl.errors import CapsuleError, GatewayError
from cpsl.gateway.bell import Bell, wait_for
from cpsl.gateway.chats import store
from cpsl.gateway.chats.store import Entry
from cpsl.gateway.db.database import Database
from cpsl.gateway.http import sse
from cpsl.wire.events import FINAL, Chunk, Error, Event, Prompt, PromptClosed, Reply, decode, encode, type_of

log = logging.getLogger("cpsl.gateway.chats")
Also = Callable[[Connection], None]
MAX_LOG_BYTES = 64 * 1024 * 1024
_WAITING_BYTES = 1024 * 1024
_RETRY_SECONDS = 1.0


class TurnLog:
    """The log of one turn, being written or finished."""

    def __init__(self, db: Database, turn_id: str, session_id: str) -> None:
        self.turn_id = turn_id
        self.session_id = session_id
        self.replies: list[str] = []
        self.prompts: dict[str, Prompt] = {}
        self.final: Event | None = None
        self._db = db
        self._entries: list[Entry] = []
        self._size = 0
        self._open_reply: list[str] = []
        self._waiting: list[Event] = []
        self._waiting_also: list[Also] = []
        self._waiting_bytes = 0
        self._sealed = False
        self._flusher: asyncio.Task[None] | None = None
        self._changed = Bell()

    @classmethod
    def restored(cls, db: Database, turn_id: str, session_id: str, entries: Iterable[Entry]) -> TurnLog:
        """A log as the store has it."""
        restored = cls(db, turn_id, session_id)
        for entry in entries:
            event = decode(entry.data)
            restored._fold(event)
            restored._keep(entry, event)
        restored._sealed = restored.final is not None
        return restored

    @property
    def is_over_size(self) -> bool:
        """Whether the turn has said more than is kept of one turn."""
        return self._size > MAX_LOG_BYTES

    async def add(self, new: Iterable[Event], also: Also | None = None) -> None:
        """Append events; ``also`` runs in the transaction that stores them. A closed log takes nothing more.

        Returns at once, unless more than 1 MiB waits for the disk.
        """
        if self._sealed:
            return
        self._put(new, also)
        while self._waiting_bytes > _WAITING_BYTES:
            await wait_for(self._changed, timeout=_RETRY_SECONDS)

    async def add_durably(self, new: Iterable[Event], also: Also | None = None) -> None:
        """Append events and return once they are stored."""
        if not self._sealed:
            self._put(new, also)
            await self._stored()

    async def close(self, final: Event, also: Also | None = None) -> bool:
        """Append the last event and return once it is stored; False if the log had ended already."""
        if self._sealed:
            return False
        self._put([final], also)
        self._sealed = True
        await self._stored()
        return True

    async def leave(self) -> None:
        """Take nothing more and stay unfinished: the next gateway goes on. Returns once all so far is stored."""
        self._sealed = True
        await self._stored()

    def after(self, number: int) -> list[Entry]:
        """Stored events past a number. They are numbered from 1 without gaps."""
        return self._entries[max(number, 0) :]

    async def wait(self, closing: Bell, timeout: float) -> bool:
        """Wait for more, or for the gateway to close, for at most ``timeout`` seconds; tells whether that came."""
        return await wait_for(self._changed, closing, timeout=timeout)

    async def watch(self, after: int, closing: Bell, heartbeat: float) -> AsyncIterator[bytes]:
        """Server-sent events past ``after``, to the end of the log, or until the gateway closes."""
        while True:
            changed = self._changed
            if fresh := self.after(after):
                after = fresh[-1].number
                yield b"".join(sse.message(entry.kind, entry.data, entry.number) for entry in fresh)
            elif self.final is not None or closing.has_rung:
                return
            elif not await wait_for(changed, closing, timeout=heartbeat):
                yield sse.HEARTBEAT

    async def settled(self, closing: Bell) -> None:
        """Return when the log has ended or waits for a prompt. Raises GatewayError when the gateway closes first."""
        while self.final is None and not self.prompts:
            changed = self._changed
            if closing.has_rung:
                raise GatewayError(
                    "the gateway is stopping; the turn goes on",
                    code="gateway_stopping",
                    status=503,
                    hint="Send the same request with the same Idempotency-Key again.",
                )
            await wait_for(changed, closing, timeout=60.0)

    def _put(self, new: Iterable[Event], also: Also | None) -> None:
        for event in new:
            self._waiting.append(event)
            self._waiting_bytes += len(event.text) if isinstance(event, Chunk) else 100
        if also is not None:
            self._waiting_also.append(also)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())

    async def _stored(self) -> None:
        while self._flusher is not None:
            await asyncio.shield(self._flusher)

    async def _flush(self) -> None:
        try:
            # One more round of the loop: the end of a turn often comes right behind its last words, and one commit
            # does for both.
            await asyncio.sleep(0)
            while self._waiting or self._waiting_also:
                batch, also = self._waiting, self._waiting_also
                self._waiting, self._waiting_also, self._waiting_bytes = [], [], 0
                await self._commit(list(self._prepared(batch)), also)
        except IntegrityError:
            # The session was deleted while its turn ran: there is no place left for the log, and nobody to read it.
            self._abandon(Error("session_deleted", "the session was deleted", self.turn_id))
        except Exception:
            log.exception("turn %s cannot be stored", self.turn_id)
            await self._end_without_it()
        finally:
            self._flusher = None

    async def _end_without_it(self) -> None:
        """What was to be stored is nothing that a store takes: end the turn, also for those who look later."""
        final = Error("not_stored", "The gateway could not store this answer.", self.turn_id)
        entry = Entry(len(self._entries) + 1, type_of(final), encode(final))
        self._sealed = True

        def work(connection: Connection) -> None:
            store.add_entries(connection, self.turn_id, [entry])
            store.set_turn_state(connection, self.turn_id, "failed")

        try:
            await self._db.write(work)
        except (CapsuleError, SQLAlchemyError) as error:
            log.error("nor can the end of turn %s: %s", self.turn_id, error)
        else:
            self._keep(entry, final)
        self._abandon(final)

    def _abandon(self, final: Error) -> None:
        """End the log for those who watch, without the store."""
        self._sealed = True
        self._waiting, self._waiting_also, self._waiting_bytes = [], [], 0
        self.final = final
        self._notify()

    async def _commit(self, batch: list[Event], also: list[Also]) -> None:
        first = len(self._entries) + 1
        entries = [Entry(first + i, type_of(event), encode(event)) for i, event in enumerate(batch)]
        finished = [text for event in batch if (text := self._fold(event)) is not None]

        def work(connection: Connection) -> None:
            if entries:
                store.add_entries(connection, self.turn_id, entries)
            if finished:
                store.add_messages(connection, self.session_id, self.turn_id, "app", finished)
            for each in also:
                each(connection)

        await self._persist(work)
        for entry, event in zip(entries, batch, strict=True):
            self._keep(entry, event)
        self._notify()

    def _notify(self) -> None:
        self._changed.ring()
        self._changed = Bell()

    async def _persist(self, work: Also) -> None:
        # What the app said must not be lost to a full disk: it waits, and with it the app, until there is space.
        while True:
            try:
                await self._db.write(work)
            except GatewayError as error:
                log.error("turn %s waits for the store: %s", self.turn_id, error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    def _prepared(self, batch: list[Event]) -> Iterable[Event]:
        """The batch with neighbouring chunks joined, and an open reply closed before the log ends."""
        joined: list[str] = []
        is_open = bool(self._open_reply)
        replies = len(self.replies)
        for event in batch:
            if isinstance(event, Chunk) and not event.separator:
                joined.append(event.text)
                is_open = True
                continue
            if joined:
                yield Chunk("".join(joined))
                joined = []
            if isinstance(event, FINAL) and is_open:
                yield Reply(replies + 1)
            if isinstance(event, Reply):
                is_open, replies = False, replies + 1
            yield event
        if joined:
            yield Chunk("".join(joined))

    def _fold(self, event: Event) -> str | None:
        """Follow the answer; returns the text of a reply that the event finishes."""
        match event:
            case Chunk(separator=False):
                self._open_reply.append(event.text)
            case Reply():
                self.replies.append("".join(self._open_reply))
                self._open_reply = []
                return self.replies[-1]
        return None

    def _keep(self, entry: Entry, event: Event) -> None:
        self._entries.append(entry)
        self._size += len(entry.data)
        match event:
            case Prompt():
                self.prompts[event.prompt_id] = event
            case PromptClosed():
                self.prompts.pop(event.prompt_id, None)
            case _ if isinstance(event, FINAL):
                self.final = event
