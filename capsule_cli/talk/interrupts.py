"""Ctrl-C while an answer comes in: the first cancels the turn at the gateway, the second leaves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Takes over SIGINT for the time of one turn. ``cancel`` is called with the turn's id, on a thread of its own.

    The stream is not torn: it goes on until the gateway closes the turn, so that nothing of the answer is lost.
    """

    def __init__(self, cancel: Callable[[str], None]) -> None:
        self._cancel = cancel
        self._request_id = ""
        self._asking = False
        self._before: Any = None
        self.cancelled = False

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def started(self, request_id: str) -> None:
        """The turn has an id now; a Ctrl-C that came before is carried out."""
        first = not self._request_id
        self._request_id = request_id
        if first and self.cancelled:
            self._send()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the person types, Ctrl-C interrupts the typing, and that cancels the turn."""
        self._asking = True
        try:
            yield
        except KeyboardInterrupt:
            self._asking = False
            self.cancel()
        finally:
            self._asking = False

    def cancel(self) -> None:
        """Cancel the turn; a second time, leave."""
        if self.cancelled:
            raise KeyboardInterrupt
        self.cancelled = True
        if self._request_id:
            self._send()

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._asking:
            raise KeyboardInterrupt
        self.cancel()

    def _send(self) -> None:
        threading.Thread(target=self._cancel, args=(self._request_id,), daemon=True).start()
