"""Space that is kept for the store: when something fills the disk, the turns in flight can still be stored."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("cpsl.gateway.db")
_BYTES = 16 * 1024 * 1024
_SHARE = 0.02
_AGAIN_SECONDS = 60.0


class Reserve:
    """A file that takes space until the disk is full. It is not held on a disk that is nearly full already."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self) -> None:
        """Take the space, if there is enough of it; otherwise look again in a minute."""
        disk = shutil.disk_usage(self._path.parent)
        size = min(_BYTES, int(disk.total * _SHARE))
        with suppress(OSError):
            if disk.free > 4 * size:
                return self._take(size)
        timer = threading.Timer(_AGAIN_SECONDS, self.hold)
        timer.daemon = True
        timer.start()

    def release(self) -> bool:
        """Give the space to the store; False if that was done already."""
        try:
            self._path.unlink()
        except OSError:
            return False
        log.error("the disk is full: the store takes what was kept for it; free space soon")
        self.hold()
        return True

    def _take(self, size: int) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
