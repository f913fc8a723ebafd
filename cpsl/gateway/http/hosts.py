"""A gateway for this machine answers to this machine's names only.

A page that points its own name at 127.0.0.1 (DNS rebinding) would otherwise be same-origin with the gateway.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

import msgspec
from litestar.enums import ScopeType
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send

from cpsl.wire.problem import MEDIA_TYPE, Problem

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def local_hosts(app: ASGIApp, public_url: str) -> ASGIApp:
    """Refuse requests whose Host is not a name of this machine, nor that of ``public_url`` (RFC 9110 §15.5.20)."""
    known = _LOCAL | {urlsplit(public_url).hostname or "localhost"}

    async def check_host(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and not _is_for_us(scope, known):
            await _refuse(public_url, scope, receive, send)
            return
        await app(scope, receive, send)

    return check_host


async def _refuse(public_url: str, scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(
        "this gateway does not answer to that host name",
        421,
        "wrong_host",
        hint=f"Use {public_url or '127.0.0.1 or localhost'}. Behind a proxy, the setting public_url names its address.",
        request_id=str(scope.get("state", {}).get("request_id", "")),
    )
    refusal = ASGIResponse(body=msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA_TYPE)
    await refusal(scope, receive, send)


def _is_for_us(scope: Scope, known: frozenset[str]) -> bool:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    name = _name(hosts[0]) if len(hosts) == 1 else ""
    return name in known or name.endswith(".localhost")


@lru_cache(64)
def _name(host: bytes) -> str:
    try:
        return urlsplit(f"//{host.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""
