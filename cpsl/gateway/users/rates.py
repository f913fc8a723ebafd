"""How often something may be tried: sliding windows, in memory. A restart, which no guesser can cause, forgets them."""

from __future__ import annotations

import ipaddress
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from cpsl.errors import RateLimited

_MOST_KEYS = 50_000


class Rate(NamedTuple):
    """``times`` within ``seconds``."""

    name: str
    times: int
    seconds: float


class Rates:
    """What was tried lately, by whom. ``clock`` tells the seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tried: dict[tuple[str, ...], deque[float]] = {}

    def spend(self, rate: Rate, *who: str) -> None:
        """Count one more. Raises RateLimited, which says when it may be tried again, for one too many."""
        tried, now = self._recent(rate, who), self._clock()
        if len(tried) >= rate.times:
            seconds = tried[0] + rate.seconds - now
            raise RateLimited(
                "That was tried too often.", retry_after=seconds, hint=f"Try again in {_in_words(seconds)}."
            )
        tried.append(now)

    def has_left(self, rate: Rate, *who: str) -> bool:
        """Whether it may be tried once more."""
        return len(self._recent(rate, who)) < rate.times

    def give_back(self, rate: Rate, *who: str) -> None:
        """The last one did not count."""
        tried = self._recent(rate, who)
        if tried:
            tried.pop()

    def forget(self, rate: Rate, *who: str) -> None:
        """Begin to count anew."""
        self._tried.pop((rate.name, *who), None)

    def _recent(self, rate: Rate, who: tuple[str, ...]) -> deque[float]:
        key = (rate.name, *who)
        tried = self._tried.pop(key, None) or deque()
        while tried and tried[0] <= self._clock() - rate.seconds:
            tried.popleft()
        while len(self._tried) >= _MOST_KEYS:
            del self._tried[next(iter(self._tried))]  # the one that nobody has asked about for longest
        self._tried[key] = tried
        return tried


def network_of(address: str) -> str:
    """What one client has: an IPv4 address, or the /64 of an IPv6 one, whose addresses it may choose freely."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def _in_words(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes"
