"""A project folder, looked at for changes that matter to a deploy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_QUIET_MS = 100
"""Many files that are written at once are one change: it is told after so many milliseconds without another."""
_LONGEST_MS = 600

Snapshot = dict[str, tuple[int, int, int]]


class Project:
    """What of a folder would be deployed. Ignored files, and those that editors keep beside theirs, do not count."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._last: Snapshot = {}

    def has_changed(self) -> bool:
        """Whether anything is different from the last time that this was asked."""
        now = _snapshot(self._root)
        changed, self._last = now != self._last, now
        return changed

    def changes(self) -> Iterator[None]:
        """Yields after every change, without end. Raises FileNotFoundError when the folder is gone.

        The first look is at once: whatever changed since ``has_changed`` was asked last is not missed.
        """
        import watchfiles

        looks = watchfiles.watch(
            self._root, debounce=_LONGEST_MS, step=_QUIET_MS, rust_timeout=1000, yield_on_timeout=True
        )
        for number, seen in enumerate(looks):
            if (seen or number == 0) and self.has_changed():
                yield


def _snapshot(root: Path) -> Snapshot:
    from watchfiles import Change, DefaultFilter

    from cpsl import bundle

    counts = DefaultFilter()
    found: Snapshot = {}
    for file in bundle.collect(root):
        with suppress(FileNotFoundError):  # gone since; the next look tells
            facts = os.stat(file.path)
            if counts(Change.modified, str(file.path)):
                found[file.name] = facts.st_size, facts.st_mtime_ns, facts.st_ino
    return found
