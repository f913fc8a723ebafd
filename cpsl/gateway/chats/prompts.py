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
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.chats import store
from cpsl.gateway.chats.running import LiveTurn, Runner
from cpsl.gateway.db.database import Database
from cpsl.gateway.files.service import FileSystems, UserFiles
from cpsl.gateway.integrations.oauth import Grant
from cpsl.gateway.integrations.service import Integrations, declared, fields_of, grant_from
from cpsl.gateway.integrations.tokens import Tokens
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
        tokens: Tokens,
        filesystems: FileSystems,
        user_files: UserFiles,
        settings: Settings,
    ) -> None:
        self._db = db
        self._runner = runner
        self._integrations = integrations
        self._tokens = tokens
        self._filesystems = filesystems
        self._user_files = user_files
        self._settings = settings
        self._waiting: dict[str, asyncio.Future[PromptResult]] = {}

    async def ask(self, live: LiveTurn, question: OpenPrompt) -> PromptResult:
        """Ask the turn's user and wait. An integration that is connected already is answered at once."""
        if live.hold is not None and (known := await self._asked_before(live, question)):
            return known
        if question.kind != "file" and (known := await self._connected(live, question)):
            return known
        prompt = self._prompt(live, question)
        answered = self._expect(live, prompt.prompt_id)
        live.prompts_repeated.add(prompt.prompt_id)
        live.prompts_asked += 1
        position = live.prompts_asked
        await live.log.add_durably([prompt], lambda c: store.add_prompt(c, live.id, prompt, question.path, position))
        if question.kind != "file" and (known := await self._connected(live, question)):  # while it was being asked
            await self._close(live, prompt.prompt_id, known)
        return await self._outcome(live, prompt, answered)

    async def hold(self, live: LiveTurn) -> None:
        """Return when a prompt of a turn that waited when the gateway ended has an outcome."""
        rows = await self._db.read(lambda connection: store.prompts_of(connection, live.id))
        live.prompts_asked = len(rows)
        untold = [row for row in rows if row.outcome is not None and row.id in live.log.prompts]
        if untold:
            return await live.log.add_durably([PromptClosed(row.id, row.outcome) for row in untold])
        waits = [
            asyncio.ensure_future(self._outcome(live, prompt, self._expect(live, prompt_id), until_turn_ends=False))
            for prompt_id, prompt in live.log.prompts.items()
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _expect(self, live: LiveTurn, prompt_id: str) -> asyncio.Future[PromptResult]:
        """Where the result of a prompt arrives, as long as its turn runs."""
        answered = self._waiting.setdefault(prompt_id, asyncio.get_running_loop().create_future())
        if live.task is not None:
            live.task.add_done_callback(lambda _: self._waiting.pop(prompt_id, None))
        return answered

    async def _asked_before(self, live: LiveTurn, question: OpenPrompt) -> PromptResult | None:
        """The result of the prompt that this question was when the handler ran for the first time, if it was one."""
        rows = await self._db.read(lambda connection: store.prompts_of(connection, live.id))
        new = (row for row in rows if row.id not in live.prompts_repeated)
        row = next((row for row in new if _is_asked_by(row, question)), None)
        if row is None:
            return None
        live.prompts_repeated.add(row.id)
        if row.outcome is None:
            return await self._outcome(live, msgspec.convert(row.event, Prompt), self._expect(live, row.id))
        return await self._db.read(lambda connection: self._result(connection, live, row))

    def _result(self, connection: Connection, live: LiveTurn, row: Row[Any]) -> PromptResult:
        """What a prompt of this turn brought; of an integration what it gives now, if it is still connected."""
        if row.result is None:
            return PromptResult(row.outcome)
        plain = self._integrations.open(connection, live.version, bytes(row.result), _context(live.id, row.id))
        result = msgspec.json.decode(plain, type=PromptResult)
        if result.credentials is not None:
            connected = self._integrations.of_user(connection, live.version, live.owner_id)
            result.credentials = connected.get(row.event["integration"], result.credentials)
        return result

    async def _outcome(
        self,
        live: LiveTurn,
        prompt: Prompt,
        answered: asyncio.Future[PromptResult],
        *,
        until_turn_ends: bool = True,
    ) -> PromptResult:
        """Wait for the answer until the prompt expires or its turn ends."""
        ends: set[asyncio.Future[Any]] = {answered, *([live.task] if live.task and until_turn_ends else [])}
        timeout = max(0.0, prompt.expires_at - time.time())
        await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
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
        grant = grant_from(event.fields, answer.fields)
        await self.connected(live.version, live.owner_id, event.integration, grant, prompt_id)
        return PromptState(prompt_id, "answered")

    async def connected(
        self, version: VersionRef, app_user_id: str, integration: str, grant: Grant, prompt_id: str | None = None
    ) -> None:
        """Keep what a user has connected, and answer all prompts of theirs that wait for it.

        With a ``prompt_id`` only if that one waits still: else raises Conflict, and nothing is kept.
        """
        lives = self._runner.of_user(app_user_id)
        waiting = [(live, each) for live in lives for each in _asking_for(live, integration)]
        result = PromptResult("answered", grant.credentials)

        def work(connection: Connection) -> list[tuple[LiveTurn, str]]:
            self._integrations.connect(connection, version, app_user_id, integration, grant)
            closed = [(live, each) for live, each in waiting if self._put(connection, live, each, result)]
            if prompt_id is not None and prompt_id not in [each for _, each in closed]:
                raise _closed_already()
            return closed

        for live, each in await self._db.write(work):
            await self._tell(live, each, result)

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

    async def _connected(self, live: LiveTurn, question: OpenPrompt) -> PromptResult | None:
        known = await self._tokens.get(live.version, live.owner_id, question.integration, refused=question.refused)
        return PromptResult("answered", known) if known else None

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

    async def _close_or_refuse(self, live: LiveTurn, prompt_id: str, result: PromptResult) -> PromptState:
        if not await self._close(live, prompt_id, result):
            raise _closed_already()
        file = msgspec.to_builtins(result.file) if result.file else {}
        return PromptState(prompt_id, result.outcome, file)

    async def _close(self, live: LiveTurn, prompt_id: str, result: PromptResult) -> bool:
        """Give a prompt its outcome, once."""
        if not await self._db.write(lambda connection: self._put(connection, live, prompt_id, result)):
            return False
        await self._tell(live, prompt_id, result)
        return True

    def _put(self, connection: Connection, live: LiveTurn, prompt_id: str, result: PromptResult) -> bool:
        plain, context = msgspec.json.encode(result), _context(live.id, prompt_id)
        sealed = self._integrations.seal(connection, live.version, plain, context)
        return store.close_prompt(connection, prompt_id, result.outcome, sealed)

    async def _tell(self, live: LiveTurn, prompt_id: str, result: PromptResult) -> None:
        await live.log.add_durably([PromptClosed(prompt_id, result.outcome)])
        waiting = self._waiting.get(prompt_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(result)

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
            return await self._user_files.keep(live.owner_id, source, name, content_type)
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


def _asking_for(live: LiveTurn, integration: str) -> list[str]:
    """The prompts of a turn that wait for an integration."""
    return [prompt_id for prompt_id, prompt in live.log.prompts.items() if prompt.integration == integration]


def _is_asked_by(row: Row[Any], question: OpenPrompt) -> bool:
    """Whether a stored prompt is what this question asks for."""
    event = msgspec.convert(row.event, Prompt)
    if question.kind != "file" or event.kind != "file":
        return event.integration == question.integration != ""
    return (event.accept, row.path) == (question.accept, question.path)


def _context(turn_id: str, prompt_id: str) -> str:
    return f"prompt/{turn_id}/{prompt_id}"


def _closed_already() -> Conflict:
    return Conflict("this prompt was answered already", code="prompt_closed")


def _closed(row: Row[object]) -> Conflict:
    outcome = row.outcome or "cancelled"
    return Conflict(f"this prompt was closed already ({outcome})", code="prompt_closed")
