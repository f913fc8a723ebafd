"""Prompts: a handler waits, a person answers, from wherever they are, once."""

from __future__ import annotations

import asyncio
import posixpath
import time
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from cpsl.errors import Conflict, InvalidRequest, NotFound, TooLarge
from cpsl.gateway.chats import store
from cpsl.gateway.chats.log import Also
from cpsl.gateway.chats.running import LiveTurn, Runner
from cpsl.gateway.db.database import Database
from cpsl.gateway.files.service import FileSystems, UserFiles
from cpsl.gateway.integrations.service import Integrations, credentials_from, declared, fields_of
from cpsl.gateway.settings import Settings
from cpsl.wire.apps import MountSpec
from cpsl.wire.events import Prompt, PromptClosed
from cpsl.wire.frames import OpenPrompt, PromptResult, StoredFile
from cpsl.wire.ids import new_id
from cpsl.wire.integrations import title
from cpsl.wire.names import file_name, numbered_name
from cpsl.wire.turns import PromptAnswer, PromptState

_LONGEST_WAIT = 30 * 24 * 3600.0
_LAST_MOMENT_SECONDS = 10.0


class Prompts:
    """The prompts of all turns."""

    def __init__(
        self,
        db: Database,
        runner: Runner,
        integrations: Integrations,
        filesystems: FileSystems,
        user_files: UserFiles,
        settings: Settings,
    ) -> None:
        self._db = db
        self._runner = runner
        self._integrations = integrations
        self._filesystems = filesystems
        self._user_files = user_files
        self._settings = settings
        self._waiting: dict[str, asyncio.Future[PromptResult]] = {}

    async def ask(self, live: LiveTurn, question: OpenPrompt) -> PromptResult:
        """Ask the turn's user and wait. An integration that is connected already is answered at once."""
        if question.kind != "file" and (known := await self._connected(live, question.integration)):
            return known
        prompt = self._prompt(live, question)
        answered: asyncio.Future[PromptResult] = asyncio.get_running_loop().create_future()
        self._waiting[prompt.prompt_id] = answered
        live.has_asked = True
        try:
            await live.log.add_durably([prompt], lambda c: store.add_prompt(c, live.id, prompt, question.path))
            return await self._outcome(live, prompt, answered)
        finally:
            self._waiting.pop(prompt.prompt_id, None)

    async def _outcome(self, live: LiveTurn, prompt: Prompt, answered: asyncio.Future[PromptResult]) -> PromptResult:
        """Wait for the answer until the prompt expires or its turn ends."""
        ends: set[asyncio.Future[Any]] = {answered, *([live.task] if live.task else [])}
        await asyncio.wait(ends, timeout=prompt.expires_at - time.time(), return_when=asyncio.FIRST_COMPLETED)
        expired = PromptResult("expired")
        if answered.done() or (live.task and live.task.done()):
            return answered.result() if answered.done() else PromptResult("cancelled")
        if await self._close(live, prompt.prompt_id, expired):
            return expired
        # Somebody answered at the last moment: the answer is stored, and about to be told.
        await asyncio.wait(ends, timeout=_LAST_MOMENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return answered.result() if answered.done() else expired

    async def answer(self, turn_id: str, prompt_id: str, answer: PromptAnswer) -> PromptState:
        """Fill in a form, or decline any prompt. Raises Conflict when it was answered already, InvalidRequest."""
        live, event, _ = await self._open(turn_id, prompt_id)
        if answer.declined:
            return await self._close_or_refuse(live, prompt_id, PromptResult("declined"))
        if event.kind != "form":
            raise InvalidRequest(
                f"this prompt takes no fields; it waits for: {event.kind}", code="invalid_prompt_answer"
            )
        credentials = credentials_from(event.fields, answer.fields)

        def connect(connection: Connection) -> None:
            user_id, workspace_id = live.user.id, live.version.workspace_id
            self._integrations.connect(connection, workspace_id, user_id, event.integration, credentials)

        return await self._close_or_refuse(live, prompt_id, PromptResult("answered", credentials), connect)

    async def answer_file(
        self, turn_id: str, prompt_id: str, source: Path, name: str, content_type: str
    ) -> PromptState:
        """Give the file that a prompt waits for. Raises Conflict, TooLarge, InvalidRequest (``file_not_accepted``)."""
        live, event, path = await self._open(turn_id, prompt_id)
        if event.kind != "file":
            raise InvalidRequest(f"this prompt takes no file; it waits for: {event.kind}", code="invalid_prompt_answer")
        clean = file_name(name)
        _check_file(event, clean, content_type, source.stat().st_size)
        stored = await self._store_file(live, path, source, clean, content_type)
        try:
            return await self._close_or_refuse(live, prompt_id, PromptResult("answered", file=stored))
        except Conflict:
            await self._take_back(live, stored)
            raise

    async def _connected(self, live: LiveTurn, integration: str) -> PromptResult | None:
        def work(connection: Connection) -> PromptResult | None:
            known = self._integrations.of_user(connection, live.version.workspace_id, live.user.id)
            return PromptResult("answered", known[integration]) if integration in known else None

        return await self._db.read(work)

    def _prompt(self, live: LiveTurn, question: OpenPrompt) -> Prompt:
        prompt = Prompt(
            prompt_id=new_id("prm"),
            kind="file",
            message=question.message,
            expires_at=time.time() + min(max(question.timeout, 0.0), _LONGEST_WAIT),
            accept=question.accept,
            max_bytes=self._settings.max_prompt_file_bytes,
        )
        if question.kind == "file":
            return prompt
        integration = declared(live.version.spec, question.integration)
        asked = msgspec.structs.replace(
            prompt,
            integration=integration.type,
            message=question.message or f"Connect {title(integration.type)} to go on",
            link=f"{self._settings.url}/connect/{live.id}/{prompt.prompt_id}",
            accept="",
            max_bytes=0,
        )
        if integration.mode == "form":
            return msgspec.structs.replace(asked, kind="form", fields=fields_of(integration))
        return msgspec.structs.replace(asked, kind="integration", scopes=integration.scopes)

    async def _open(self, turn_id: str, prompt_id: str) -> tuple[LiveTurn, Prompt, str]:
        row = await self._db.read(lambda connection: store.prompt(connection, turn_id, prompt_id))
        if row is None:
            raise NotFound(f"no prompt {prompt_id[:80]!r} in this turn", code="prompt_not_found")
        live = self._runner.live(turn_id)
        if row.outcome is not None or live is None:
            raise _closed(row)
        return live, msgspec.convert(row.event, Prompt), row.path

    async def _close_or_refuse(
        self, live: LiveTurn, prompt_id: str, result: PromptResult, also: Also | None = None
    ) -> PromptState:
        if not await self._close(live, prompt_id, result, also):
            raise Conflict("this prompt was answered already", code="prompt_closed")
        file = msgspec.to_builtins(result.file) if result.file else {}
        return PromptState(prompt_id, result.outcome, file)

    async def _close(self, live: LiveTurn, prompt_id: str, result: PromptResult, also: Also | None = None) -> bool:
        """Give a prompt its outcome, once; ``also`` runs in the same transaction."""

        def work(connection: Connection) -> bool:
            closed = store.close_prompt(connection, prompt_id, result.outcome)
            if closed and also is not None:
                also(connection)
            return closed

        if not await self._db.write(work):
            return False
        await live.log.add_durably([PromptClosed(prompt_id, result.outcome)])
        waiting = self._waiting.get(prompt_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(result)
        return True

    async def _take_back(self, live: LiveTurn, stored: StoredFile) -> None:
        """Remove a file that came too late."""
        if stored.file_id:
            return await self._user_files.discard([stored.file_id])
        if mount := _mount_of(live.version.spec.mounts, stored.path):
            inside = stored.path[len(mount.path) :]
            await self._filesystems.remove(live.version.workspace_id, mount.name, inside)
        return None

    async def _store_file(self, live: LiveTurn, path: str, source: Path, name: str, content_type: str) -> StoredFile:
        mount = _mount_of(live.version.spec.mounts, path)
        if mount is None:
            return await self._user_files.keep(live.user.id, source, name, content_type)
        size = source.stat().st_size
        inside = path[len(mount.path) :].rstrip("/")
        for attempt in range(1000):
            free = numbered_name(name, attempt)
            try:
                await self._filesystems.put(
                    live.version.workspace_id, mount.name, f"{inside}/{free}", source, overwrite=False
                )
            except Conflict:
                continue
            return StoredFile("", free, content_type, size, f"{path.rstrip('/')}/{free}")
        raise Conflict(f"there are a thousand files called {name} already", code="file_exists")


def _mount_of(mounts: list[MountSpec], path: str) -> MountSpec | None:
    """The mount that a path of the app lies in, the deepest one."""
    if not path or posixpath.normpath(path) != path.rstrip("/"):
        return None
    fitting = [mount for mount in mounts if path.rstrip("/") == mount.path or path.startswith(mount.path + "/")]
    return max(fitting, key=lambda mount: len(mount.path), default=None)


def _check_file(prompt: Prompt, name: str, content_type: str, size: int) -> None:
    if size > prompt.max_bytes:
        raise TooLarge(f"{name} is over the {prompt.max_bytes // 1024**2} MiB that are taken here")
    wanted = [each.strip().lower() for each in prompt.accept.split(",") if each.strip()]
    if wanted and not any(_accepts(each, name.lower(), content_type) for each in wanted):
        raise InvalidRequest(
            f"{name} is not of the kind that is asked for ({prompt.accept})",
            code="file_not_accepted",
            hint="Choose another file.",
        )


def _accepts(wanted: str, name: str, content_type: str) -> bool:
    """Whether one item of an ``accept`` list (as in HTML) takes a file: an extension, a type, or ``image/*``."""
    if wanted.startswith("."):
        return name.endswith(wanted)
    if wanted.endswith("/*"):
        return wanted == "*/*" or content_type.startswith(wanted[:-1])
    return content_type == wanted


def _closed(row: Row[object]) -> Conflict:
    outcome = row.outcome or "cancelled"
    return Conflict(f"this prompt was closed already ({outcome})", code="prompt_closed")
