"""The host of an app under test: takes what its worker says, and answers what the app asks."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cpsl.app.app import App
from cpsl.errors import InvalidRequest, NotFound
from cpsl.runtime.worker import Worker
from cpsl.testing import acting
from cpsl.testing.documents import Documents
from cpsl.testing.secrets import Secrets
from cpsl.testing.turns import File, Store, Turn
from cpsl.wire import events, frames
from cpsl.wire.ids import new_id
from cpsl.wire.integrations import form_fields
from cpsl.wire.names import file_name, numbered_name
from cpsl.wire.turns import Attachment

URL = "https://capsule.test"
YOU = "you@capsule.test"
MAX_PROMPT_FILE_BYTES = 512 * 1024**2
log = logging.getLogger("cpsl.testing")


@dataclass
class Person:
    """A user of the apps: what runs for them, by app, and the answers that prompts will get, by what they ask for."""

    user: frames.AppUser
    hosts: dict[str, Host] = field(default_factory=dict)
    prepared: dict[str, deque[Callable[[Host], frames.PromptResult]]] = field(default_factory=dict)

    def host_of(self, turn_id: str) -> Host:
        """What runs a turn. Raises NotFound."""
        found = [host for host in self.hosts.values() if turn_id in host.store.turns]
        if found:
            return found[0]
        raise NotFound(f"no turn {turn_id[:80]!r} of yours", code="turn_not_found")

    def waiting(self, name: str) -> tuple[Host, Turn, str] | None:
        """The prompt that waits for an integration or a ``"file"``."""
        for host in self.hosts.values():
            for turn in host.store.turns.values():
                for prompt_id, (prompt, _) in turn.prompts.items():
                    if name == (prompt.integration or "file"):
                        return host, turn, prompt_id
        return None


class Host:
    """Everything around one worker, on ``loop``: of one app, for one person."""

    app_url: str

    def __init__(
        self, app: App, person: Person, shared: Documents, secrets: Secrets, folder: Callable[[str], Path]
    ) -> None:
        self.app, self.app_url = app, f"{URL}/a/{app.name}"
        self.person = person
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.store = Store()
        self.documents = shared
        self.failures: list[str] = []
        self._worker = Worker(app, person.user, self, self, self)
        self._secrets, self._folder = secrets, folder
        self._lock = threading.RLock()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def file_url(self, file_id: str) -> str:
        """Where the client finds a file."""
        return f"{URL}/api/v1/app/{self.app.name}/files/{file_id}"

    # --- what the gateway asks of the worker ----------------------------------------------------------------------

    async def boot(self) -> frames.Broken | None:
        """Run the boot hook; what to say when it fails."""
        return await self.loop.create_task(self._worker.boot(), context=acting.context_of(self))

    async def stop(self) -> None:
        """End what runs, and run the shutdown hook."""
        self.tell(frames.Stop())
        await self._worker.stopped.wait()

    def tell(self, frame: frames.ToRuntime) -> None:
        """Hand a frame to the worker: whatever code of the app runs because of it knows for whom it runs."""
        acting.context_of(self).run(self._worker.handle, frame)

    def start(self, turn: Turn) -> None:
        """Run a turn, after those before it in its conversation."""
        self.store.turns[turn.id] = turn
        task = self.loop.create_task(self._run(turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def data(self, name: str, params: dict[str, str]) -> frames.DataResponse:
        """Ask a data handler."""
        answer: frames.DataResponse = await self._ask_worker(
            lambda number: frames.DataRequest(number, name, params, dict(self.store.connected))
        )
        return answer

    async def end_talk(self, session_id: str) -> None:
        """Run the exit hook of a conversation."""
        state = self.store.talk(session_id).begin()
        await self._ask_worker(lambda number: frames.CloseSession(number, state))

    def resolve(self, turn: Turn, prompt_id: str, result: frames.PromptResult) -> None:
        """Close a prompt; what was connected by it stays connected."""
        prompt, _ = turn.prompts[prompt_id]
        if result.credentials is not None:
            self.store.connected[prompt.integration] = result.credentials
        turn.resolve(prompt_id, result)

    async def _run(self, turn: Turn) -> None:
        async with turn.talk.busy:
            state = turn.talk.begin()
            turn.talk.messages.append(turn.asked())
            connected = dict(self.store.connected)
            self.tell(frames.StartTurn(turn.id, state, turn.text, connected, turn.attached))
            ended: frames.TurnEnded = await turn.ended
            if ended.data is not None:
                turn.talk.data = ended.data
            if ended.failure is not None and ended.failure.traceback:
                self.error(ended.failure.message, ended.failure.traceback)
            turn.close(ended.failure)

    async def _ask_worker(self, question: Any) -> Any:
        number = len(self._answers) + 1
        self._answers[number] = self.loop.create_future()
        self.tell(question(number))
        return await self._answers[number]

    # --- what the worker says -------------------------------------------------------------------------------------

    def send(self, frame: frames.ToGateway, /) -> None:
        """Take a frame of the worker."""
        match frame:
            case frames.TurnEnded():
                self.store.turns[frame.request_id].ended.set_result(frame)
            case frames.DataResponse() | frames.SessionClosed():
                self._answers[frame.call_id].set_result(frame)

    def finish(self, request_id: str = "", session_id: str = "") -> None:
        """What the app prints goes where the tests' own output goes."""

    def error(self, message: str, traceback: str, request_id: str = "", session_id: str = "") -> None:
        """Keep a failure, and log it, so that the test's report shows it."""
        self.failures.append(traceback or message)
        log.error("%s\n%s", message, traceback)

    # --- what the app asks ----------------------------------------------------------------------------------------

    def emit(self, request_id: str, event: events.AppEvent) -> None:
        """Take an event of a turn, from whichever thread."""
        turn = self.store.turns[request_id]
        if threading.get_ident() == self._thread:
            turn.add(event)
        else:
            self.loop.call_soon_threadsafe(turn.add, event)

    async def drained(self) -> None:
        """Let those who watch see it."""
        await asyncio.sleep(0)

    async def ask(self, question: frames.Question) -> Any:
        """Answer a question of the app."""
        if not isinstance(question, frames.OpenPrompt):
            return self.ask_blocking(question)
        asking = asyncio.run_coroutine_threadsafe(self._prompt(question), self.loop)
        return msgspec.to_builtins(await asyncio.wrap_future(asking))

    def ask_blocking(self, question: frames.Question) -> Any:
        """Answer a question of the app at once."""
        with self._lock:
            match question:
                case frames.GetSecret():
                    return self._secrets.value(question.name)
                case frames.ReadFile():
                    content = self.store.file(question.file_id).content
                    return content[question.offset : question.offset + question.length]
                case frames.StoreFile():
                    return self.file_url(self.keep(question.name, question.content_type, question.data).id)
                case frames.OpenPrompt():
                    raise InvalidRequest("a prompt has to be awaited")
            return self.documents.answer(question, str(self.person.user.email))

    def keep(self, name: str, content_type: str, content: bytes) -> Attachment:
        """Keep a file for the user."""
        file = File(file_name(name), content_type, content)
        self.store.files[file.id] = file
        return Attachment(file.id, file.name, content_type, len(content), self.file_url(file.id))

    async def _prompt(self, question: frames.OpenPrompt) -> frames.PromptResult:
        name = question.integration or "file"
        if self.person.prepared.get(name):
            result = self.person.prepared[name].popleft()(self)
            if result.credentials is not None:
                self.store.connected[name] = result.credentials
        else:
            result = await self._wait(self.store.turn(question.request_id), question)
        return self._placed(result, question.path)

    async def _wait(self, turn: Turn, question: frames.OpenPrompt) -> frames.PromptResult:
        prompt = self._shown(question)
        answered = turn.ask(prompt)
        try:
            return await asyncio.wait_for(asyncio.shield(answered), question.timeout)
        except TimeoutError:
            turn.resolve(prompt.prompt_id, frames.PromptResult("expired"))
            return answered.result()

    def _shown(self, question: frames.OpenPrompt) -> events.Prompt:
        declared = self.app.integrations.get(question.integration)
        is_form, is_file = question.kind == "form", question.kind == "file"
        return events.Prompt(
            new_id("prm"),
            question.kind,
            question.message,
            time.time() + question.timeout,
            link="" if is_form or is_file else f"{self.app_url}/connect/{question.integration}",
            integration=question.integration,
            scopes=list(declared.scopes) if declared else [],
            fields=form_fields(question.integration, list(declared.fields)) if declared and is_form else [],
            accept=question.accept,
            max_bytes=MAX_PROMPT_FILE_BYTES if is_file else 0,
        )

    def _placed(self, result: frames.PromptResult, path: str) -> frames.PromptResult:
        """The file of a prompt lies in the filesystem that the app asked for it in."""
        mounts = [each for each in self.app.filesystems if path == each or path.startswith(f"{each}/")]
        if result.file is None or not mounts:
            return result
        mount = max(mounts, key=len)
        folder = self._folder(self.app.filesystems[mount].name) / path[len(mount) :].strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        names = (numbered_name(result.file.name, attempt) for attempt in range(10_000))
        target = next(folder / name for name in names if not (folder / name).exists())
        target.write_bytes(self.store.file(result.file.file_id).content)
        return frames.PromptResult("answered", file=msgspec.structs.replace(result.file, path=str(target)))
