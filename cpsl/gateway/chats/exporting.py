"""Conversations as files to keep."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
from litestar import Response

from cpsl.wire.turns import Message, Session


def exported(session: Session, format: str) -> Response[bytes]:
    """A response that browsers save: the conversation as ``markdown`` or as ``json``."""
    if format == "json":
        content, kind, suffix = msgspec.json.format(msgspec.json.encode(session)), "application/json", "json"
    else:
        content, kind, suffix = as_markdown(session).encode(errors="replace"), "text/markdown; charset=utf-8", "md"
    name = quote(f"{session.title or 'Conversation'}.{suffix}", safe="")
    return Response(content, media_type=kind, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"})


def as_markdown(session: Session) -> str:
    """A conversation as Markdown: what the app said is Markdown already, and is left as it is."""
    said = [_as_markdown(message, session.app) for message in session.messages]
    return "\n\n".join([f"# {session.title or 'Conversation'}", *said]) + "\n"


def _as_markdown(message: Message, app: str) -> str:
    who = "You" if message.sender == "user" else app
    when = datetime.fromtimestamp(message.timestamp, UTC).strftime("%Y-%m-%d %H:%M UTC")
    files = [f"- {each.name}: {each.url}" for each in message.attachments]
    return "\n\n".join([f"**{who}** ({when})", message.text, *(["\n".join(files)] if files else [])])
