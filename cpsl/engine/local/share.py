"""How much of the gateway's time one link may take."""

from __future__ import annotations

import asyncio
import time

_SHARE = 0.25
_AT_ONCE_SECONDS = 0.005


class Share:
    """A quarter of the time to read frames in, and five milliseconds in one go: who sends more has to wait."""

    def __init__(self) -> None:
        self._credit = _AT_ONCE_SECONDS
        self._at = time.perf_counter()

    async def spent(self, seconds: float) -> None:
        """So much was taken just now; returns when more may be."""
        now = time.perf_counter()
        self._credit = min(self._credit + (now - self._at) * _SHARE, _AT_ONCE_SECONDS) - seconds
        self._at = now
        if self._credit < 0:
            await asyncio.sleep(-self._credit / _SHARE)
