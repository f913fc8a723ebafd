"""``http://{app}.localhost:{port}``: an app's pages at the root of a host name of its own.

Names under ``localhost`` are this machine, without anybody's DNS (RFC 6761 §6.3). What is the gateway's rather than an
app's has the same address there: the API, static files, where links of prompts lead.
"""

from __future__ import annotations

import re

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(rb"([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.localhost(?::\d+)?\Z", re.IGNORECASE)
_SHARED = re.compile(
    r"/(?:a|api|static|oauth|device|healthz|readyz|openapi\.json)(?:/|\Z)"
    r"|/connect/[^/]+/[^/]+\Z"  # the link of a prompt; with one name less it is an app's page
)


def app_hosts(app: ASGIApp) -> ASGIApp:
    """Lead requests for an app's host name to the app's pages; ``state["app_host"]`` is then the app's name."""

    async def with_host(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and (name := _app_of(scope)):
            scope.setdefault("state", {})["app_host"] = name
            if not _SHARED.match(scope["path"]):
                path = f"/a/{name}{scope['path'].rstrip('/')}"
                scope["path"], scope["raw_path"] = path, path.encode()
        await app(scope, receive, send)

    return with_host


def _app_of(scope: Scope) -> str:
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    found = _HOST.match(host)
    return found[1].decode().lower() if found else ""
