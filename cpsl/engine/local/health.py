"""How often a runtime may come down before it is left alone: restarts with back-off, within a budget."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cpsl.engine.protocol import AppBroken, Place, RuntimeLost

CRASHES = 5
WINDOW_SECONDS = 60.0
"""After five crashes of one runtime within a minute it is not started again before the minute is over."""
_FIRST_PAUSE_SECONDS = 0.1


class Health:
    """The crashes of all runtimes, of late."""

    def __init__(self) -> None:
        self._crashes: defaultdict[Place, deque[float]] = defaultdict(deque)

    def crashed(self, place: Place) -> None:
        """A runtime ended that nobody had told to."""
        self._crashes[place].append(time.monotonic())

    @asynccontextmanager
    async def attempt(self, place: Place) -> AsyncIterator[None]:
        """Around a start: waits after a crash, longer after each. Raises AppBroken when the budget is spent."""
        recent = self._recent(place)
        if recent >= CRASHES:
            raise self._unhealthy(place)
        if recent > 1:
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2 ** (recent - 2))
        try:
            yield
        except (AppBroken, RuntimeLost):
            self.crashed(place)
            raise

    def trouble(self, version_id: str) -> str:
        """Why a version is unhealthy; empty if it is not."""
        places = [place for place in self._crashes if place.version_id == version_id]
        down = [place.user_id for place in places if self._recent(place) >= CRASHES]
        if "" in down:
            return f"it could not be imported {CRASHES} times within a minute"
        users = len(down)
        return f"its runtime has crashed {CRASHES} times within a minute, for {users} of its users" if users else ""

    def forget(self, version_id: str) -> None:
        """The version gets a new chance."""
        for place in [place for place in self._crashes if place.version_id == version_id]:
            del self._crashes[place]

    def _recent(self, place: Place) -> int:
        crashes = self._crashes.get(place)
        if crashes is None:
            return 0
        while crashes and time.monotonic() - crashes[0] > WINDOW_SECONDS:
            crashes.popleft()
        if not crashes:
            del self._crashes[place]
        return len(crashes)

    def _unhealthy(self, place: Place) -> AppBroken:
        wait = WINDOW_SECONDS - (time.monotonic() - self._crashes[place][0])
        return AppBroken(
            f"the app has crashed {CRASHES} times within a minute and is not restarted for {wait:.0f} seconds",
            code="app_unhealthy",
            hint="Its log says why. A new deploy begins anew.",
        )
