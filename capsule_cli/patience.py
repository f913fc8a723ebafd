"""A line on the terminal while the gateway has not answered yet: something shows within a tenth of a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from capsule_cli import output

if TYPE_CHECKING:
    from capsule_cli.talk.spinner import Spinner

_QUIET_SECONDS = 0.06
_TOLD = {"contacting": "Contacting the gateway …", "reconnecting": "Connection lost: reconnecting …"}

_spinner: Spinner | None = None
_resting = False
_lost = False


def waits(what: str | None) -> None:
    """Show that something is waited for, ``contacting`` or ``reconnecting``; None: it has come."""
    if _resting:
        return
    if not output.animated(sys.stderr):
        return _tell_once(what)
    if what is not None:
        _line().show(_TOLD[what])
    elif _spinner is not None:
        _spinner.hide()


@contextmanager
def resting() -> Iterator[None]:
    """While the block runs something else moves on the terminal."""
    global _resting
    waits(None)
    _resting = True
    try:
        yield
    finally:
        _resting = False


def _tell_once(what: str | None) -> None:
    """Where nothing may move, a lost connection is worth a line, and patience is not."""
    global _lost
    if what == "reconnecting" and not _lost:
        output.whisper(_TOLD[what])
    _lost = what == "reconnecting" or (_lost and what is not None)


def _line() -> Spinner:
    global _spinner
    if _spinner is None:
        from capsule_cli.talk.spinner import Spinner

        _spinner = Spinner(_QUIET_SECONDS)
    return _spinner
