"""The client's protocol, without I/O: plain calls with retries, event streams that survive cuts.

Each function is a generator of operations (``operations.py``); the drivers do them and send back what came.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from cpsl import errors
from cpsl.client import wall
from cpsl.client.operations import (
    STREAM_SILENCE_SECONDS,
    Answer,
    Call,
    Emit,
    Flow,
    NextEvent,
    Open,
    Received,
    Request,
    Send,
    Sleep,
    T,
    Waiting,
)
from cpsl.client.timeouts import NO_LIMITS, Timeout

RESUME_ATTEMPTS = 10
"""How often a cut stream is taken up again without a single new event, before it counts as lost."""

_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0
_LONGEST_RETRY_AFTER_SECONDS = 60.0
_ALIVE_SECONDS = 10.0  # a connection that held so long was no failed attempt, even if nothing happened on it
_ENDED_EARLY = "stream_ended"

E = TypeVar("E")


def _unheard(what: Waiting | None) -> None:
    """Nobody wants to know."""


class Page(Protocol):
    """A part of a list; ``next`` continues it, None at its end."""

    next: str | None


P = TypeVar("P", bound=Page)


@dataclass(frozen=True)
class Gateway:
    """What flows know of the other side.

    ``url`` and ``source`` (where the token came from) are for messages; a repeatable request is repeated
    ``max_retries`` times; ``timeout`` is for plain calls; ``clock`` counts seconds, and ``until`` is when by it a job
    of several requests must be done; ``on_wait`` hears what is waited for, and None when it has come.
    """

    url: str
    max_retries: int = 3
    source: str = ""
    timeout: Timeout = NO_LIMITS
    clock: Callable[[], float] = time.monotonic
    until: float | None = None
    on_wait: Callable[[Waiting | None], None] = _unheard

    def __post_init__(self) -> None:
        if not isinstance(self.max_retries, int) or self.max_retries < 0:
            raise errors.InvalidRequest(
                f"max_retries cannot be {self.max_retries!r}", code="invalid_retries", hint="Give 0 or more."
            )

    def limited(self, timeout: Timeout = NO_LIMITS) -> Gateway:
        """This one for one job that begins now: its ``total`` is for all requests of it together."""
        limits = timeout.over(self.timeout)
        if self.until is not None or limits.total is None:
            return self
        return replace(self, timeout=limits, until=self.clock() + limits.total)

    def in_time(self, request: Request) -> Request:
        """``request`` with the end that the job has."""
        return request if self.until is None else replace(request, until=self.until)

    @property
    def seconds_left(self) -> float | None:
        """How much time is left for the job, at least a moment; None for as long as it takes."""
        return None if self.until is None else max(self.until - self.clock(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the time of the job has passed."""
        return self.until is not None and self.clock() >= self.until

    def refusal(self, answer: Answer) -> errors.CapsuleError | None:
        """The error that an answer tells of, or None."""
        error = wall.refusal(answer, self.url)
        if isinstance(error, errors.AuthError) and error.status == 401 and self.source:
            error.hint = self._about_the_token(error.hint)
        return error

    def _about_the_token(self, hint: str | None) -> str:
        if self.source.startswith("environment"):  # a login would not help
            return f"It came from {self.source}, which goes before every login: unset it, or give it a valid one."
        return hint or f"The token came from {self.source}. Run 'capsule login' for a new one."


def delay(attempt: int, asked: float | None = None) -> float:
    """Seconds before attempt number ``attempt`` (from 1): exponential, jittered; ``asked`` is the gateway's own wish.

    Half of it is random, so that a hundred clients that lost one gateway do not come back in step.
    """
    if asked is not None:
        return asked
    longest: float = min(_FIRST_DELAY_SECONDS * 2 ** (attempt - 1), _LONGEST_DELAY_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not for secrets


def call(gateway: Gateway, wanted: Call[T]) -> Flow[T]:
    """One request, repeated where that is safe; returns what its answer says. Raises CapsuleError."""
    answer = yield from asked(gateway, wanted.request, Send)
    try:
        return wanted.read(answer.body)
    except wall.FOREIGN as error:
        if is_page(answer):
            raise wall.not_a_gateway(gateway.url, "it answered with a web page", answer.status) from error
        raise wall.translated(error, gateway.url) from error


def asked(gateway: Gateway, request: Request, operation: type[Send] | type[Open]) -> Flow[Answer]:
    """The answer to a request, repeated where that is safe. Raises the error that it tells of."""
    attempt, lost, before = 0, False, None
    request = (gateway.limited() if operation is Send else gateway).in_time(request)
    while True:
        answer, error = yield from _attempt(gateway, request, operation)
        if error is None:
            return answer
        if lost and request.method == "DELETE" and isinstance(error, errors.NotFound):
            return Answer(204, {})  # an earlier attempt did it, only its answer was lost
        attempt += 1
        wait = _retry_delay(gateway, request, attempt, error, answer)
        if wait is None:
            raise before if before and _is_too_late(gateway, request, error) else error
        before, lost = error, lost or error.code == wall.LOST
        yield Sleep(wait)


def _attempt(
    gateway: Gateway, request: Request, operation: type[Send] | type[Open]
) -> Flow[tuple[Answer, errors.CapsuleError | None]]:
    gateway.on_wait("contacting")
    try:
        answer: Answer = yield operation(request)
    except errors.CapsuleError as error:
        return Answer(0, {}), error
    finally:
        gateway.on_wait(None)
    return answer, gateway.refusal(answer)


def _retry_delay(
    gateway: Gateway, request: Request, attempt: int, error: errors.CapsuleError, answer: Answer
) -> float | None:
    if not request.repeatable or attempt > gateway.max_retries or not wall.is_transient(error):
        return None
    wait = delay(attempt, wall.retry_after(answer.headers.get("retry-after")))
    if request.until is not None and gateway.clock() + wait >= request.until:
        return None
    return wait if wait <= _LONGEST_RETRY_AFTER_SECONDS else None


def _is_too_late(gateway: Gateway, request: Request, error: errors.CapsuleError) -> bool:
    """Whether the end of the time ended an attempt: what the one before was told says more than that."""
    is_over = request.until is not None and gateway.clock() >= request.until
    return is_over and isinstance(error, errors.GatewayTimeout)


def pages(gateway: Gateway, page: Callable[[str | None], Call[P]], rows: Callable[[P], Sequence[Any]]) -> Flow[None]:
    """Emits all rows of a list that comes in pages, each of which tells what is ``next``."""
    after: str | None = None
    while True:
        found = yield from call(gateway, page(after))
        for row in rows(found):
            yield Emit(row)
        if (after := found.next) is None:
            return


def is_page(answer: Answer) -> bool:
    """Whether it is a web page, which no answer of a gateway is."""
    return answer.headers.get("content-type", "").startswith("text/html")


# --- event streams ------------------------------------------------------------------------------------------------


@dataclass
class Subject(Generic[E]):
    """A numbered log to be followed: how it is opened, taken up again, read, and where it ends.

    - ``first`` opens it; ``resume(n)`` is the request for what comes after number ``n``; ``last`` is the number reached
    - ``read`` makes of an event what is emitted
    - ``ending`` says whether it was the last, and raises the error that it stands for
    - ``opened`` sees each response's head; ``request_id`` names the turn, once it is known
    - ``settled``, if given, asks whether the log has ended, for those who begin behind its end
    - ``timeout``: how long the whole may take, and its connections
    - ``later`` says how to take it up when it was given up
    """

    first: Request
    resume: Callable[[int], Request]
    read: Callable[[Received, int], E]
    ending: Callable[[E], bool]
    last: int = 0
    opened: Callable[[Answer], None] = field(default=lambda head: None)
    request_id: Callable[[], str | None] = field(default=lambda: None)
    settled: Call[bool] | None = None
    timeout: Timeout = NO_LIMITS
    later: Callable[[], str] | None = None


def follow(gateway: Gateway, subject: Subject[E]) -> Flow[None]:
    """Emits every event of a log once and in order, however often the connection is cut.

    Raises StreamCut when it was cut and RESUME_ATTEMPTS attempts brought nothing new; GatewayTimeout (code
    ``turn_timeout``) after ``subject.timeout``; what the log's end stands for; and whatever refuses the request. Errors
    carry the ``request_id`` where one is known.
    """
    try:
        yield from _Following(gateway, subject).run()
    except errors.CapsuleError as error:
        error.request_id = error.request_id or subject.request_id()
        raise


class _Following(Generic[E]):
    """The state of one ``follow``: how often in a row it has failed, and since when it is connected."""

    def __init__(self, gateway: Gateway, subject: Subject[E]) -> None:
        self._gateway, self._subject = gateway, subject
        self._attempt = 0
        self._begun = False
        self._settled = False
        self._connected_at: float | None = None
        total = subject.timeout.total
        self._deadline = gateway.clock() + total if total else None

    def run(self) -> Flow[None]:
        try:
            yield from self._run()
        finally:
            self._gateway.on_wait(None)

    def _run(self) -> Flow[None]:
        while True:
            before = self._subject.last
            error = yield from self._once()
            if error is None:
                return
            if error.code == _ENDED_EARLY and self._subject.last == before and (yield from self._is_over()):
                return
            if not is_cut(error) or self._gateway.is_over or not self._next().repeatable:
                raise error
            pause = self._spend(error, progress=self._subject.last > before)
            self._gateway.on_wait("reconnecting" if self._begun else "contacting")
            yield Sleep(pause)

    def _next(self) -> Request:
        subject = self._subject
        return subject.resume(subject.last) if subject.last else subject.first

    def _once(self) -> Flow[errors.CapsuleError | None]:
        """One connection; None if it brought the log to its end."""
        subject = self._subject
        try:
            self._connected_at = None
            self._gateway.on_wait("reconnecting" if self._begun else "contacting")
            request = self._next()
            silence = request.silence or self._silence()
            request = self._gateway.in_time(replace(request, silence=silence, connect=subject.timeout.connect))
            yield from _connect(self._gateway, request, subject)
            self._connected_at, self._begun = self._gateway.clock(), True
            self._gateway.on_wait(None)
            if (yield from _read_events(self._gateway, subject, self._check_deadline)):
                return None
        except errors.CapsuleError as error:
            return error
        return errors.StreamCut("it ended before its end", code=_ENDED_EARLY)

    def _silence(self) -> float:
        longest = self._subject.timeout.read or STREAM_SILENCE_SECONDS
        if self._deadline is None:
            return longest
        self._check_deadline()
        return min(longest, max(self._deadline - self._gateway.clock(), 0.05))

    def _check_deadline(self) -> None:
        if self._deadline is not None and self._gateway.clock() >= self._deadline:
            raise errors.GatewayTimeout(
                f"The answer was not complete after {self._subject.timeout.total:g} seconds",
                code="turn_timeout",
                hint=f"The turn goes on at the gateway. {_take_up_later(self._subject)}",
            )

    def _is_over(self) -> Flow[bool]:
        """Whether nothing came because nothing is left. Asked before the last look, so that nothing slips between."""
        if self._settled or self._subject.settled is None:
            return self._settled
        self._settled = yield from call(self._gateway, self._subject.settled)
        return False

    def _spend(self, error: errors.CapsuleError, progress: bool) -> float:
        """Count a cut; the seconds to wait, or what to raise when it was one too many."""
        self._attempt = 1 if progress or self._lived(error) else self._attempt + 1
        if not self._begun and self._attempt > self._gateway.max_retries:
            raise error
        if self._attempt > RESUME_ATTEMPTS:
            raise _given_up(self._gateway, self._subject, error) from error
        return delay(self._attempt, getattr(error, "retry_after", None))

    def _lived(self, error: errors.CapsuleError) -> bool:
        if self._connected_at is None or error.code == "timeout":
            return False  # it was never there, or all that it did was be silent
        return self._gateway.clock() - self._connected_at >= _ALIVE_SECONDS


def _connect(gateway: Gateway, request: Request, subject: Subject[E]) -> Flow[None]:
    head: Answer = yield Open(request)
    if error := gateway.refusal(head):
        raise error
    if not head.headers.get("content-type", "").startswith("text/event-stream"):
        raise wall.not_a_gateway(gateway.url, "it answered with something that is no event stream", head.status)
    subject.opened(head)


def _read_events(gateway: Gateway, subject: Subject[E], check: Callable[[], None]) -> Flow[bool]:
    """Emit what is new; True at the log's end, False at the connection's. ``check`` may say that it is too late."""
    while (received := (yield NextEvent())) is not None:
        check()
        number = _number(received, gateway)
        if number <= subject.last:
            continue  # seen before the cut
        event = _read(subject, received, number, gateway)
        subject.last = number
        yield Emit(event)
        if subject.ending(event):
            return True
    return False


def _number(received: Received, gateway: Gateway) -> int:
    if received.id.isascii() and received.id.isdigit() and len(received.id) < 19:
        return int(received.id)
    if received.id == "":
        return 0  # not of the log
    raise wall.invalid_answer(gateway.url, f"an event has the number {received.id[:20]!r}")


def _read(subject: Subject[E], received: Received, number: int, gateway: Gateway) -> E:
    try:
        return subject.read(received, number)
    except wall.FOREIGN as error:
        raise wall.translated(error, gateway.url) from error


def is_cut(error: errors.CapsuleError) -> bool:
    """Whether what was cut off may be taken up again."""
    # On a stream a timeout means missed heartbeats: the other end is gone, the turn is not.
    if not isinstance(error, errors.ConnectionFailed | errors.GatewayError | errors.RateLimited):
        return False  # whatever its code: an app may name its own errors as it likes
    return error.code in ("timeout", _ENDED_EARLY) or wall.is_transient(error)


def _given_up(gateway: Gateway, subject: Subject[E], error: errors.CapsuleError) -> errors.StreamCut:
    return errors.StreamCut(
        f"The stream from {gateway.url} was cut and could not be resumed: {error.message}",
        hint=f"The gateway goes on with it. {_take_up_later(subject)}",
    )


def _take_up_later(subject: Subject[E]) -> str:
    if subject.later is not None:
        return subject.later()
    turn = subject.request_id()
    if turn is None:
        return "Call again with the same idempotency_key to take it up."
    return f"Take it up with client.turns.events({turn!r}, after={subject.last})."
