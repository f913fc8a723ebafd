"""Style sheets and scripts: read once, named by what is in them, so that a browser may keep them for good."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from litestar import Response, get

from cpsl.errors import NotFound
from cpsl.gateway.request import GatewayRequest

STATIC = Path(__file__).parent / "static"
_FOR_GOOD = "public, max-age=31536000, immutable"
_TEXT = {".css", ".js", ".mjs", ".svg", ".json", ".webmanifest", ".txt"}
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".webmanifest": "application/manifest+json"}

_COMMENT = re.compile(rb"^[ \t]*(?://.*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)[ \t]*\n", re.MULTILINE)
"""A comment that has its lines for itself: a fifth of what would be sent."""


class Asset(NamedTuple):
    """One static file. ``packed`` is its gzip form, empty where that is no smaller."""

    content: bytes
    packed: bytes
    content_type: str
    digest: str


def url(name: str) -> str:
    """Where a page finds a static file, for as long as all of them stay what they are.

    All are in one folder, so that a script finds those that it imports.
    """
    return f"/static/{_digest()}/{name}"


@get("/static/{name:path}", sync_to_thread=False)
def static_file(name: str, request: GatewayRequest) -> Response[bytes]:
    """A static file. Under the address that ``url`` made of it, it may be kept for good."""
    folder, _, rest = name.lstrip("/").partition("/")
    is_current = folder == _digest()
    found = _assets().get(rest if is_current else name.lstrip("/"))
    if found is None:
        raise NotFound("there is nothing at this address", code="not_found")
    etag = f'"{found.digest}"'
    headers = {"ETag": etag, "Vary": "Accept-Encoding", "Cache-Control": _FOR_GOOD if is_current else "max-age=3600"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    packs = bool(found.packed) and "gzip" in request.headers.get("accept-encoding", "")
    if packs:
        headers["Content-Encoding"] = "gzip"
    return Response(found.packed if packs else found.content, media_type=found.content_type, headers=headers)


@cache
def _digest() -> str:
    """A name for what all of them are."""
    every = "".join(f"{name}:{asset.digest}\n" for name, asset in sorted(_assets().items()))
    return hashlib.sha256(every.encode()).hexdigest()[:16]


@cache
def _assets() -> dict[str, Asset]:
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    return {path.relative_to(STATIC).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    if path.suffix in (".css", ".js"):
        content = _COMMENT.sub(b"", content)
    packed = gzip.compress(content, 9, mtime=0) if path.suffix in _TEXT else b""
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if path.suffix in _TEXT and not kind.startswith("text/") else ""  # those get it anyway
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Asset(content, packed if len(packed) < len(content) else b"", f"{kind}{charset}", digest)
