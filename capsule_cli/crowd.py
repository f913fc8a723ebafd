"""Many transfers at once: a few threads, one progress bar, and an end that is clean however it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from capsule_cli import output, progress
from cpsl.errors import CapsuleError, Conflict, InvalidRequest

AT_ONCE = 4
J = TypeVar("J")


class Stopped(Exception):
    """Raised in a transfer when all are to end."""


class Meter:
    """Progress of one transfer in that of all. ``at`` takes the bytes done of it, as ``cpsl`` tells them."""

    def __init__(self, advance: progress.Advance, stop: threading.Event, what: str) -> None:
        self._advance, self._stop, self._what = advance, stop, what
        self._done = 0
        self._began = False

    def at(self, done: int) -> None:
        """So many bytes are done. Raises Stopped when all are to end."""
        if self._stop.is_set():
            raise Stopped
        if not self._began and done > 0 and self._what:
            output.whisper(f"  {self._what}: going on at {output.size(done)}")
        self._began = True
        self._advance(done - self._done)
        self._done = done

    def whole(self, size: int) -> None:
        """All of it is done, or was there already."""
        self._began = True
        self.at(size)


class Crowd:
    """Does jobs, AT_ONCE at a time. What refuses one file lets the others go on; all else ends them all."""

    def __init__(self, advance: progress.Advance) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.refused: list[CapsuleError] = []

    def meter(self, what: str) -> Meter:
        """A meter for one job; ``what`` is said when it goes on in the middle."""
        return Meter(self._count, self._stop, what)

    def _count(self, count: int) -> None:
        with self._lock:
            self._advance(count)

    def run(self, jobs: Iterable[J], do: Callable[[J], None]) -> None:
        """Do them all. Raises what ended them, or the first refusal when all the others are done."""
        rest = iter(jobs)
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            going = {pool.submit(do, job) for job in islice(rest, 2 * AT_ONCE)}
            while going:
                done, going = wait(going, return_when=FIRST_COMPLETED)
                self._collect(done)
                going |= {pool.submit(do, job) for job in islice(rest, len(done))}
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
        if self.refused:
            raise self._first()

    def _collect(self, done: Iterable[Future[None]]) -> None:
        for each in done:
            error = each.exception()
            if isinstance(error, Conflict | InvalidRequest):
                self.refused.append(error)
            elif error is not None:
                raise error

    def _first(self) -> CapsuleError:
        for error in self.refused[1:]:
            output.say(error.message)
        return self.refused[0]
