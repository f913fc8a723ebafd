"""The entries of a turn's log, numbered from 1: what a handler does, as everybody who watches sees it.

The first is always ``started``; the last is ``done`` or ``error``, once. Printing the ``text`` of every ``chunk`` in
order prints the answer. Server-Sent Events carry them as ``event:`` (the type), ``id:`` (the number), ``data:`` (the
struct as JSON); see https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec


class _Event(msgspec.Struct, tag_field="type", omit_defaults=True, frozen=True):
    """Common ground of all events: told apart by their ``type``, immutable once made."""


class Started(_Event, tag="started", frozen=True):
    """The turn exists and is durable. ``version`` is the app's version that will answer, like 3."""

    request_id: str
    session_id: str
    version: int


class Chunk(_Event, tag="chunk", frozen=True):
    """A piece of the answer. A ``separator`` is the blank line between two replies and belongs to neither."""

    text: str
    separator: bool = False


class Reply(_Event, tag="reply", frozen=True):
    """Closes reply number ``reply`` (from 1): the chunks since the last close were its text."""

    reply: int


class Status(_Event, tag="status", frozen=True):
    """News about the work that is not part of the answer: queueing, building, ``session.notify``."""

    message: str
    detail: str | None = None


class Block(_Event, tag="block", frozen=True):
    """A card: an image, a task, an integration to connect. A block with the ``id`` of an earlier one replaces it."""

    id: str
    block_type: str
    payload: dict[str, Any]


class PromptField(msgspec.Struct, omit_defaults=True, frozen=True):
    """One field of a secret form. ``secret`` fields are typed hidden and never shown again."""

    name: str
    label: str = ""
    secret: bool = True
    required: bool = True


class Prompt(_Event, tag="prompt", frozen=True):
    """Waits for the user. ``kind`` says how it is answered:

    - ``integration``: open ``link`` and connect (OAuth)
    - ``form``: send the values of ``fields``
    - ``file``: upload one file that fits ``accept`` (as in HTML) and ``max_bytes``

    ``expires_at`` is in seconds since the epoch.
    """

    prompt_id: str
    kind: str
    message: str
    expires_at: float
    link: str = ""
    integration: str = ""
    scopes: list[str] = []
    fields: list[PromptField] = []
    accept: str = ""
    max_bytes: int = 0


class PromptClosed(_Event, tag="prompt_closed", frozen=True):
    """The prompt waits no more. ``outcome``: ``answered``, ``declined``, ``expired`` or ``cancelled``."""

    prompt_id: str
    outcome: str


class Error(_Event, tag="error", frozen=True):
    """The app or the platform failed; the log ends here. ``code`` is stable, ``message`` for the user."""

    code: str
    message: str
    request_id: str
    hint: str | None = None


class Done(_Event, tag="done", omit_defaults=False, frozen=True):
    """The handler returned; the log ends here."""

    request_id: str
    session_id: str
    done: bool = True


AppEvent = Chunk | Reply | Status | Block
"""What an app says. The others are the gateway's own words."""

Event = Started | Chunk | Reply | Status | Block | Prompt | PromptClosed | Error | Done
FINAL = (Done, Error)

_TYPES: dict[type, str] = {kind: kind.__struct_config__.tag for kind in get_args(Event)}
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def type_of(event: Event) -> str:
    """The name that an event goes by on the wire, like ``chunk``."""
    return _TYPES[type(event)]


def encode(event: Event) -> bytes:
    """One event as the JSON that the log keeps and the stream sends."""
    return _encode(event)


def decode(data: bytes | str) -> Event:
    """The event that ``encode`` wrote. Raises msgspec.ValidationError for anything else."""
    return _decoder.decode(data)
