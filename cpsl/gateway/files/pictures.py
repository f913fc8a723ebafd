"""Which files a browser may show: pictures made of pixels, known by how they begin rather than by what they are called.

No SVG: it is a document that can hold scripts (https://www.w3.org/TR/SVG2/interact.html#ScriptElement).
"""

from __future__ import annotations

import os

_BEGIN = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_SANDBOX = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def picture_headers(descriptor: int) -> dict[str, str]:
    """The headers with which an open file is shown in a page; none for a file that is not such a picture."""
    kind = _kind(os.pread(descriptor, 16, 0))
    if kind is None:
        return {}
    return {"Content-Type": kind, "Content-Disposition": "inline", "Content-Security-Policy": _SANDBOX}


def _kind(begin: bytes) -> str | None:
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return "image/webp"
    if begin[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return next((kind for mark, kind in _BEGIN.items() if begin.startswith(mark)), None)
