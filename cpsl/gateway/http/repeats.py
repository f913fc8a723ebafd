"""Requests that are sent twice because the first answer was lost: done once, answered twice.

As draft-ietf-httpapi-idempotency-key-header has it. What is kept is what was answered, for a while and in memory: a
new token must not lie on the disk, and a gateway that was restarted in between answers as to a request of its own.
Turns, uploads and deploys outlive that; they keep their keys themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

from cpsl.errors import InvalidRequest

T = TypeVar("T")
KEPT_SECONDS = 600.0
MOST_KEPT = 1000


class Asked(NamedTuple):
    """Who asked for what, with which key."""

    account_id: str
    method: str
    target: str
    key: str


@dataclass
class _Kept:
    fingerprint: bytes
    began_at: float
    work: asyncio.Future[Any]


class Repeats:
    """What was answered to requests with a key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: dict[Asked, _Kept] = {}
        self._clock = clock

    async def once(self, asked: Asked, fingerprint: bytes, make: Callable[[], Awaitable[T]]) -> T:
        """What ``make`` returns, or returned when the same was asked before; also while that still goes on.

        What failed is made anew. Raises InvalidRequest for a key that is none; with ``idempotency_key_reused`` for one
        that came with another ``fingerprint``.
        """
        check_key(asked.key)
        self._forget()
        known = self._kept.get(asked) or self._begin(asked, fingerprint, make)
        if known.fingerprint != fingerprint:
            raise reused()
        return cast(T, await asyncio.shield(known.work))

    def _begin(self, asked: Asked, fingerprint: bytes, make: Callable[[], Awaitable[T]]) -> _Kept:
        kept = self._kept[asked] = _Kept(fingerprint, self._clock(), asyncio.ensure_future(make()))

        def settle(work: asyncio.Future[Any]) -> None:
            if (work.cancelled() or work.exception() is not None) and self._kept.get(asked) is kept:
                del self._kept[asked]

        kept.work.add_done_callback(settle)
        return kept

    def _forget(self) -> None:
        """They are in the order in which they began."""
        oldest = self._clock() - KEPT_SECONDS
        for asked, kept in list(self._kept.items()):
            if kept.began_at >= oldest and len(self._kept) < MOST_KEPT:
                return
            del self._kept[asked]


def check_key(key: str) -> None:
    """Raises InvalidRequest for what is no Idempotency-Key."""
    if not (1 <= len(key) <= 255 and key.isprintable()):
        raise InvalidRequest("the Idempotency-Key must have 1 to 255 printable characters")


def reused() -> InvalidRequest:
    """What a key gets that came with another request before."""
    return InvalidRequest(
        "this Idempotency-Key was used for another request",
        code="idempotency_key_reused",
        hint="Use a new key for each request.",
    )
