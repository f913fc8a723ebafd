"""SHA-256 beside a transfer: a piece is hashed in a thread (which lets others run) while the next one is received."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_PIECE_BYTES = 1024 * 1024


class Hasher:
    """The SHA-256 of what it is given, in this order. ``close`` it: what is long has a thread of its own."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._thread: ThreadPoolExecutor | None = None
        self._hashing: Future[None] | None = None

    def update(self, piece: bytes) -> None:
        """Take more. It waits only when the thread is a whole piece behind, so two are in memory at most."""
        self._buffer += piece
        if len(self._buffer) >= _PIECE_BYTES:
            self._hand_over()

    def hexdigest(self) -> str:
        """The digest of all so far, as hex."""
        self._wait()
        self._hash.update(self._buffer)
        self._buffer = bytearray()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()

    def _hand_over(self) -> None:
        self._wait()
        if self._thread is None:
            from concurrent.futures import ThreadPoolExecutor  # here: most files need none

            self._thread = ThreadPoolExecutor(1, "capsule-sha256")
        self._hashing = self._thread.submit(self._hash.update, self._buffer)
        self._buffer = bytearray()

    def _wait(self) -> None:
        if self._hashing is not None:
            self._hashing.result()
