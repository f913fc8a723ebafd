"""The API of a gateway, as far as an app under test has to do with it."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cpsl import errors
from cpsl._version import __version__
from cpsl.testing.host import URL, USER, Host
from cpsl.testing.turns import Talk, Turn
from cpsl.wire import accounts, apps, events, frames, problem, turns
from cpsl.wire.ids import new_id
from cpsl.wire.integrations import Credentials


@dataclass
class Ask:
    """A request. ``names`` are the parts of its path that the route leaves open."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    names: tuple[str, ...] = ()


@dataclass
class Reply:
    """A response; a stream of events if its ``body`` comes in pieces."""

    body: bytes | AsyncIterator[bytes] = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[["Api", Ask], Awaitable[Reply]]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def _route(method: str, path: str) -> Callable[[Handler], Handler]:
    pattern = re.compile(re.sub(r"{\w+}", "([^/]+)", path) + r"\Z")

    def add(handler: Handler) -> Handler:
        _ROUTES.append((method, pattern, handler))
        return handler

    return add


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(msgspec.json.encode(value), status)


class Api:
    """Answers requests on the loop of ``host``."""

    def __init__(self, host: Host) -> None:
        self._host, self._store = host, host.store

    async def answer(self, ask: Ask) -> Reply:
        """The response to a request, whatever it is."""
        try:
            return await self._routed(ask)
        except errors.CapsuleError as error:
            told = problem.from_error(error, new_id("req"))
            return Reply(msgspec.json.encode(told), told.status, problem.MEDIA_TYPE)

    async def _routed(self, ask: Ask) -> Reply:
        for method, pattern, handler in _ROUTES:
            if method == ask.method and (found := pattern.match(ask.path)):
                ask.names = found.groups()
                if ask.path.startswith(("/app/", "/apps/")):
                    self._check_app(ask.names[0])
                return await handler(self, ask)
        raise errors.NotFound(
            f"a gateway for tests has no {ask.method} {ask.path}",
            code="not_in_testing",
            hint="Test this against a gateway: capsule gateway start",
        )

    def _check_app(self, name: str) -> None:
        if name not in (self._host.app.name, "app_test"):
            raise errors.NotFound(f"no app {name[:80]!r} in this workspace", code="app_not_found")

    # --- messages -------------------------------------------------------------------------------------------------

    @_route("POST", "/app/{app}/stream")
    async def stream(self, ask: Ask) -> Reply:
        """Send a message and follow its turn."""
        return self._followed(self._begin(ask), 0)

    @_route("GET", "/turns/{id}/events")
    async def events(self, ask: Ask) -> Reply:
        """Follow a turn."""
        return self._followed(self._store.turn(ask.names[0]), int(ask.query.get("after", "0")))

    def _begin(self, ask: Ask) -> Turn:
        request = msgspec.json.decode(ask.body, type=turns.ChatRequest)
        if not request.text.strip() and not request.attachments:
            raise errors.InvalidRequest("the message is empty", code="empty_message", hint="Say something.")
        attached = [self._attachment(file_id) for file_id in request.attachments]
        told = (request.text, request.session_id, [self._store.file(each.id).content for each in attached])
        key = ask.headers.get("idempotency-key") or new_id("key")
        if key in self._store.keys:
            return self._again(key, told)
        talk = self._store.talk(request.session_id) if request.session_id else self._new_talk(request.text)
        turn = Turn(talk, request.text, attached)
        self._store.keys[key] = told, turn
        self._host.start(turn)
        return turn

    def _again(self, key: str, told: object) -> Turn:
        known, turn = self._store.keys[key]
        if known != told:
            raise errors.InvalidRequest(
                "this Idempotency-Key was used for another message", code="idempotency_key_reused"
            )
        return turn

    def _new_talk(self, text: str) -> Talk:
        talk = Talk(title=text.strip().partition("\n")[0][:80])
        self._store.talks[talk.id] = talk
        return talk

    def _attachment(self, file_id: str) -> turns.Attachment:
        file = self._store.file(file_id)
        url = self._host.file_url(file.id)
        return turns.Attachment(file.id, file.name, file.content_type, len(file.content), url)

    def _followed(self, turn: Turn, after: int) -> Reply:
        return Reply(_sse(turn, after), content_type="text/event-stream", headers={"x-turn-id": turn.id})

    # --- turns and their prompts ----------------------------------------------------------------------------------

    @_route("GET", "/turns/{id}")
    async def turn(self, ask: Ask) -> Reply:
        """How a turn stands."""
        return _json(self._store.turn(ask.names[0]).shown(self._host.app.name))

    @_route("POST", "/turns/{id}/cancel")
    async def cancel(self, ask: Ask) -> Reply:
        """End a turn."""
        turn = self._store.turn(ask.names[0])
        if turn.state == "running":
            self._host.worker.handle(frames.CancelTurn(turn.id))
            async for _ in turn.watch(len(turn.log)):
                pass
        return _json(turn.shown(self._host.app.name))

    @_route("POST", "/turns/{id}/prompts/{prompt}")
    async def prompt(self, ask: Ask) -> Reply:
        """Fill in a form, or decline."""
        answer = msgspec.json.decode(ask.body, type=turns.PromptAnswer)
        filled = Credentials(token_type="fields", fields=answer.fields)
        result = frames.PromptResult("declined") if answer.declined else frames.PromptResult("answered", filled)
        return self._resolved(ask, result, None if answer.declined else "form")

    @_route("POST", "/turns/{id}/prompts/{prompt}/file")
    async def prompt_file(self, ask: Ask) -> Reply:
        """Give the file that is asked for."""
        kept = self._kept(ask)
        stored = frames.StoredFile(kept.id, kept.name, kept.content_type, kept.size)
        return self._resolved(ask, frames.PromptResult("answered", file=stored), "file")

    def _resolved(self, ask: Ask, result: frames.PromptResult, kind: str | None) -> Reply:
        turn, prompt_id = self._store.turn(ask.names[0]), ask.names[1]
        if prompt_id not in turn.prompts:
            raise errors.Conflict("this prompt was closed already", code="prompt_closed")
        prompt, _ = turn.prompts[prompt_id]
        missing = [each.name for each in prompt.fields if each.required and kind == "form"]
        if result.credentials is not None:
            missing = [name for name in missing if not result.credentials.fields.get(name, "").strip()]
        if kind not in (None, prompt.kind) or missing:
            raise errors.InvalidRequest(
                f"{', '.join(missing)} is missing" if missing else f"this prompt waits for: {prompt.kind}",
                code="invalid_prompt_answer",
            )
        self._host.resolve(turn, prompt_id, result)
        return _json(turns.PromptState(prompt_id, result.outcome))

    # --- conversations, files, data -------------------------------------------------------------------------------

    @_route("GET", "/app/{app}/sessions")
    async def sessions(self, ask: Ask) -> Reply:
        """The conversations, newest first."""
        shown = [each.shown(self._host.app.name) for each in reversed(self._store.talks.values())]
        return _json(turns.SessionList(shown))

    @_route("GET", "/app/{app}/sessions/{id}")
    async def session(self, ask: Ask) -> Reply:
        """One conversation with its messages."""
        return _json(self._store.talk(ask.names[1]).shown(self._host.app.name, whole=True))

    @_route("DELETE", "/app/{app}/sessions/{id}")
    async def delete_session(self, ask: Ask) -> Reply:
        """End a conversation; its exit hook runs."""
        await self._host.end_talk(ask.names[1])
        del self._store.talks[ask.names[1]]
        return Reply(status=204)

    @_route("POST", "/app/{app}/files")
    async def upload(self, ask: Ask) -> Reply:
        """Give a file for a message."""
        return _json(self._kept(ask), 201)

    @_route("GET", "/app/{app}/files/{id}")
    async def file(self, ask: Ask) -> Reply:
        """A file that was given, or is shown."""
        return Reply(self._store.file(ask.names[1]).content, content_type="application/octet-stream")

    def _kept(self, ask: Ask) -> turns.Attachment:
        declared = ask.headers.get("content-type", "").partition(";")[0].strip()
        if declared in ("", "application/octet-stream"):
            declared = mimetypes.guess_type(ask.query["name"])[0] or "application/octet-stream"
        return self._host.keep(ask.query["name"], declared, ask.body)

    @_route("GET", "/app/{app}/data/{name}")
    async def data(self, ask: Ask) -> Reply:
        """What a data handler returns."""
        if ask.names[1] not in self._host.app.handlers.data:
            raise errors.NotFound(f"no data handler {ask.names[1]!r}", code="unknown_data_handler")
        response = await self._host.data(ask.names[1], dict(ask.query))
        if (failure := response.failure) is not None:
            if failure.traceback:
                self._host.error(failure.message, failure.traceback)
            kind = errors.AppError if failure.code == "app_error" else errors.InvalidRequest
            raise kind(failure.message, code=failure.code, hint=failure.hint)
        return Reply(response.json)

    # --- the workspace --------------------------------------------------------------------------------------------

    @_route("GET", "/apps")
    async def app_list(self, ask: Ask) -> Reply:
        """The app under test."""
        return _json(apps.AppList([self._app()]))

    @_route("GET", "/apps/{app}")
    async def one_app(self, ask: Ask) -> Reply:
        """The same, by name."""
        return _json(self._app())

    @_route("GET", "/me")
    async def me(self, ask: Ask) -> Reply:
        """Who you are here."""
        account = accounts.Account("acc_test", str(USER.email), "owner", "test")
        return _json(accounts.Me(account, accounts.Token("tok_test", "test", account.id, 0.0), "test", __version__))

    def _app(self) -> apps.App:
        app = self._host.app
        url = f"{URL}/a/{app.name}"
        return apps.App("app_test", app.name, app.name, url, 1, app.price, app.pricing_type, app.description, 0.0, 0.0)


async def _sse(turn: Turn, after: int) -> AsyncIterator[bytes]:
    async for number, event in turn.watch(after):
        head = f"id: {number}\nevent: {events.type_of(event)}\ndata: "
        yield head.encode() + events.encode(event) + b"\n\n"
