"""How long a client waits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cpsl.errors import InvalidRequest


@dataclass(frozen=True)
class Timeout:
    """How long to wait, each part in seconds; None leaves a part as it is.

    - ``connect``: for the gateway to take a connection (10)
    - ``read``: for the next byte of an answer; of a stream, which is never silent for more than 15 seconds, before its
      connection counts as lost and is made anew (60, of a stream 35)
    - ``total``: for a whole call, retries and the waits between them included (no limit): a file that is uploaded or
      downloaded, or a deploy, from its beginning to its end. Lists and logs that are iterated have it for each request
    """

    connect: float | None = None
    read: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        for value in (self.connect, self.read, self.total):
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise InvalidRequest(
                    f"a timeout cannot be {value!r}", code="invalid_timeout", hint="Give seconds above 0, like 2.5."
                )

    def after(self, seconds: float) -> Timeout:
        """This one, when ``seconds`` of ``total`` have passed."""
        return self if self.total is None else replace(self, total=max(self.total - seconds, 0.001))

    def over(self, other: Timeout) -> Timeout:
        """This one, and of ``other`` what this one leaves open."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return replace(other, **given)


NO_LIMITS = Timeout()
"""Waits as everything else says."""


def reading(given: float | Timeout | None) -> Timeout:
    """A client's ``timeout``: a number is ``read``."""
    return given if isinstance(given, Timeout) else Timeout(read=given)


def whole(given: float | Timeout | None) -> Timeout:
    """The ``timeout`` of one call: a number is ``total``."""
    return given if isinstance(given, Timeout) else Timeout(total=given)
