"""Parts of a file over HTTP: ``Range``, ``If-Range`` and ETags (RFC 9110 §13, §14), digests (RFC 9530)."""

from __future__ import annotations

import base64
import os
import re

_RANGE = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*\Z", re.ASCII | re.IGNORECASE)


class Unsatisfiable(Exception):
    """None of the bytes that were asked for are there."""


def etag_of(info: os.stat_result) -> str:
    """A strong ETag. By the time of the last change, which programs cannot set, rather than of the last write."""
    return f'"{info.st_size:x}-{info.st_ctime_ns:x}-{info.st_ino:x}"'


def part_of(size: int, wanted: str | None, condition: str | None, etag: str) -> tuple[int, int] | None:
    """First byte and number of bytes that ``Range: wanted`` asks for; None: the whole file.

    Whole is also what a header asks for that we cannot read, that names several parts, or whose ``If-Range`` is about
    another content (RFC 9110 §14.2). Raises Unsatisfiable.
    """
    match = _RANGE.match(wanted or "")
    if match is None or (condition is not None and condition.strip() != etag):
        return None
    first, last = match[1], match[2]
    if not first and not last:
        return None
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise Unsatisfiable
    return start, end - start


def repr_digest(digest: bytes) -> str:
    """The value of ``Repr-Digest`` for a SHA-256."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


def read_digest(header: str | None) -> bytes | None:
    """The SHA-256 in a ``Repr-Digest``, or None if it names none."""
    found = re.search(r"(?:^|[,\s])sha-256=:([A-Za-z0-9+/]{43}=):", header or "")
    return base64.b64decode(found[1]) if found else None
