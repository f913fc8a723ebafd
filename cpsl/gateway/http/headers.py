"""What every request gets, and every response carries: an id, and headers that make browsers careful."""

from __future__ import annotations

import itertools
import re
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from cpsl.wire.ids import new_id

_START = new_id("req")
_numbers = itertools.count(1)
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),  # tokens, messages, files: nothing here is for a cache (RFC 6749 §5.1)
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"),
]
_PAGE = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin-allow-popups"),  # a window to connect in tells us when it is done
]


def careful_headers(app: ASGIApp) -> ASGIApp:
    """Give each request an id (its own ``X-Request-Id`` if that is sane) and each response its careful headers."""

    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        request_id = _given_id(scope) or f"{_START}-{next(_numbers)}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(b"x-request-id", request_id.encode()), *(_PAGE if _is_page(message) else []), *_SAFE]
                message["headers"] = [*message["headers"], *_missing(extra, present)]
            await send(message)

        await app(scope, receive, send_with_headers)

    return with_headers


def _is_page(message: Any) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])


def _missing(extra: list[tuple[bytes, bytes]], present: set[bytes]) -> list[tuple[bytes, bytes]]:
    """Those of ``extra`` that are not there, each name once: the first counts."""
    wanted = dict(reversed(extra))
    return [pair for pair in wanted.items() if pair[0] not in present]


def _given_id(scope: Any) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = str(value, "latin-1")
            return text if _GIVEN_ID.match(text) else ""
    return ""
