"""``Gateway``: an app under test, and everything that a test does to it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Coroutine, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from cpsl.app import host as hosts
from cpsl.app import secret
from cpsl.app.app import App
from cpsl.client import AsyncClient, Client
from cpsl.errors import Conflict, DeployFailed, InvalidRequest, NotFound
from cpsl.testing.host import URL, Host
from cpsl.testing.routes import Api
from cpsl.testing.transport import Transport
from cpsl.wire import frames
from cpsl.wire.integrations import Credentials

T = TypeVar("T")
TOKEN = "cps_test"


class Gateway:
    """Runs ``app`` in this process while it is open: ``with Gateway(app) as gateway: …``. One at a time.

    ``secrets`` are the workspace's: those that the app declares are in the environment while it is open, the others
    are what ``Secret.value`` finds. The app's ``boot`` hook runs at the beginning, ``shutdown`` at the end.

    Raises NotFound (``missing_resources``) for a declared secret that is not given, DeployFailed when ``boot`` fails,
    Conflict while another one is open.
    """

    def __init__(self, app: App, *, secrets: Mapping[str, str] | None = None) -> None:
        self.app = app
        self._secrets = dict(secrets or {})
        self._before: dict[str, str | None] = {}
        self._host: Host | None = None

    # --- its life -------------------------------------------------------------------------------------------------

    def open(self) -> Self:
        """Begin; ``with`` does it."""
        missing = [name for name in self.app.secrets if name not in self._secrets]
        if missing:
            hint = f"Give them: Gateway(app, secrets={{{missing[0]!r}: …}})"
            raise NotFound(f"{self.app.name} needs {', '.join(missing)}", code="missing_resources", hint=hint)
        if hosts.connected() is not None:
            raise Conflict("another app runs in this process", code="already_running", hint="Close its gateway first.")
        self._loop = asyncio.new_event_loop()
        self._folders = TemporaryDirectory(prefix="capsule-test-", ignore_cleanup_errors=True)
        self._thread = threading.Thread(target=self._loop.run_forever, name="capsule-test", daemon=True)
        self._thread.start()
        self._set_environment()
        self._host = self._on_loop(self._made())
        hosts.use(self._host)
        broken = self._on_loop(self._host.worker.boot())
        if broken is not None:
            self.close()
            raise DeployFailed(broken.message, code=broken.code, hint=broken.hint, traceback=broken.traceback)
        return self

    def close(self) -> None:
        """Stop what runs, run the ``shutdown`` hook, forget everything. Closing twice is closing once."""
        if self._host is None:
            return
        host, self._host = self._host, None
        self._on_loop(_stopped(host))
        hosts.use(None)
        secret.forget_values()
        self._restore_environment()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folders.cleanup()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    # --- who talks to it ------------------------------------------------------------------------------------------

    def client(self) -> Client:
        """A client of it, as ``cpsl.Client`` is one of a real gateway."""
        return Client(TOKEN, URL, http_client=httpx.Client(transport=self.transport()))

    def async_client(self) -> AsyncClient:
        """The same for asyncio."""
        http = httpx.AsyncClient(transport=self.transport())
        return AsyncClient(TOKEN, URL, http_client=http)

    def transport(self) -> Transport:
        """For an ``httpx`` client of your own, which takes it as ``transport=``."""
        return Transport(self._loop, Api(self._running()))

    # --- what a test says and sees --------------------------------------------------------------------------------

    def answer(self, integration: str, *, token: str = "", fields: Mapping[str, str] | None = None) -> None:
        """Connect an integration: by the prompt that waits for it, or else by the next one.

        ``token`` is what OAuth would give, ``fields`` the values of a form.
        """
        kind = "fields" if fields else "Bearer"
        self._give(integration, frames.PromptResult("answered", Credentials(token, kind, fields=dict(fields or {}))))

    def decline(self, prompt: str) -> None:
        """Say no to an integration, or to a ``"file"``: to the prompt that waits, or else to the next one."""
        self._give(prompt, frames.PromptResult("declined"))

    def give_file(self, name: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Upload a file to the prompt that waits for one, or else to the next."""
        kept = self._running().keep(name, content_type, content)
        stored = frames.StoredFile(kept.id, kept.name, content_type, kept.size)
        self._give("file", frames.PromptResult("answered", file=stored))

    def documents(self, collection: str, session_id: str = "") -> list[dict[str, Any]]:
        """What a collection holds, as it is kept: to look at, and to fill before the app runs."""
        return self._running().documents.shelf(collection, session_id)

    def folder(self, filesystem: str) -> Path:
        """The folder that stands for a filesystem of the app, by its name: files that a prompt asks for lie there.

        The mount path itself is not there on the machine that runs the test.
        """
        return self._folder(filesystem)

    @property
    def failures(self) -> list[str]:
        """The tracebacks of what failed in the app so far. They are logged, too."""
        return self._running().failures

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _made(self) -> Host:
        folders = {each.name: self._folder(each.name) for each in self.app.filesystems.values()}
        return Host(self.app, self._secrets, folders)

    def _folder(self, name: str) -> Path:
        path = Path(self._folders.name) / name
        path.mkdir(exist_ok=True)
        return path

    def _running(self) -> Host:
        if self._host is None:
            raise InvalidRequest("this gateway is closed", code="gateway_closed", hint="Stay in its 'with' block.")
        return self._host

    def _give(self, name: str, result: frames.PromptResult) -> None:
        host = self._running()

        async def give() -> None:
            for turn in host.store.turns.values():
                for prompt_id, (prompt, _) in list(turn.prompts.items()):
                    if name == (prompt.integration or "file"):
                        return host.resolve(turn, prompt_id, result)
            host.prepared.setdefault(name, deque()).append(result)

        self._on_loop(give())

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _set_environment(self) -> None:
        for name in self.app.secrets:
            self._before[name] = os.environ.get(name)
            os.environ[name] = self._secrets[name]

    def _restore_environment(self) -> None:
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


async def _stopped(host: Host) -> None:
    host.worker.handle(frames.Stop())
    await host.worker.stopped.wait()
