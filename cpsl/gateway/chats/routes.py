"""``/app`` (traffic: chat, stream, sessions, data) and ``/turns``."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from litestar import Request, Response, Router, delete, get, post
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from cpsl.engine.protocol import AppBroken, RuntimeLost
from cpsl.errors import AppError, AuthError, InvalidRequest, NotFound
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.chats.log import TurnLog
from cpsl.gateway.chats.prompts import Prompts
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.chats.sessions import Sessions
from cpsl.gateway.chats.turns import Turns, shown
from cpsl.gateway.files.service import UserFiles, content_type_of
from cpsl.gateway.files.transfer import download, received
from cpsl.gateway.http import sse
from cpsl.gateway.settings import Settings
from cpsl.wire.events import Error
from cpsl.wire.problem import error_for_event
from cpsl.wire.turns import (
    ChatReply,
    ChatRequest,
    PromptAnswer,
    PromptState,
    ReplyText,
    Session,
    SessionList,
    Turn,
)

Key = Annotated[str | None, HeaderParameter(name="Idempotency-Key")]
Last = Annotated[int | None, HeaderParameter(name="Last-Event-ID")]
MAX_BODY_BYTES = 8 * 1024 * 1024  # a message of 1 MiB, every character escaped, and some room


@post("/app/{app:str}/chat", status_code=200, request_max_body_size=MAX_BODY_BYTES)
async def chat(
    app: str,
    data: ChatRequest,
    actor: Actor,
    apps: Apps,
    turns: Turns,
    closing: asyncio.Event,
    idempotency_key: Key = None,
) -> Response[ChatReply]:
    """Send a message and wait for the whole answer; 202 with a ``prompt`` when the app waits for a person."""
    log = await _submit(apps, turns, actor, app, data, idempotency_key)
    await log.settled(closing)
    return _answer(log)


@post("/app/{app:str}/stream", status_code=200, request_max_body_size=MAX_BODY_BYTES)
async def stream(
    app: str,
    data: ChatRequest,
    actor: Actor,
    apps: Apps,
    turns: Turns,
    settings: Settings,
    closing: asyncio.Event,
    idempotency_key: Key = None,
) -> Stream:
    """Send a message and follow the turn's events."""
    log = await _submit(apps, turns, actor, app, data, idempotency_key)
    return _events(log, 0, closing, settings)


@get("/app/{app:str}/stream")
async def stream_by_query(
    app: str,
    text: str,
    actor: Actor,
    apps: Apps,
    turns: Turns,
    settings: Settings,
    closing: asyncio.Event,
    session_id: str | None = None,
    idempotency_key: Key = None,
) -> Stream:
    """As the published client asks for it. Prefer POST: a text in a URL ends up in logs."""
    log = await _submit(apps, turns, actor, app, ChatRequest(text, session_id), idempotency_key)
    return _events(log, 0, closing, settings)


@get("/app/{app:str}/sessions")
async def list_sessions(
    app: str,
    actor: Actor,
    apps: Apps,
    sessions: Sessions,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    after: str | None = None,
) -> SessionList:
    """Your conversations with an app, newest first."""
    return await sessions.list(await apps.live(actor.workspace_id, app), actor, limit, after)


@get("/app/{app:str}/sessions/{session_id:str}")
async def get_session(app: str, session_id: str, actor: Actor, apps: Apps, sessions: Sessions) -> Session:
    """One conversation with its messages."""
    return await sessions.get(await apps.live(actor.workspace_id, app), actor, session_id)


@delete("/app/{app:str}/sessions/{session_id:str}")
async def delete_session(app: str, session_id: str, actor: Actor, apps: Apps, sessions: Sessions) -> None:
    """Remove a conversation; a turn that runs in it is cancelled."""
    await sessions.delete(await apps.live(actor.workspace_id, app), actor, session_id)


@get("/app/{app:str}/data/{name:str}")
async def get_data(
    app: str,
    name: str,
    request: Request[Any, Any, Any],
    visitor: Actor | None,
    apps: Apps,
    turns: Turns,
    runner: Runner,
    sessions: Sessions,
) -> Response[bytes]:
    """What a data handler of the app returns, as JSON."""
    version = await _visited(apps, app, visitor)
    spec = next((each for each in version.spec.data if each.name == name), None)
    if spec is None:
        raise NotFound(f"{app} has no data handler {name[:80]!r}", code="unknown_data_handler")
    if spec.access == "authenticated" and visitor is None:
        raise AuthError("this data is for signed-in users", code="authentication_required")
    user = await turns.user(version.app_id, visitor)
    integrations = await sessions.integrations(version, user)
    try:
        runtime = await runner.runtime(version, user)
        response = await runtime.data(name, dict(request.query_params), integrations)
    except (AppBroken, RuntimeLost) as error:
        raise sessions.runtime_error(version, user, error) from error
    if response.failure is not None:
        raise sessions.data_error(version, user, response.failure)
    return Response(response.json, media_type="application/json")


@get("/app/{app:str}/files/{file_id:str}")
async def get_file(app: str, file_id: str, actor: Actor, apps: Apps, turns: Turns, user_files: UserFiles) -> Stream:
    """A file that the app shows to you, or that you gave to it."""
    version = await apps.live(actor.workspace_id, app)
    user = await turns.user(version.app_id, actor)
    stored, descriptor = await user_files.open(user.id, file_id)
    return download(descriptor, stored.size, stored.name)


@get("/turns/{request_id:str}")
async def get_turn(request_id: str, actor: Actor, turns: Turns, runner: Runner) -> Turn:
    """How a turn stands."""
    return shown(await turns.owned(actor, request_id), runner.live(request_id))


@get("/turns/{request_id:str}/events")
async def get_events(
    request_id: str,
    actor: Actor,
    turns: Turns,
    settings: Settings,
    closing: asyncio.Event,
    after: int | None = None,
    last_event_id: Last = None,
) -> Stream:
    """Follow a turn from after an event's number."""
    await turns.owned(actor, request_id)
    start = after if after is not None else (last_event_id or 0)
    return _events(await turns.log_of(request_id), start, closing, settings)


@post("/turns/{request_id:str}/cancel", status_code=200)
async def cancel_turn(request_id: str, actor: Actor, turns: Turns, runner: Runner) -> Turn:
    """End a turn; the answer so far stays."""
    await turns.owned(actor, request_id)
    await runner.cancel(request_id)
    return shown(await turns.owned(actor, request_id), runner.live(request_id))


@post("/turns/{request_id:str}/prompts/{prompt_id:str}", status_code=200)
async def answer_prompt(
    request_id: str, prompt_id: str, data: PromptAnswer, actor: Actor, turns: Turns, prompts: Prompts
) -> PromptState:
    """Fill in a form, or decline a prompt."""
    await turns.owned(actor, request_id)
    return await prompts.answer(request_id, prompt_id, data)


@post("/turns/{request_id:str}/prompts/{prompt_id:str}/file", status_code=200, request_max_body_size=None)
async def answer_file(
    request: Request[Any, Any, Any],
    request_id: str,
    prompt_id: str,
    name: str,
    actor: Actor,
    turns: Turns,
    prompts: Prompts,
    settings: Settings,
) -> PromptState:
    """Give the file that a prompt waits for, as the request's body."""
    await turns.owned(actor, request_id)
    content_type = content_type_of(name, request.headers.get("content-type", ""))
    async with received(request, settings.data_dir / "tmp", settings.max_prompt_file_bytes) as (source, _):
        return await prompts.answer_file(request_id, prompt_id, source, name, content_type)


async def _submit(apps: Apps, turns: Turns, actor: Actor, app: str, request: ChatRequest, key: str | None) -> TurnLog:
    version = await apps.live(actor.workspace_id, app)
    return await turns.submit(version, await turns.user(version.app_id, actor), request, key)


async def _visited(apps: Apps, app: str, visitor: Actor | None) -> VersionRef:
    if visitor is not None:
        return await apps.live(visitor.workspace_id, app)
    public = await apps.public(app)
    return await apps.version(public.id, public.live_version)


def _events(log: TurnLog, after: int, closing: asyncio.Event, settings: Settings) -> Stream:
    if after < 0:
        raise InvalidRequest("after must not be negative")
    headers = {"X-Turn-Id": log.turn_id, "X-Session-Id": log.session_id}
    return sse.stream(log.watch(after, closing, settings.heartbeat), headers)


def _answer(log: TurnLog) -> Response[ChatReply]:
    if isinstance(log.final, Error):
        error = error_for_event(log.final.code, log.final.message, log.final.hint, log.turn_id)
        if isinstance(error, AppError):
            error.partial = "\n\n".join(log.replies)
        raise error
    reply = ChatReply(
        session_id=log.session_id,
        request_id=log.turn_id,
        replies=[ReplyText(text) for text in log.replies],
        text="\n\n".join(log.replies),
        prompt=next(iter(log.prompts.values()), None),
    )
    return Response(reply, status_code=202 if reply.prompt is not None else 200)


router = Router(
    "",
    route_handlers=[
        chat,
        stream,
        stream_by_query,
        list_sessions,
        get_session,
        delete_session,
        get_data,
        get_file,
        get_turn,
        get_events,
        cancel_turn,
        answer_prompt,
        answer_file,
    ],
    tags=["chat"],
)
