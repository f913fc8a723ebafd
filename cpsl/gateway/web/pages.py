"""An app's pages: a new conversation, one that there is, and what they send and follow."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import MediaType, Response, get, post
from litestar.params import HeaderParameter
from litestar.response import Stream
from markupsafe import Markup

from cpsl.errors import AuthError, InvalidRequest, NotFound
from cpsl.gateway import asking
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.chats.routes import MAX_BODY_BYTES
from cpsl.gateway.http import sse
from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.web import following, markdown, transcript
from cpsl.gateway.web.parts import Fold
from cpsl.gateway.web.rendering import message_page, see_other
from cpsl.gateway.web.visits import Visit, app_page, base_of, sign_in_url, signed_in, visit
from cpsl.wire.turns import ChatRequest, Session, SessionList

_LISTED = 50
Last = Annotated[int | None, HeaderParameter(name="Last-Event-ID")]
Key = Annotated[str | None, HeaderParameter(name="Idempotency-Key")]


@get("/a/{app:str}", media_type=MediaType.HTML)
async def new_page(app: str, request: GatewayRequest) -> Response[Any]:
    """A new conversation with an app."""
    return await _chat_page(request, app, None)


@get("/a/{app:str}/c/{session_id:str}", media_type=MediaType.HTML)
async def conversation_page(app: str, session_id: str, request: GatewayRequest) -> Response[Any]:
    """A conversation, with all that was said so far."""
    return await _chat_page(request, app, session_id)


@post("/a/{app:str}/messages", status_code=202, request_max_body_size=MAX_BODY_BYTES)
async def send(app: str, data: ChatRequest, request: GatewayRequest, idempotency_key: Key = None) -> dict[str, Any]:
    """Take a message. The same Idempotency-Key again gives the same turn."""
    version, user = await asking.of_app(request, app)
    log = await request.gateway.turns.submit(version, user, data, idempotency_key, "web")
    row = await request.gateway.turns.row(log.turn_id)
    session = await request.gateway.sessions.head(version, user, log.session_id)
    return {
        "request_id": log.turn_id,
        "session_id": log.session_id,
        "title": session.title,
        "html": transcript.message(row, version.app),
        "after": 0,
    }


@get("/a/{app:str}/turns/{request_id:str}/parts")
async def follow(
    app: str, request_id: str, request: GatewayRequest, after: int | None = None, last_event_id: Last = None
) -> Stream:
    """The parts of a turn's answer, as they come."""
    row = await asking.of_turn(request, request_id)
    if (known := (last_event_id if last_event_id is not None else after) or 0) < 0:
        raise InvalidRequest("after must not be negative")
    gateway = request.gateway
    version = await gateway.apps.version(row.app_id, row.version)
    fold = Fold(request_id, base_of(request, app), await _connected(request, version, row.app_user_id))
    log = await gateway.turns.log_of(request_id)
    stream = following.stream(log, fold, known, gateway.closing, gateway.settings.heartbeat)
    return sse.stream(stream)


async def _chat_page(request: GatewayRequest, app: str, session_id: str | None) -> Response[Any]:
    try:
        seen = await visit(request, app)
        signed_in(seen)
        session = await _session(request, seen, session_id) if session_id else None
    except NotFound as error:
        where = {"app": app, "base": base_of(request, app)} if error.code == "session_not_found" else {}
        said = "This conversation was deleted, or it is not yours" if where else error.message
        return message_page("Not found", said, 404, **where)
    except AuthError:
        return see_other(sign_in_url(base_of(request, app), f"/c/{session_id}" if session_id else ""))
    return await _shown(request, seen, session)


async def _session(request: GatewayRequest, seen: Visit, session_id: str) -> Session:
    if seen.user is None:
        raise NotFound("this conversation is not there, or not yours", code="session_not_found")
    return await request.gateway.sessions.head(seen.version, seen.user, session_id)


async def _connected(request: GatewayRequest, version: VersionRef, app_user_id: str) -> set[str]:
    """What a user has connected and an app can use: cards that offer to connect it say so."""
    gateway = request.gateway
    return set(await gateway.db.read(lambda c: gateway.integrations.of_user(c, version, app_user_id)))


async def _shown(request: GatewayRequest, seen: Visit, session: Session | None) -> Response[Any]:
    gateway, version = request.gateway, seen.version
    turns = Markup("")
    if session is not None and seen.user is not None:
        connected = await _connected(request, version, seen.user.id)
        turns = await transcript.of_session(gateway, version.app, session.id, seen.base, connected)
    listed = SessionList([])
    if seen.user is not None:
        listed = await gateway.sessions.list(version, seen.user, _LISTED, None)
    intro = version.spec.description or f"Write a message to talk to {version.app}."
    return app_page(
        request,
        seen,
        "chat.html",
        intro=Markup(markdown.render(intro)),  # noqa: S704
        sign_in_url=sign_in_url(seen.base, f"/c/{session.id}" if session else ""),
        can_sign_in=not (seen.user and seen.user.authenticated),
        has_connections=bool(version.spec.integrations),
        session=session,
        turns=turns,
        sessions=listed,
        max_file_bytes=gateway.settings.max_prompt_file_bytes,
    )
