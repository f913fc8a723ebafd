"""``Gateway``: an app under test, and everything that a test does to it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from cpsl.app import host as hosts
from cpsl.app.app import App
from cpsl.client import AsyncClient, Client
from cpsl.errors import Conflict, DeployFailed, InvalidRequest
from cpsl.testing.acting import Acting
from cpsl.testing.documents import Documents
from cpsl.testing.files import FileSystems
from cpsl.testing.host import URL, YOU, Host, Person
from cpsl.testing.routes import Api
from cpsl.testing.secrets import Secrets
from cpsl.testing.transport import Transport
from cpsl.wire import frames
from cpsl.wire.integrations import Credentials

T = TypeVar("T")
TOKEN = "cps_test"


class Gateway:
    """Runs apps in this process while it is open: ``with Gateway(app) as gateway: …``. One at a time.

    ``secrets`` are the workspace's: those that an app declares are in the environment while it is open, the others
    are what ``Secret.value`` finds. An app's ``boot`` hook runs at the beginning, and when another user begins;
    ``shutdown`` runs at the end.

    Raises NotFound (``missing_resources``) for a declared secret that is not given, DeployFailed when ``boot`` fails,
    Conflict while another one is open.
    """

    def __init__(self, app: App, *others: App, secrets: Mapping[str, str] | None = None) -> None:
        self.app = app
        self._apps = {each.name: each for each in (app, *others)}
        self._given = dict(secrets or {})
        self._people: dict[str, Person] = {}
        self._is_open = False

    # --- its life -------------------------------------------------------------------------------------------------

    def open(self) -> Self:
        """Begin; ``with`` does it."""
        self._secrets = Secrets(self._given, self._apps.values())
        if hosts.connected() is not None:
            raise Conflict("another app runs in this process", code="already_running", hint="Close its gateway first.")
        self._secrets.enter()
        self._folders = TemporaryDirectory(prefix="capsule-test-", ignore_cleanup_errors=True)
        self._filesystems = FileSystems(Path(self._folders.name), self._apps.values())
        self._documents = {
            name: Documents({each: ref.scope for each, ref in app.collections.items()})
            for name, app in self._apps.items()
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="capsule-test", daemon=True)
        self._thread.start()
        self._is_open = True
        try:
            self._person(YOU)
        except DeployFailed:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop what runs, run the ``shutdown`` hooks, forget everything. Closing twice is closing once."""
        if not self._is_open:
            return
        self._is_open = False
        for person in self._people.values():
            self._on_loop(_stopped(person))
        self._people = {}
        hosts.use(None)
        self._secrets.leave()
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

    def client(self, user: str = YOU) -> Client:
        """A client of it, as ``cpsl.Client`` is one of a real gateway. ``user`` is an email: each has their own chats.

        Raises DeployFailed when the ``boot`` hook fails, which runs for each user.
        """
        return Client(TOKEN, URL, http_client=httpx.Client(transport=self.transport(user)))

    def async_client(self, user: str = YOU) -> AsyncClient:
        """The same for asyncio."""
        http = httpx.AsyncClient(transport=self.transport(user))
        return AsyncClient(TOKEN, URL, http_client=http)

    def transport(self, user: str = YOU) -> Transport:
        """For an ``httpx`` client of your own, which takes it as ``transport=``."""
        return Transport(self._loop, Api(self._person(user), self._secrets, self._filesystems))

    # --- what a test says and sees --------------------------------------------------------------------------------

    def answer(
        self, integration: str, *, token: str = "", fields: Mapping[str, str] | None = None, user: str = YOU
    ) -> None:
        """Connect an integration: by the prompt that waits for it, or else by the next one.

        ``token`` is what OAuth would give, ``fields`` the values of a form.
        """
        kind = "fields" if fields else "Bearer"
        credentials = Credentials(token, kind, fields=dict(fields or {}))
        self._give(user, integration, lambda host: frames.PromptResult("answered", credentials))

    def decline(self, prompt: str, *, user: str = YOU) -> None:
        """Say no to an integration, or to a ``"file"``: to the prompt that waits, or else to the next one."""
        self._give(user, prompt, lambda host: frames.PromptResult("declined"))

    def give_file(
        self, name: str, content: bytes, content_type: str = "application/octet-stream", *, user: str = YOU
    ) -> None:
        """Upload a file to the prompt that waits for one, or else to the next."""

        def given(host: Host) -> frames.PromptResult:
            kept = host.keep(name, content_type, content)
            return frames.PromptResult("answered", file=frames.StoredFile(kept.id, kept.name, content_type, kept.size))

        self._give(user, "file", given)

    def documents(
        self, collection: str, session_id: str = "", *, user: str = YOU, app: str = ""
    ) -> list[dict[str, Any]]:
        """What a collection holds, as it is kept: to look at, and to fill before the app runs.

        ``app`` names one of several; ``session_id`` and ``user`` count for collections of such a scope.
        """
        self._check_open()
        return self._documents[app or self.app.name].shelf(collection, session_id, user)

    def folder(self, filesystem: str) -> Path:
        """The folder that stands for a filesystem, by its name: files that a prompt asks for lie there.

        The mount path itself is not there on the machine that runs the test.
        """
        self._check_open()
        return self._filesystems.folder(filesystem)

    @property
    def failures(self) -> list[str]:
        """The tracebacks of what failed in the apps so far. They are logged, too."""
        self._check_open()
        return [each for person in self._people.values() for host in person.hosts.values() for each in host.failures]

    # --- inside ---------------------------------------------------------------------------------------------------

    def _person(self, email: str) -> Person:
        self._check_open()
        if email not in self._people:
            person = Person(frames.AppUser(f"usr_test{len(self._people) or ''}", email))
            try:
                self._on_loop(self._booted(person))
            except DeployFailed:
                self._on_loop(_stopped(person))
                raise
            self._people[email] = person
        return self._people[email]

    async def _booted(self, person: Person) -> None:
        for name, app in self._apps.items():
            host = Host(app, person, self._documents[name], self._secrets, self._filesystems.folder)
            if hosts.connected() is None:
                hosts.use(Acting(host))
            if (broken := await host.boot()) is not None:
                raise DeployFailed(broken.message, code=broken.code, hint=broken.hint, traceback=broken.traceback)
            person.hosts[name] = host

    def _check_open(self) -> None:
        if not self._is_open:
            raise InvalidRequest("this gateway is closed", code="gateway_closed", hint="Stay in its 'with' block.")

    def _give(self, user: str, name: str, made: Callable[[Host], frames.PromptResult]) -> None:
        person = self._person(user)

        async def give() -> None:
            if (waiting := person.waiting(name)) is not None:
                host, turn, prompt_id = waiting
                return host.resolve(turn, prompt_id, made(host))
            person.prepared.setdefault(name, deque()).append(made)

        self._on_loop(give())

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _stopped(person: Person) -> None:
    for host in person.hosts.values():
        await host.stop()
