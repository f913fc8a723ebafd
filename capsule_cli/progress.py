"""Progress of something that takes a while: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from capsule_cli import output, patience

Advance = Callable[[int], None]
"""To be called with the number of bytes that were done since the last call."""


@contextmanager
def bar(what: str, total: int | None) -> Iterator[Advance]:
    """Show progress while the block runs. ``total`` in bytes, None if it is not known."""
    if output.animated(sys.stderr):
        with patience.resting(), _rich_bar(what, total) as advance:
            yield advance
    else:
        yield _plain(what, total)


@contextmanager
def _rich_bar(what: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def _plain(what: str, total: int | None) -> Advance:
    """A line at the start, and one every five seconds of a long transfer."""
    done, last = 0, time.monotonic()
    of = f" of {output.size(total)}" if total is not None else ""
    output.say(f"{what} ({output.size(total)})" if total is not None else what)

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        if time.monotonic() - last >= 5:
            last = time.monotonic()
            output.say(f"  {output.size(done)}{of}")

    return advance


def counted(pieces: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    """``pieces`` as they are, each reported to ``advance``."""
    for piece in pieces:
        yield piece
        advance(len(piece))
