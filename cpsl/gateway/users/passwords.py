"""Passwords: argon2id, as the OWASP cheat sheet says (https://cheatsheetseries.owasp.org, Password Storage).

Hashing takes 19 MiB and a few hundredths of a second on purpose, so it runs on threads, and at most a few at once.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cpsl.errors import GatewayError
from cpsl.gateway.users.forms import FormError

SHORTEST = 8
LONGEST = 1024
_AT_ONCE = 2
_MOST_WAITING = 100
T = TypeVar("T")


class Passwords:
    """Makes and checks hashes."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """What to keep of a password. Raises GatewayError (``busy``) when too many wait."""
        return await self._in_turn(lambda: self._hasher.hash(composed(password)))

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether it is the password that ``kept`` is of. Without one it takes as long, and is False."""
        if len(password) > LONGEST:
            password = ""  # nobody has one that long
        if kept is None:
            await self.hash(password)
            return False
        return await self._in_turn(lambda: self._verify(kept, composed(password)))

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise GatewayError("too many people sign in right now", code="busy", status=503, hint="Try again shortly.")
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def composed(password: str) -> bytes:
    """A password as it is hashed: what keyboards write in different ways is the same (NFC, RFC 8265 §4.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="replace")


def check(password: str, field: str = "password") -> None:
    """Raise FormError for a password that nobody should choose: too short, too long, or one that everybody has."""
    if len(password) > LONGEST or len(unicodedata.normalize("NFC", password)) > LONGEST:
        raise FormError(field, f"A password has at most {LONGEST} characters.", code="weak_password")
    if len(unicodedata.normalize("NFC", password)) < SHORTEST:
        raise FormError(field, f"A password has at least {SHORTEST} characters.", code="weak_password")
    if password.lower() in _common():
        raise FormError(field, "Many people have this password. Choose another.", code="weak_password")


def _common() -> frozenset[str]:
    if not _COMMON:
        from zxcvbn.frequency_lists import FREQUENCY_LISTS  # a megabyte, of which this much is kept

        _COMMON.append(frozenset(each for each in FREQUENCY_LISTS["passwords"] if len(each) >= SHORTEST))
    return _COMMON[0]


_COMMON: list[frozenset[str]] = []
