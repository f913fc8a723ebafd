"""One conversation with one user, as a handler sees it."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from collections.abc import AsyncIterable, Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpsl.app import prompts
from cpsl.app.bridge import Bridge
from cpsl.app.collections import Collections, session_id
from cpsl.app.files import FileUpload
from cpsl.app.integrations import (
    Integration,
    IntegrationConfig,
    IntegrationCredentials,
    integration_name,
)
from cpsl.app.invalid import invalid
from cpsl.app.plain import plain
from cpsl.app.replies import Answer, ReplyStream, checked_text
from cpsl.app.session_data import SessionData
from cpsl.app.types import Block, Message, SessionChannel, UserInfo
from cpsl.errors import TooLarge
from cpsl.wire.events import Status
from cpsl.wire.frames import AppUser, SessionState, StoreFile
from cpsl.wire.integrations import Credentials

if TYPE_CHECKING:
    from cpsl.app.app import App

MAX_IMAGE_BYTES = 32 * 1024 * 1024
"""Largest image of the app's own files that ``show_image`` sends."""

AnyIntegration = str | Integration | IntegrationConfig

_current: ContextVar[Session | None] = ContextVar("capsule_session", default=None)


def current_session() -> Session | None:
    """The session that the running handler answers, or None outside of handlers."""
    return _current.get()


class Session:
    """A conversation. ``id``, ``user``, ``channel``, ``history`` (oldest first, without the message being answered),
    ``data`` (a dict that is kept), ``integrations`` (credentials by type), ``db`` (the app's collections).

    The runtime makes one for each turn; ``request_id`` names the turn.
    """

    def __init__(
        self,
        app: App,
        state: SessionState,
        bridge: Bridge,
        *,
        user: AppUser | None = None,
        request_id: str = "",
        integrations: Mapping[str, Credentials] | None = None,
    ) -> None:
        self.id = state.id
        self.request_id = request_id
        self.user = UserInfo.of(user)
        self.channel = SessionChannel(state.channel)
        self.history = [Message.of(message, bridge) for message in state.history]
        self.data = SessionData(state.data)
        self.integrations = {name: IntegrationCredentials.of(given) for name, given in (integrations or {}).items()}
        self.collections = Collections(app.collections)
        self._declared = app.integrations
        self._bridge = bridge
        self._answer = Answer(bridge, request_id, self._remember)

    @property
    def db(self) -> Collections:
        """The app's collections by name: ``session.db.notes``."""
        return self.collections

    # --- text -----------------------------------------------------------------------------------------------------

    async def reply(self, text: str) -> None:
        """Send one whole reply. An empty one sends nothing. Raises TypeError for what is no text."""
        writer = object()
        self._answer.write(writer, checked_text(text))
        self._answer.close(writer)
        await self._bridge.drained()

    async def notify(self, text: str, *, detail: str = "") -> None:
        """Tell what is going on, beside the answer. Nothing happens when both are empty."""
        if text or detail:
            self._answer.emit(Status(text, detail or None))
            await self._bridge.drained()

    def stream_reply(self, *, cumulative: bool | None = None) -> ReplyStream:
        """A reply to write piece by piece: ``async with session.stream_reply() as out: out.write("…")``.

        ``cumulative`` True: each piece is all so far; False: each piece is new text; None: found out.
        """
        return ReplyStream(self._answer, cumulative)

    async def stream_reply_from(self, pieces: AsyncIterable[str | None], *, cumulative: bool | None = None) -> str:
        """Send one reply from an async iterable of pieces, passing over None. Returns the whole text."""
        async with self.stream_reply(cumulative=cumulative) as out:
            async for piece in pieces:
                if piece is not None:
                    out.write(piece)
                    await self._bridge.drained()
        return out.text

    async def stream(self, chunks: AsyncIterable[str | None], *, cumulative: bool | None = None) -> None:
        """Send one reply from an async iterable of pieces, like the tokens of a model."""
        await self.stream_reply_from(chunks, cumulative=cumulative)

    def chat_messages(self, current: Message | str, *, cls: Callable[..., Any] | None = None) -> list[Any]:
        """The conversation for a language model: ``[{"role", "content"}]``, ending with ``current``.

        Neighbours of one role are joined by a blank line. With ``cls`` each entry is ``cls(role=…, content=…)``.
        """
        last = current if isinstance(current, Message) else Message(current)
        merged: list[dict[str, str]] = []
        for message in [*self.history, last]:
            role = "user" if message.sender == "user" else "assistant"
            if merged and merged[-1]["role"] == role:
                merged[-1]["content"] += f"\n\n{message.text}"
            else:
                merged.append({"role": role, "content": message.text})
        return [cls(**entry) for entry in merged] if cls else merged

    # --- cards ----------------------------------------------------------------------------------------------------

    async def show(self, block: Block) -> None:
        """Show a card. Raises InvalidRequest when its payload has no form in JSON."""
        if not isinstance(block, Block):
            raise TypeError(f"show takes a cpsl.Block, not {type(block).__name__}")
        self._answer.emit(block.event(plain(block.payload, f"The payload of the block {block.type!r}")))
        await self._bridge.drained()

    async def show_integration(self, integration: AnyIntegration, *, reason: str = "") -> None:
        """Show a card to connect an integration, and go on without waiting."""
        name, form = self._integration(integration)
        payload = {
            "type": name,
            "reason": reason,
            "blocking": False,
            "mode": "form" if form else "oauth",
            "link": f"{self._bridge.app_url}/connect/{name}",
        }
        await self.show(Block("integration_prompt", payload))

    async def show_image(self, source: str | os.PathLike[str], *, alt: str = "", width: int | None = None) -> None:
        """Show an image: a URL (http, https, data), or a file of the app. ``width`` in pixels.

        Raises OSError for a file that cannot be read, TooLarge above MAX_IMAGE_BYTES.
        """
        url = os.fspath(source)
        if not url.startswith(("http://", "https://", "data:")):
            url = await self._store_image(Path(url))
        extra = {"alt": alt} if alt else {}
        await self.show(Block("image", {"url": url, **extra, **({"width": width} if width else {})}))

    # --- prompts --------------------------------------------------------------------------------------------------

    def get_integration(self, integration: AnyIntegration) -> IntegrationCredentials | None:
        """The credentials of an integration, or None when it is not connected."""
        return self.integrations.get(integration_name(integration)) or None

    async def prompt_integration(
        self,
        integration: AnyIntegration,
        *,
        reason: str = "",
        message: str | None = None,
        timeout: float = prompts.TIMEOUT_SECONDS,
        fresh: bool = False,
    ) -> IntegrationCredentials:
        """Credentials of an integration; asks the user to connect it, unless it is connected, and waits.

        ``reason`` (or ``message``) is shown with the prompt; ``timeout`` in seconds. ``fresh=True`` after the service
        refused the token (401): another one then, and the user is asked where the provider gives none. Tokens that are
        about to expire are renewed without it. The user may have granted less than was asked for: ``scopes`` says what.

        When the gateway restarts while this waits, the handler runs again from its beginning once the user has
        answered: what it said before is not said twice, prompts that were answered return what they did, but other
        code before this line runs a second time. Raises IntegrationTimeout, IntegrationDeclined, GatewayError when
        the provider cannot be reached, and InvalidRequest for an integration that the app does not declare.
        """
        name, form = self._integration(integration)
        known = self.get_integration(name)
        if known is not None and not fresh and not known.expires_soon:
            return known
        text = reason if message is None else message
        refused = known.digest if known is not None and fresh else ""
        given = await prompts.ask_integration(
            self._bridge, self.request_id, name, form=form, message=text, timeout=timeout, refused=refused
        )
        self.integrations[name] = given
        return given

    async def require_integration(
        self,
        integration: AnyIntegration,
        *,
        reason: str = "",
        message: str | None = None,
        timeout: float = prompts.TIMEOUT_SECONDS,
        fresh: bool = False,
    ) -> IntegrationCredentials:
        """The same as ``prompt_integration``, by the newer name."""
        return await self.prompt_integration(integration, reason=reason, message=message, timeout=timeout, fresh=fresh)

    async def prompt_file(
        self,
        *,
        message: str = "Please upload a file",
        accept: str = "",
        path: str | os.PathLike[str] | None = None,
        timeout: float = prompts.TIMEOUT_SECONDS,
    ) -> FileUpload:
        """Ask the user for a file and wait.

        ``accept`` is as in HTML (``.csv,text/csv``). ``path`` is a folder, whether or not it exists: the file is put
        there under its own name, made harmless, and never over another. ``timeout`` in seconds. After a restart of the
        gateway the handler runs again, as ``prompt_integration`` says. Raises FileUploadTimeout; OSError when ``path``
        cannot be written.
        """
        return await prompts.ask_file(
            self._bridge,
            self.request_id,
            message=message,
            accept=accept,
            folder=_absolute(path) if path is not None else "",
            timeout=timeout,
        )

    # --- inside ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Close the answer. The runtime calls it when the handler is finished."""
        self._answer.end()

    def _integration(self, integration: AnyIntegration) -> tuple[str, bool]:
        """The name of an integration, and whether it is a form."""
        name = integration_name(integration)
        declared = self._declared.get(name)
        if declared is not None:
            return name, declared.mode == "form"
        raise invalid(
            f"The app does not declare the integration {name!r}",
            f'Add app.add_integration("{name}", …) below app = cpsl.App(…)',
            "integration_not_declared",
        )

    def _remember(self, text: str) -> None:
        self.history.append(Message(text, "app", self.channel.type))

    async def _store_image(self, path: Path) -> str:
        data = await asyncio.to_thread(_read_image, path)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return str(await self._bridge.ask(StoreFile(path.name, kind, data)))

    def __repr__(self) -> str:
        return f"Session({self.id!r}, channel={self.channel.type!r})"


def enter_session(session: Session) -> None:
    """Make ``session`` the current one of this task, its threads and its children."""
    _current.set(session)
    session_id.set(session.id)


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)


def _read_image(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_IMAGE_BYTES + 1)
    if len(data) > MAX_IMAGE_BYTES:
        raise TooLarge(f"{path} has more than {MAX_IMAGE_BYTES // 1024 // 1024} MiB, too much to show as an image")
    return data
