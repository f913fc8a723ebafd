# Made of async_client.py by python -m tests.support.twins: edit that.
"""``Client``: talk to deployed apps, and run a workspace, from a script, a service or a test."""

from __future__ import annotations

from builtins import list as _list
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import httpx

from cpsl import auth
from cpsl.client import calls, flows, nouns, streams
from cpsl.client.attaching import Attachable
from cpsl.client.bodies import Progress
from cpsl.client.connections import Wire
from cpsl.client.drivers import SyncDriver
from cpsl.client.operations import Waiting
from cpsl.client.timeouts import Timeout, reading
from cpsl.client.types import AppInfo, ChatResponse, Fold, StreamChunk
from cpsl.wire import accounts, apps


class Client:
    """A connection to a gateway, for any number of threads.

    Close it, or use it in its ``with`` block. Connections are kept and used again; they do not survive a fork, so
    make the client in the process that uses it.

    - ``token``, ``gateway_url``, ``profile``: instead of what ``capsule login`` stored; see ``cpsl.auth.resolve``
    - ``timeout``: seconds that the gateway may be silent on a plain request, or a ``cpsl.Timeout`` for such requests
      (an answer that is being made may take longer: see ``chat``)
    - ``max_retries``: how often a request is repeated that is safe to repeat, when the network or the gateway fails;
      the waits between grow, are jittered, and obey ``Retry-After``
    - ``http_client``: your own ``httpx.Client``, for proxies or certificates; it stays yours to close
    - ``on_wait``: called with ``"contacting"`` when something is asked of the gateway, ``"reconnecting"`` when a stream
      was cut and is taken up again, and with None once what was waited for has come; it must not raise

    Raises NotLoggedIn, ConfigError, NotFound (the profile). All errors are ``cpsl.CapsuleError``s.

    >>> with Client(token, gateway_url, http_client=http) as client:
    ...     print(client.chat("support", "Hello"))
    You said: Hello
    """

    def __init__(
        self,
        token: str | None = None,
        gateway_url: str | None = None,
        *,
        profile: str | None = None,
        timeout: float | Timeout = 60.0,
        max_retries: int = 3,
        http_client: httpx.Client | None = None,
        on_wait: Callable[[Waiting | None], None] | None = None,
    ) -> None:
        found = auth.resolve(token, gateway_url, profile)
        limits = reading(timeout)
        self._gateway = flows.Gateway(found.gateway_url, max_retries, found.source, limits)
        if on_wait is not None:
            self._gateway = replace(self._gateway, on_wait=on_wait)
        self._driver = SyncDriver(Wire(found.gateway_url, found.token, limits), http_client)
        self.apps = nouns.Apps(self._driver, self._gateway)
        self.channels = nouns.Channels(self._driver, self._gateway)
        self.deploys = nouns.Deploys(self._driver, self._gateway)
        self.filesystems = nouns.FileSystems(self._driver, self._gateway)
        self.secrets = nouns.Secrets(self._driver, self._gateway)
        self.sessions = nouns.Sessions(self._driver, self._gateway)
        self.connections = nouns.Connections(self._driver, self._gateway)
        self.tokens = nouns.Tokens(self._driver, self._gateway)
        self.users = nouns.Users(self._driver, self._gateway)
        self.turns = nouns.Turns(self._driver, self._gateway)

    @property
    def gateway_url(self) -> str:
        """The gateway that this client talks to."""
        return self._gateway.url

    def list_apps(self) -> _list[AppInfo]:
        """All apps of the workspace, as dicts.

        >>> [app["name"] for app in client.list_apps()]
        ['support']
        """
        return self._driver.run(flows.call(self._gateway, calls.app_infos()))

    def get_app(self, name_or_id: str) -> AppInfo:
        """One app, as a dict. Raises NotFound."""
        return self._driver.run(flows.call(self._gateway, calls.app_info(name_or_id)))

    def chat(
        self,
        app: str,
        text: str,
        session_id: str | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | Timeout | None = None,
        attachments: Iterable[Attachable] = (),
    ) -> ChatResponse:
        """Send a message; return the whole answer. Without ``session_id`` it begins a conversation.

        ``attachments`` are files to go with it: paths, or ``cpsl.Upload``s. They are uploaded first.

        The turn belongs to the gateway: lost connections are taken up again, and the same ``idempotency_key`` gives the
        same turn, never a second one. Without ``timeout`` (seconds for the whole answer, or a ``cpsl.Timeout``) it
        waits as long as the turn is alive.

        Raises AppError (with ``partial``), TurnCancelled, NotFound; PromptRequired at once when the app waits for a
        person; GatewayTimeout (``turn_timeout``) and StreamCut, after which the turn still goes on.

        >>> first = client.chat("support", "Hello", timeout=30)
        >>> first.text
        'You said: Hello'
        >>> second = client.chat("support", "And now?", first.session_id)
        >>> second.session_id == first.session_id
        True
        >>> report = cpsl.Upload("report.txt", b"all is well")
        >>> print(client.chat("support", "Read this", attachments=[report]))
        report.txt: all is well
        """
        fold = Fold()
        flow = streams.new_turn(self._gateway, app, text, session_id, idempotency_key, timeout, attachments)
        # Closed here: an exception's traceback would keep the connection open for as long as it is looked at.
        with closing(self._driver.iterate(flow)) as chunks:
            for chunk in chunks:
                fold.take(chunk)
        return fold.response()

    def stream(
        self,
        app: str,
        text: str,
        session_id: str | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | Timeout | None = None,
        attachments: Iterable[Attachable] = (),
    ) -> Iterator[StreamChunk]:
        """Send a message; yield the turn's events as they come, each once and in order.

        Printing every ``chunk.text`` prints the answer. Cut connections are resumed. After an ``error`` event it raises
        AppError or TurnCancelled; StreamCut when resuming fails, while the turn goes on. Nothing is sent before the
        first event is asked for. ``timeout`` and ``attachments`` as in ``chat``.

        >>> for chunk in client.stream("support", "Hello"):
        ...     print(chunk.text, end="")
        You said: Hello
        """
        flow = streams.new_turn(self._gateway, app, text, session_id, idempotency_key, timeout, attachments)
        return self._driver.iterate(flow)

    def data(self, app: str, name: str, /, **params: object) -> Any:
        """What the app's data handler ``name`` (``@app.data``) returns, from JSON; ``params`` are its parameters.

        Raises NotFound (``unknown_data_handler``), InvalidRequest for wrong parameters, AppError when it fails.

        >>> client.data("support", "open", queue="billing")
        {'queue': 'billing', 'open': 3}
        """
        return self._driver.run(flows.call(self._gateway, calls.data(app, name, params)))

    def deploy(
        self,
        entry: str,
        *,
        progress: Progress | None = None,
        timeout: float | Timeout | None = None,
        idempotency_key: str | None = None,
    ) -> apps.DeployDone:
        """Put the app at ``entry`` (``FILE.py:SYMBOL``) live, and wait until it is.

        The folder of FILE is the project: all of it is sent, but what ``.gitignore`` and ``.capsuleignore`` name, and
        never ``.env``. The app is imported in a process of its own to learn what it declares. ``progress`` is called
        with how many bytes of the files have been sent; ``timeout`` is in seconds for all of it. What happens on the
        way: ``client.deploys.stream``. A lost connection is taken up again, and the same ``idempotency_key`` gives the
        same deploy, even in another process.

        Raises EntryPointError or NotFound for what is no entry, NotFound (``missing_resources``) for what the app names
        and the workspace has not, DeployFailed (with ``traceback``) when it does not come up, Conflict for a name or a
        channel that is taken, TooLarge; StreamCut when the connection is lost for good, while the gateway goes on with
        it.

        >>> live = client.deploy("hello/app.py:app")
        >>> print(live.app, "is live")
        hello is live
        """
        from cpsl.client import deploying  # when it is used: it brings what packs and unpacks

        flow = deploying.deploy(self._gateway, entry, None, progress, timeout, idempotency_key)
        return self._driver.run(flow)

    def me(self) -> accounts.Me:
        """Who the token is. Raises AuthError."""
        return self._driver.run(flows.call(self._gateway, calls.me()))

    def close(self) -> None:
        """Close the connections. Closing twice is closing once."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client(gateway_url={self._gateway.url!r}, token=[secure])"

    def __reduce__(self) -> str:
        raise TypeError("A client holds a token and connections: make a new one where it is needed.")
