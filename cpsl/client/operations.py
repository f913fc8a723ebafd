"""What a flow asks its driver to do.

The client's protocol (retries, resuming, folding, errors) is written once, as generators that yield the operations
below and are sent their results; a failed operation is thrown into the generator as a ``CapsuleError``. Two thin
drivers (``drivers.py``) do the operations over httpx, one blocking, one async. The idea is httpx's own ``Auth`` flow.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")

STREAM_SILENCE_SECONDS = 35.0
"""A stream that is silent for longer is dead: the gateway sends a heartbeat every 15 s, so two are missing."""

Content = bytes | Iterable[bytes]

Waiting = Literal["contacting", "reconnecting"]
"""What a client may be waiting for: an answer to what it asks, or a stream that was cut."""


@runtime_checkable
class Readable(Protocol):
    """A binary file, as far as uploading needs it."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; empty at the end."""


@dataclass(frozen=True)
class Request:
    """One request to the gateway. ``path`` is below ``/api/v1`` and quoted already.

    ``content`` is the body: whole, or a stream that can be sent only once. ``repeatable`` says that sending it twice
    does no more than sending it once. ``silence`` and ``connect`` override how many seconds may pass without a byte,
    and before there is a connection; ``until`` (of the monotonic clock) is when all must be over.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | Readable | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeatable: bool = False
    silence: float | None = None
    connect: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Answer:
    """A response, whole (``body``) or, of a stream, its head. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Received:
    """One server-sent event; ``id`` is that of the last event that had one. Without ``data`` it is only a heartbeat."""

    event: str
    id: str
    data: str


@dataclass(frozen=True)
class Send:
    """Send the request; the result is its whole Answer."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Send the request and keep its response open; the result is the Answer's head (whole, if it is an error)."""

    request: Request


@dataclass(frozen=True)
class NextEvent:
    """The next Received of the open response, or None at its end."""


@dataclass(frozen=True)
class NextBytes:
    """The next bytes of the open response, or None at its end."""


@dataclass(frozen=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Do something that blocks, like walking through a folder; the result is what it returns."""

    do: Callable[[], Any]


@dataclass(frozen=True)
class Ran:
    """A process that has ended: its exit code, and what it wrote to stdout."""

    status: int
    output: bytes = field(repr=False)


@dataclass(frozen=True)
class Run:
    """Run a process in ``folder``, its stderr being ours; the result is a Ran, None if it takes longer than that."""

    argv: Sequence[str]
    folder: Path
    seconds: float | None = None


@dataclass(frozen=True)
class Emit:
    """Hand ``value`` to whoever iterates."""

    value: Any


Operation = Send | Open | NextEvent | NextBytes | Sleep | Work | Run | Emit
Flow = Generator[Operation, Any, T]


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request with one answer, and how to read that."""

    request: Request
    read: Callable[[bytes], T]
