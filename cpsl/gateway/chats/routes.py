"""``/app`` (traffic: chat, stream, sessions, data) and ``/turns``."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Response, Router, delete, get, patch, post
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from cpsl.errors import AppError, AuthError, InvalidRequest, NotFound
from cpsl.gateway import asking
from cpsl.gateway.chats.exporting import exported
from cpsl.gateway.chats.log import TurnLog
from cpsl.gateway.chats.turns import shown
from cpsl.gateway.files.pictures import picture_headers
from cpsl.gateway.files.service import content_type_of
from cpsl.gateway.files.transfer import download, received
from cpsl.gateway.http import sse
from cpsl.gateway.request import GatewayRequest
from cpsl.wire.events import Error
from cpsl.wire.problem import error_for_event
from cpsl.wire.turns import (
    Attachment,
    ChatReply,
    ChatRequest,
    PromptAnswer,
    PromptState,
    ReplyText,
    Session,
    SessionChange,
    SessionList,
    Turn,
)

Key = Annotated[str | None, HeaderParameter(name="Idempotency-Key")]
Last = Annotated[int | None, HeaderParameter(name="Last-Event-ID")]
VISITORS = {"visitors": True}
MAX_BODY_BYTES = 8 * 1024 * 1024  # a message of 1 MiB, every character escaped, and some room


@post("/app/{app:str}/chat", status_code=200, request_max_body_size=MAX_BODY_BYTES, opt=VISITORS)
async def chat(
    app: str, data: ChatRequest, request: GatewayRequest, idempotency_key: Key = None
) -> Response[ChatReply]:
    """Send a message and wait for the whole answer; 202 with a ``prompt`` when the app waits for a person."""
    log = await _submit(request, app, data, idempotency_key)
    await log.settled(request.gateway.closing)
    return _answer(log)


@post("/app/{app:str}/stream", status_code=200, request_max_body_size=MAX_BODY_BYTES, opt=VISITORS)
async def stream(app: str, data: ChatRequest, request: GatewayRequest, idempotency_key: Key = None) -> Stream:
    """Send a message and follow the turn's events."""
    return _events(request, await _submit(request, app, data, idempotency_key), 0)


@get("/app/{app:str}/stream")
async def stream_by_query(
    app: str, text: str, request: GatewayRequest, session_id: str | None = None, idempotency_key: Key = None
) -> Stream:
    """As the published client asks for it. Prefer POST: a text in a URL ends up in logs."""
    return _events(request, await _submit(request, app, ChatRequest(text, session_id), idempotency_key), 0)


@get("/app/{app:str}/sessions", opt=VISITORS)
async def list_sessions(
    app: str,
    request: GatewayRequest,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    after: str | None = None,
    q: str = "",
) -> SessionList:
    """Your conversations with an app, pinned ones first, then the newest; with ``q`` those that have all its words."""
    return await request.gateway.sessions.list(*await asking.of_app(request, app), limit, after, q)


@get("/app/{app:str}/sessions/{session_id:str}", opt=VISITORS)
async def get_session(app: str, session_id: str, request: GatewayRequest) -> Session:
    """One conversation with its messages."""
    return await request.gateway.sessions.get(*await asking.of_app(request, app), session_id)


@patch("/app/{app:str}/sessions/{session_id:str}", opt=VISITORS)
async def change_session(app: str, session_id: str, data: SessionChange, request: GatewayRequest) -> Session:
    """Give a conversation another title, pin it, or unpin it."""
    return await request.gateway.sessions.change(*await asking.of_app(request, app), session_id, data)


@get("/app/{app:str}/sessions/{session_id:str}/export", opt=VISITORS)
async def export_session(
    app: str, session_id: str, request: GatewayRequest, format: Literal["markdown", "json"] = "markdown"
) -> Response[bytes]:
    """A whole conversation as a file to keep."""
    session = await request.gateway.sessions.export(*await asking.of_app(request, app), session_id)
    return exported(session, format)


@delete("/app/{app:str}/sessions/{session_id:str}", opt=VISITORS)
async def delete_session(app: str, session_id: str, request: GatewayRequest) -> None:
    """Remove a conversation; a turn that runs in it is cancelled."""
    await request.gateway.sessions.delete(*await asking.of_app(request, app), session_id)


@get("/app/{app:str}/data/{name:str}", opt={"public": True})
async def get_data(app: str, name: str, request: GatewayRequest) -> Response[bytes]:
    """What a data handler of the app returns, as JSON."""
    version, user = await asking.of_anybody(request, app)
    spec = next((each for each in version.spec.data if each.name == name), None)
    if spec is None:
        raise NotFound(f"{app} has no data handler {name[:80]!r}", code="unknown_data_handler")
    if spec.access == "authenticated" and not user.authenticated:
        raise AuthError(
            "this data is for signed-in users",
            code="authentication_required",
            hint="Send a token, or sign in: capsule login",
        )
    content = await request.gateway.data.ask(version, user, name, dict(request.query_params))
    return Response(content, media_type="application/json")


@post("/app/{app:str}/files", status_code=201, request_max_body_size=None, opt=VISITORS)
async def upload_file(app: str, name: str, request: GatewayRequest) -> Attachment:
    """Give a file, as the request's body, that a message is going to name among its ``attachments`` within a day."""
    gateway, settings = request.gateway, request.gateway.settings
    version, user = await asking.of_app(request, app)
    content_type = content_type_of(name, request.headers.get("content-type", ""))
    async with received(request, settings.data_dir / "tmp", settings.max_prompt_file_bytes) as (source, sha256):
        stored = await gateway.user_files.keep_upload(user.id, source, name, content_type, sha256)
    url = gateway.apps.file_url(version.app, stored.file_id)
    return Attachment(stored.file_id, stored.name, stored.content_type, stored.size, url)


@get("/app/{app:str}/files/{file_id:str}", opt=VISITORS)
async def get_file(app: str, file_id: str, request: GatewayRequest) -> Stream:
    """A file that the app shows to you, or that you gave to it."""
    _, user = await asking.of_app(request, app)
    stored, descriptor = await request.gateway.user_files.open(user.id, file_id)
    return download(descriptor, stored.size, stored.name, headers=picture_headers(descriptor))


@get("/turns/{request_id:str}", opt=VISITORS)
async def get_turn(request_id: str, request: GatewayRequest) -> Turn:
    """How a turn stands."""
    row = await asking.of_turn(request, request_id)
    return shown(row, request.gateway.runner.live(request_id))


@get("/turns/{request_id:str}/events", opt=VISITORS)
async def get_events(
    request_id: str, request: GatewayRequest, after: int | None = None, last_event_id: Last = None
) -> Stream:
    """Follow a turn from after an event's number."""
    await asking.of_turn(request, request_id)
    log = await request.gateway.turns.log_of(request_id)
    return _events(request, log, after if after is not None else (last_event_id or 0))


@post("/turns/{request_id:str}/cancel", status_code=200, opt=VISITORS)
async def cancel_turn(request_id: str, request: GatewayRequest) -> Turn:
    """End a turn; the answer so far stays."""
    runner = request.gateway.runner
    await asking.of_turn(request, request_id)
    await runner.cancel(request_id)
    return shown(await asking.of_turn(request, request_id), runner.live(request_id))


@post("/turns/{request_id:str}/prompts/{prompt_id:str}", status_code=200, opt=VISITORS)
async def answer_prompt(request_id: str, prompt_id: str, data: PromptAnswer, request: GatewayRequest) -> PromptState:
    """Fill in a form, or decline a prompt."""
    await asking.of_turn(request, request_id)
    return await request.once(lambda: request.gateway.prompts.answer(request_id, prompt_id, data))


@post("/turns/{request_id:str}/prompts/{prompt_id:str}/file", status_code=200, request_max_body_size=None, opt=VISITORS)
async def answer_file(request_id: str, prompt_id: str, name: str, request: GatewayRequest) -> PromptState:
    """Give the file that a prompt waits for, as the request's body."""
    gateway, settings = request.gateway, request.gateway.settings
    await asking.of_turn(request, request_id)
    content_type = content_type_of(name, request.headers.get("content-type", ""))
    async with received(request, settings.data_dir / "tmp", settings.max_prompt_file_bytes) as (source, _):
        return await gateway.prompts.answer_file(request_id, prompt_id, source, name, content_type)


async def _submit(request: GatewayRequest, app: str, message: ChatRequest, key: str | None) -> TurnLog:
    version, user = await asking.of_app(request, app)
    return await request.gateway.turns.submit(version, user, message, key)


def _events(request: GatewayRequest, log: TurnLog, after: int) -> Stream:
    if after < 0:
        raise InvalidRequest("after must not be negative")
    gateway = request.gateway
    headers = {"X-Turn-Id": log.turn_id, "X-Session-Id": log.session_id}
    return sse.stream(log.watch(after, gateway.closing, gateway.settings.heartbeat), headers)


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
        change_session,
        export_session,
        delete_session,
        get_data,
        upload_file,
        get_file,
        get_turn,
        get_events,
        cancel_turn,
        answer_prompt,
        answer_file,
    ],
    tags=["chat"],
)
