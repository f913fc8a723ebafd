"""Text as every store takes it."""

from __future__ import annotations


def storable(text: str) -> str:
    """``text`` without NUL characters, which PostgreSQL has no place for."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
