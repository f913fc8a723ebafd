"""What a workspace owns, as attributes of ``AsyncClient``: ``await client.secrets.list()`` …

The source of ``nouns.py`` too: see ``tests/support/twins.py``.
"""

from __future__ import annotations

from builtins import list as _list
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from cpsl.client import calls, flows, streams, transfers
from cpsl.client.bodies import Progress
from cpsl.client.drivers import AsyncDriver
from cpsl.client.operations import Call, Readable, T
from cpsl.client.timeouts import Timeout
from cpsl.client.types import StreamChunk
from cpsl.wire import accounts, apps, integrations, resources, turns, users
from cpsl.wire.deployments import Deployment

if TYPE_CHECKING:
    from cpsl.client.deploying import DeployPlan

Content = bytes | Iterable[bytes] | AsyncIterable[bytes] | Readable
"""A body: whole, in pieces, or a binary file. All but the first are read as they are sent,
blocking ones in a thread."""


_sessions = attrgetter("sessions")
_users = attrgetter("users")


class _Noun:
    def __init__(self, driver: AsyncDriver, gateway: flows.Gateway) -> None:
        self._driver = driver
        self._gateway = gateway

    def __repr__(self) -> str:
        return f"{type(self).__name__}(gateway_url={self._gateway.url!r})"

    async def _ask(self, wanted: Call[T]) -> T:
        return await self._driver.run(flows.call(self._gateway, wanted))


class Secrets(_Noun):
    """The secrets of the workspace. Their values go in and never come out."""

    async def list(self) -> _list[resources.Secret]:
        """All secrets: names, digests and times."""
        found = await self._ask(calls.secrets())
        return found.secrets

    async def create(
        self, secrets: Mapping[str, str], overwrite: bool = False, stage: bool = False, allow_empty: bool = False
    ) -> resources.SecretsStored:
        """Store all of them, or none. Raises Conflict (``secret_exists``) unless ``overwrite``.

        Apps that name one restart with the new value; with ``stage`` it is for what is deployed from now on.
        """
        wanted = calls.create_secrets(secrets, overwrite, stage, allow_empty)
        return await self._ask(wanted)

    async def delete(self, name: str, stage: bool = False) -> resources.SecretDeleted:
        """Delete one. Raises NotFound. Apps that name it restart; with ``stage``, what runs keeps it until it ends."""
        return await self._ask(calls.delete_secret(name, stage))


class FileSystems(_Noun):
    """The filesystems of the workspace, and the files in them. Paths are absolute, like ``/reports/a.txt``."""

    async def list(self) -> _list[resources.FileSystem]:
        """All filesystems."""
        found = await self._ask(calls.filesystems())
        return found.filesystems

    async def create(self, name: str) -> resources.FileSystem:
        """Make an empty one. Raises Conflict (``filesystem_exists``)."""
        return await self._ask(calls.create_filesystem(name))

    async def get(self, name: str) -> resources.FileSystem:
        """One filesystem, by name or id. Raises NotFound."""
        return await self._ask(calls.filesystem(name))

    async def delete(self, name: str) -> None:
        """Delete one with all its files. Raises Conflict (``in_use``) while an app mounts it."""
        await self._ask(calls.delete_filesystem(name))

    async def entries(
        self, name: str, path: str = "/", limit: int | None = None, after: str = ""
    ) -> _list[resources.Entry]:
        """What the folder ``path`` holds, by name; with ``limit`` at most so many, those behind the name ``after``."""
        found = await self._ask(calls.entries(name, path, limit, after))
        return found.entries

    async def stat(self, name: str, path: str, digest: bool = False) -> resources.FileInfo:
        """A file or folder; with ``digest`` its SHA-256 as well. Raises NotFound."""
        return await self._ask(calls.stat(name, path, digest))

    async def upload(
        self, name: str, path: str, content: Content, overwrite: bool = False, progress: Progress | None = None
    ) -> resources.Stored:
        """Store a file, however large, whole or not at all. Raises Conflict (``file_exists``) unless ``overwrite``.

        What is open as a file survives cut connections, and is taken up where it stopped by a later call with the
        same file. ``progress`` is called with the number of bytes sent so far.
        """
        wanted = transfers.upload(self._gateway, name, path, content, overwrite, progress)
        return await self._driver.run(wanted)

    def download(self, name: str, path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file from ``offset``, at most ``length``, as they come. Survives cut connections.

        Raises NotFound when the first are asked for; GatewayError (``digest_mismatch``) behind the last of a whole
        file that is not what the gateway holds.
        """
        return self._driver.iterate(transfers.download(self._gateway, name, path, offset, length))

    async def delete_file(self, name: str, path: str, recursive: bool = False) -> None:
        """Delete a file or an empty folder; with ``recursive`` a folder with all in it. Raises NotFound."""
        await self._ask(calls.delete_file(name, path, recursive))

    async def make_folder(self, name: str, path: str) -> None:
        """Make a folder and those above it, unless they are there. Raises Conflict (``file_exists``) for a file."""
        await self._ask(calls.make_folder(name, path))

    async def move_file(self, name: str, source: str, target: str, overwrite: bool = False) -> None:
        """Give a file or folder another path. Raises NotFound, Conflict (``file_exists``) unless ``overwrite``."""
        await self._ask(calls.move_file(name, source, target, overwrite))


class Channels(_Noun):
    """The messenger accounts that apps answer on. Their credentials go in and never come out."""

    async def list(self) -> _list[resources.Channel]:
        """All channels."""
        found = await self._ask(calls.channels())
        return found.channels

    async def create(self, name: str, type: str, credentials: Mapping[str, str]) -> resources.Channel:
        """A new channel. ``type`` and ``credentials``: see ``cpsl.wire.resources.CHANNEL_CREDENTIALS``."""
        wanted = calls.create_channel(name, type, credentials)
        found = await self._ask(wanted)
        return found.channel

    async def get(self, name: str) -> resources.Channel:
        """One channel. Raises NotFound."""
        return await self._ask(calls.channel(name))

    async def delete(self, name: str, force: bool = False) -> None:
        """Delete one. Raises Conflict while an app uses it, unless ``force``."""
        await self._ask(calls.delete_channel(name, force))


class Apps(_Noun):
    """The apps of the workspace, by name or id."""

    async def list(self) -> _list[apps.App]:
        """All apps."""
        found = await self._ask(calls.app_list())
        return found.apps

    async def get(self, app: str) -> apps.App:
        """One app. Raises NotFound."""
        return await self._ask(calls.app(app))

    async def delete(self, app: str) -> None:
        """Delete an app with its versions and sessions. Raises NotFound."""
        await self._ask(calls.delete_app(app))

    async def versions(self, app: str) -> _list[apps.Version]:
        """Its deploys."""
        return await self._ask(calls.versions(app))

    async def rollback(self, app: str, version: int | None = None) -> apps.RolledBack:
        """Make an earlier version live, by default the one that was live before, once it has come up.

        Raises NotFound (``version_not_found``), Conflict (``already_live``), DeployFailed when it does not come up.
        """
        return await self._ask(calls.rollback(app, version))

    async def restart(self, app: str) -> apps.Restarted:
        """Start an app anew with the same version. Turns in flight end where they began. Raises NotFound."""
        return await self._ask(calls.restart(app))

    async def logs(
        self, app: str, limit: int = 100, after: int | None = None, wanted: apps.LogFilter = apps.EVERY_LINE
    ) -> _list[apps.LogLine]:
        """Lines of its log, oldest first: the last ``limit``, or the first ``limit`` after line ``after``."""
        page = calls.logs(app, limit, after, wanted)
        found = await self._ask(page)
        return found.lines

    def follow_logs(
        self, app: str, limit: int = 100, wanted: apps.LogFilter = apps.EVERY_LINE, after: int = 0
    ) -> AsyncIterator[apps.LogLine]:
        """The last ``limit`` lines, then those that come, without end. Survives cut connections.

        With ``after``, the id of a line: all those that came later, however many.
        """
        return self._driver.iterate(streams.app_log(self._gateway, app, limit, wanted, after))

    async def build_log(self, app: str, version: int | None = None) -> apps.BuildLog:
        """What building the image of a version (of the live one) printed."""
        return await self._ask(calls.build_log(app, version))


class Deploys(_Noun):
    """Making a new version of an app. ``client.deploy`` does all of it; here are its parts."""

    async def plan(self, entry: str, *, development: apps.Development | None = None) -> DeployPlan:
        """What ``client.deploy`` would do, without doing it. Raises as that does before anything is sent.

        >>> plan = await client.deploys.plan("hello/app.py:app")
        >>> plan.spec.name, plan.files, plan.missing
        ('hello', ['app.py'], [])
        """
        from cpsl.client import deploying  # when it is used: it brings what packs and unpacks

        return await self._driver.run(deploying.plan(self._gateway, entry, development))

    def stream(
        self,
        entry: str,
        *,
        development: apps.Development | None = None,
        progress: Progress | None = None,
        timeout: float | Timeout | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[DeployPlan | apps.DeployEvent]:
        """As ``client.deploy``, but yields what happens, as it happens.

        First a DeployPlan: whoever stops there has sent nothing. Then each DeployStatus and DeployLog, at last the
        DeployDone. ``development`` puts it live under its name for that, as ``capsule serve`` does.

        >>> events = [event async for event in client.deploys.stream("hello/app.py:app")]
        >>> events[0].files, events[-1].app
        (['app.py'], 'hello')
        """
        from cpsl.client import deploying  # when it is used: it brings what packs and unpacks

        flow = deploying.deploy(self._gateway, entry, development, progress, timeout, idempotency_key)
        return self._driver.iterate(flow)

    async def check(self, spec: apps.AppSpec) -> apps.DeployCheck:
        """What the spec names that the workspace has not."""
        return await self._ask(calls.check_deploy(spec))

    def create(
        self,
        archive: Content,
        entry: str,
        *,
        app: str = "",
        secrets: Iterable[str] = (),
        development: apps.Development | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[apps.DeployEvent]:
        """Send an archive (``cpsl.bundle.pack``) and deploy ``entry`` (``app.py:app``); what happens, as it happens.

        ``app``, its name where it is known already, lets the gateway begin with what the live version asks for;
        ``secrets`` names those that must be in the environment when the app is imported; with ``development`` it goes
        live under its name for development. The last event is a DeployDone. After a DeployError it raises DeployFailed,
        Conflict for a name or a channel that is taken, NotFound for what the app names and the workspace has not;
        StreamCut when it was cut off for good: ``bytes`` are sent again with the same ``idempotency_key``, which gives
        the same deploy again; what can be read only once is sent once.
        """
        flow = streams.deploy(self._gateway, archive, entry, app, secrets, development, idempotency_key)
        return self._driver.iterate(flow)

    async def get(self, deployment_id: str) -> Deployment:
        """What became of a deploy: whether it runs, is ``done`` or ``failed``, and why. Raises NotFound.

        >>> deployed = await client.deploy("hello/app.py:app")
        >>> (await client.deploys.get(deployed.deployment_id)).state
        'done'
        """
        return await self._ask(calls.deployment(deployment_id))

    async def list(self, app: str) -> _list[Deployment]:
        """The last deploys of an app, newest first, also those that failed."""
        return (await self._ask(calls.deployments(app))).deploys

    def events(self, deployment_id: str, *, after: int = 0) -> AsyncIterator[apps.DeployEvent]:
        """What happens in a deploy from event number ``after + 1``; of one that ended a while ago only how it ended.

        Raises as ``create`` does.
        """
        return self._driver.iterate(streams.deploy_events(self._gateway, deployment_id, after))


class Sessions(_Noun):
    """The conversations of an app."""

    async def list(self, app: str, limit: int = 50, after: str | None = None, search: str = "") -> turns.SessionList:
        """A page of sessions, pinned ones first, then the newest. ``after`` is the ``next`` of the page before.

        ``search``: only those in whose title or messages all these words stand.
        """
        return await self._ask(calls.sessions(app, limit, after, search))

    def iter(self, app: str) -> AsyncIterator[turns.Session]:
        """All sessions, pinned ones first, then the newest, however many pages they are.

        >>> [session.title async for session in client.sessions.iter("support")][-1]
        'Hello'
        """
        return self._driver.iterate(flows.pages(self._gateway, partial(calls.sessions, app, 200), _sessions))

    async def messages(self, app: str, id: str) -> _list[turns.Message]:
        """What was said in one, oldest first, with what was attached: the last 1,000 messages. Raises NotFound.

        >>> said = await client.sessions.messages("support", reply.session_id)
        >>> [f"{message.sender}: {message.text}" for message in said]
        ['user: Hello', 'app: You said: Hello']
        """
        found = await self._ask(calls.session(app, id))
        return found.messages

    async def get(self, app: str, id: str) -> turns.Session:
        """One session with its messages. Raises NotFound."""
        return await self._ask(calls.session(app, id))

    async def update(self, app: str, id: str, title: str | None = None, pinned: bool | None = None) -> turns.Session:
        """Give one another title, pin it, or unpin it. Raises NotFound, InvalidRequest (``invalid_title``)."""
        return await self._ask(calls.change_session(app, id, turns.SessionChange(title, pinned)))

    async def delete(self, app: str, id: str) -> None:
        """Delete one. Raises NotFound."""
        await self._ask(calls.delete_session(app, id))


class Connections(_Noun):
    """What you have connected for an app: accounts at other services, and forms. What they give is the app's alone."""

    async def list(self, app: str) -> _list[integrations.Connection]:
        """All of them, by name."""
        found = await self._ask(calls.connections(app))
        return found.connections

    async def delete(self, app: str, integration: str) -> None:
        """Forget one, here and, where it can be told to, at the service. Raises NotFound."""
        await self._ask(calls.delete_connection(app, integration))


class Users(_Noun):
    """The people of an app, for whoever operates it. A person is named by id or e-mail address."""

    async def list(self, app: str, limit: int = 50, after: str | None = None, visitors: bool = False) -> users.UserList:
        """A page of people, newest first. ``after`` is the ``next`` of the page before.

        ``visitors``: also those who never said who they are.
        """
        return await self._ask(calls.users(app, limit, after, visitors))

    def iter(self, app: str, visitors: bool = False) -> AsyncIterator[users.User]:
        """All people, newest first, however many pages they are."""
        page = partial(calls.users, app, 200, visitors=visitors)
        return self._driver.iterate(flows.pages(self._gateway, page, _users))

    async def get(self, app: str, user: str) -> users.User:
        """One person. Raises NotFound, Conflict (``ambiguous_user``)."""
        return await self._ask(calls.user(app, user))

    async def disable(self, app: str, user: str) -> users.User:
        """Sign somebody out everywhere, and keep them out; what runs for them ends. Raises as ``get``."""
        return await self._ask(calls.change_user(app, user, users.UserChange(disabled=True)))

    async def enable(self, app: str, user: str) -> users.User:
        """Let somebody in again. Raises as ``get``."""
        return await self._ask(calls.change_user(app, user, users.UserChange(disabled=False)))

    async def delete(self, app: str, user: str) -> None:
        """Delete somebody with all that is theirs: conversations, files, documents, connections. Raises as ``get``."""
        await self._ask(calls.delete_user(app, user))


class Turns(_Noun):
    """Turns by their ``request_id``: they belong to the gateway and outlive the connection that began them."""

    async def get(self, id: str) -> turns.Turn:
        """One turn. Raises NotFound.

        >>> turn = await client.turns.get(reply.request_id)
        >>> turn.state
        'done'
        """
        return await self._ask(calls.turn(id))

    def events(self, id: str, after: int = 0, *, timeout: float | Timeout | None = None) -> AsyncIterator[StreamChunk]:
        """The events of a turn from number ``after + 1`` to its end; as ``Client.stream``.

        >>> [chunk.event async for chunk in client.turns.events(reply.request_id, after=1)]
        ['chunk', 'reply', 'done']
        """
        return self._driver.iterate(streams.turn_events(self._gateway, id, after, timeout))

    async def cancel(self, id: str) -> turns.Turn:
        """Stop a turn. What it had answered stays."""
        return await self._ask(calls.cancel(id))

    async def answer(self, id: str, prompt_id: str, fields: Mapping[str, str]) -> turns.PromptState:
        """Answer a form. Raises Conflict (``prompt_closed``), InvalidRequest (``invalid_prompt_answer``)."""
        wanted = calls.answer(id, prompt_id, turns.PromptAnswer(dict(fields)))
        return await self._ask(wanted)

    async def decline(self, id: str, prompt_id: str) -> turns.PromptState:
        """Say no to a prompt. Raises Conflict (``prompt_closed``)."""
        wanted = calls.answer(id, prompt_id, turns.PromptAnswer(declined=True))
        return await self._ask(wanted)

    async def upload(
        self, id: str, prompt_id: str, name: str, content: Content, content_type: str = "application/octet-stream"
    ) -> turns.PromptState:
        """Answer a file prompt. Raises Conflict (``prompt_closed``), TooLarge."""
        wanted = calls.upload_to_prompt(id, prompt_id, name, content, content_type)
        return await self._ask(wanted)


class Tokens(_Noun):
    """The tokens of this account."""

    async def list(self) -> _list[accounts.Token]:
        """All tokens; never the tokens themselves."""
        found = await self._ask(calls.tokens())
        return found.tokens

    async def create(self, name: str = "", expires_in: int | None = None) -> accounts.NewToken:
        """A new token, shown this once. ``expires_in`` seconds, or never."""
        return await self._ask(calls.create_token(name, expires_in))

    async def delete(self, id: str) -> None:
        """Revoke one; ``current`` is the one in use. Raises NotFound."""
        await self._ask(calls.delete_token(id))
