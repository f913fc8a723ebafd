"""Tokens: ``cps_`` + 256 random bits + a checksum, so that a mistyped one is refused before it is looked up."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib

PREFIX = "cps_"


def new_token(prefix: str = PREFIX) -> str:
    """A token that nobody has seen before."""
    body = _text(os.urandom(32))
    return f"{prefix}{body}{_checksum(prefix + body)}"


def is_well_formed(token: str, prefix: str = PREFIX) -> bool:
    """Whether ``token`` could be one of ours: the prefix and the checksum fit."""
    body, checksum = token[:-6], token[-6:]
    return (
        token.isascii() and token.startswith(prefix) and len(body) == len(prefix) + 43 and _checksum(body) == checksum
    )


def hash_of(token: str) -> bytes:
    """What the store keeps of a token: with 256 random bits inside, a fast hash is enough (OWASP ASVS 7.2.3)."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(body: str) -> str:
    return _text(zlib.crc32(body.encode()).to_bytes(4, "big"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
