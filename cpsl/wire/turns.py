"""Turns, sessions and messages as HTTP carries them."""

from __future__ import annotations

from typing import Any

import msgspec

from cpsl.wire.events import Prompt

MAX_TEXT_BYTES = 1024 * 1024
"""Longest message that a user may send, in bytes of UTF-8."""


MAX_ATTACHMENTS = 20
"""Most files that may come with one message."""


class Attachment(msgspec.Struct, omit_defaults=True):
    """A file that came with a message. ``size`` in bytes; ``url`` is where the one who sent it finds it.

    ``POST /app/{app}/files?name=`` makes one of its body.
    """

    id: str
    name: str
    content_type: str
    size: int
    url: str = ""


class ChatRequest(msgspec.Struct, omit_defaults=True):
    """``POST /app/{app}/chat`` and ``/stream``: one message. Without ``session_id`` it begins a conversation.

    ``attachments`` are ids of files that were uploaded before; with them the text may be empty.
    """

    text: str
    session_id: str | None = None
    attachments: list[str] = msgspec.field(default_factory=list)


class ReplyText(msgspec.Struct):
    """One reply of the app, whole."""

    text: str


class ChatReply(msgspec.Struct, omit_defaults=True):
    """The answer of ``POST /app/{app}/chat``. ``text`` is all replies joined by a blank line.

    ``prompt`` is there when the turn waits for a person; it then goes on when ``POST /turns/{request_id}/prompts/
    {prompt_id}`` answers it.
    """

    session_id: str
    request_id: str
    replies: list[ReplyText] = msgspec.field(default_factory=list)
    text: str = ""
    prompt: Prompt | None = None


class Turn(msgspec.Struct, omit_defaults=True):
    """``GET /turns/{request_id}``. ``state``: ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.

    ``prompt`` is what it waits for, if it waits for a person.
    """

    request_id: str
    session_id: str
    app: str
    version: int
    state: str
    text: str
    created_at: float
    ended_at: float | None = None
    prompt: Prompt | None = None


class Message(msgspec.Struct, omit_defaults=True):
    """One message of a conversation. ``sender`` is ``user`` or ``app``; ``timestamp`` in seconds since the epoch."""

    text: str
    sender: str
    timestamp: float
    request_id: str = ""
    channel_type: str = ""
    attachments: list[Attachment] = msgspec.field(default_factory=list)


class Session(msgspec.Struct, omit_defaults=True):
    """One conversation of one app user over one channel. ``messages`` only where one session is asked for."""

    id: str
    app: str
    channel: str
    created_at: float
    updated_at: float
    title: str = ""
    messages: list[Message] = msgspec.field(default_factory=list)
    pinned: bool = False


MAX_TITLE = 200
"""Characters that the title of a conversation may have."""


class SessionChange(msgspec.Struct, omit_defaults=True):
    """``PATCH /app/{app}/sessions/{session_id}``: what is left out stays as it is."""

    title: str | None = None
    pinned: bool | None = None


class SessionList(msgspec.Struct):
    """``GET /app/{app}/sessions``: the pinned ones first, each kind newest first.

    ``next`` continues where this page ended, if anything is left.
    """

    sessions: list[Session]
    next: str | None = None


class PromptAnswer(msgspec.Struct, omit_defaults=True):
    """``POST /turns/{request_id}/prompts/{prompt_id}``: the values of a form, or ``declined``."""

    fields: dict[str, str] = msgspec.field(default_factory=dict)
    declined: bool = False


class PromptState(msgspec.Struct, omit_defaults=True):
    """What became of a prompt. ``outcome`` is empty while it waits."""

    prompt_id: str
    outcome: str = ""
    file: dict[str, Any] = msgspec.field(default_factory=dict)
