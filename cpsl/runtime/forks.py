"""Processes that the app forks by itself (``multiprocessing`` does): they have all that the runtime has in memory.

None of them may speak for it. What they print goes to the engine's pipes, as from any program that an app starts, and
one that comes to the end of the app's function ends there.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

_runtime = 0
_held = threading.local()


def cut_off(*others: Callable[[], None]) -> None:
    """This process is the runtime: what is forked from it from now on begins with ``others``."""
    global _runtime
    _runtime = os.getpid()
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_reset_signals)
    for each in others:
        os.register_at_fork(after_in_child=each)


def end_if_forked(error: BaseException | None = None) -> None:
    """At the end of the app's function: the end of a process that was forked in it, by the rules of a program."""
    if _runtime and os.getpid() != _runtime:
        _end(error)


def _end(error: BaseException | None) -> NoReturn:
    if isinstance(error, SystemExit):
        os._exit(error.code if isinstance(error.code, int) else int(error.code is not None))
    if error is not None:
        traceback.print_exception(error)
    os._exit(int(error is not None))


def _hold_signals() -> None:
    # The loop hears of signals over a socket that a fork shares: one that is for the child would be taken for ours,
    # also one that comes before the child has forgotten the socket.
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release_signals()
