"""What a card shows: the events of an app as the template ``parts/card.html`` takes them.

A payload is whatever the app sent, so nothing of it is believed: not its types, not its addresses, not its length.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

import msgspec

from cpsl.gateway.web.markdown import FILE
from cpsl.gateway.web.rendering import render
from cpsl.wire.events import Block, Prompt, PromptField
from cpsl.wire.integrations import title

_LONGEST = 2000
_MOST_FACTS = 20
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+\Z")
_UNDONE = ("pending", "scheduled", "claimed", "running", "retry")
_TITLES = ("title", "label", "message", "text", "detail")


class Card(msgspec.Struct):
    """What a card shows. ``look``: ``waiting`` for an answer, ``optional``, ``closed``, or ``told``."""

    kind: str
    title: str
    look: str
    part: str = "block"
    message: str = ""
    prompt_id: str = ""
    outcome: str = ""
    href: str = ""
    src: str = ""
    alt: str = ""
    width: int = 0
    expires_at: float = 0
    scopes: list[str] = []
    fields: list[PromptField] = []
    accept: str = ""
    max_bytes: int = 0
    facts: list[tuple[str, str]] = []
    is_done: bool = True


def html(part_id: str, turn_id: str, card: Card) -> str:
    """The card as it stands in the page."""
    return render("parts/card.html", id=part_id, turn_id=turn_id, card=card)


def of_prompt(turn_id: str, prompt: Prompt, outcome: str) -> Card:
    """The card of a prompt, and with an ``outcome`` how it looks when it waits no more."""
    name = title(prompt.integration)
    heading = f"Connect {name}" if prompt.integration else prompt.message
    return Card(
        kind=prompt.kind,
        title=heading,
        look="closed" if outcome else "waiting",
        part="prompt",
        message=prompt.message if prompt.integration and not prompt.message.startswith(heading) else "",
        prompt_id=prompt.prompt_id,
        outcome=outcome,
        href=f"/connect/{turn_id}/{prompt.prompt_id}",
        expires_at=prompt.expires_at,
        scopes=prompt.scopes,
        fields=prompt.fields,
        accept=prompt.accept,
        max_bytes=prompt.max_bytes,
    )


def of_block(base: str, block: Block, connected: Container[str] = ()) -> Card:
    """The card of a block; one of a type that we do not know shows its title and its plain values.

    One that offers to connect what is ``connected`` says that it is.
    """
    if block.block_type == "integration_prompt":
        return _integration(base, block.payload, connected)
    makers = {"image": _image, "checkout": _checkout}
    make = makers.get(block.block_type, _generic)
    return make(base, block.block_type, block.payload)


def _integration(base: str, payload: dict[str, Any], connected: Container[str]) -> Card:
    integration = _text(payload.get("type"))
    is_connected = integration in connected
    return Card(
        kind="connect",
        title=f"Connect {title(integration)}",
        look="closed" if is_connected else "optional",
        outcome="answered" if is_connected else "",
        message=_text(payload.get("reason")),
        href=f"{base}/connect/{integration}" if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", integration) else "",
    )


def _image(base: str, _: str, payload: dict[str, Any]) -> Card:
    url = payload.get("url")
    url = url if isinstance(url, str) else ""
    own = FILE.match(url)
    src = own[1] if own else (url if _PICTURE.match(url) else "")
    width = payload.get("width")
    return Card(
        kind="image",
        title="",
        look="told",
        src=src,
        href="" if src else _link(url),
        alt=_text(payload.get("alt")) or ("Image" if src else ""),
        width=width if isinstance(width, int) and 0 < width < 10_000 else 0,
    )


def _checkout(base: str, _: str, payload: dict[str, Any]) -> Card:
    where = next((key for key in ("url", "link") if _link(payload.get(key))), "")
    card = _generic(base, "checkout", {key: value for key, value in payload.items() if key != where})
    card.href = _link(payload.get(where))
    return card


def _generic(base: str, kind: str, payload: dict[str, Any]) -> Card:
    named = next((key for key in _TITLES if _text(payload.get(key))), "")
    facts = [(_words(key), _text(value)) for key, value in payload.items() if key != named and _text(value)]
    heading = _text(payload.get(named)) or _words(kind)
    is_done = payload.get("status") not in _UNDONE
    return Card(kind=kind[:40], title=heading, look="told", facts=facts[:_MOST_FACTS], is_done=is_done)


def _text(value: object) -> str:
    """A plain value as text; nothing for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:_LONGEST]


def _words(name: str) -> str:
    return name[:80].replace("_", " ").capitalize()


def _is_link(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _link(url: object) -> str:
    return url if isinstance(url, str) and len(url) <= _LONGEST and _is_link(url) else ""
