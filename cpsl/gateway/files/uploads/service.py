"""Uploads that outlive their connection and the gateway, as in draft-ietf-httpbis-resumable-upload.

Each is two files in one folder: the bytes that have come, and a note of where they are to go. The id is made of the
place and of the key that its sender chose, so that the same request finds the same upload.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request

from cpsl.errors import Conflict, NotFound, StorageFull, TooLarge
from cpsl.gateway.files.transfer import Sink, check_length, receive, too_large
from cpsl.wire.resources import Stored, Upload

KEPT_SECONDS = 24 * 3600.0
"""An upload to which nothing came for so long is removed."""

_NUMBER = 2**40
_SILENT_SECONDS = 30.0  # who sends a file has it all; what comes from a program may take its time


class Place(msgspec.Struct):
    """Where an upload is to go. ``stored`` once it has got there, for a sender whom the answer did not reach."""

    workspace_id: str
    filesystem_id: str
    path: str
    length: int | None = None
    overwrite: bool = False
    stored: Stored | None = None


class Uploads:
    """The unfinished uploads of all workspaces, in ``folder``. ``limit`` is the most bytes of one."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self.limit = limit
        self._busy: set[str] = set()
        self._hashers: dict[str, tuple[int, Any]] = {}

    async def begin(self, place: Place, key: str) -> Upload:
        """A new upload, or the one that was begun with the same key. Raises TooLarge, Conflict (``upload_busy``)."""
        if place.length is not None and place.length > self.limit:
            raise too_large(self.limit)
        upload_id = _id_of(place, key)
        with self._alone(upload_id):
            await asyncio.to_thread(self._note, upload_id, place)
            self._check_space(upload_id, place)
            return await self._shown(upload_id, place)

    async def get(self, workspace_id: str, upload_id: str) -> Upload:
        """How far it has come. Raises NotFound, Conflict while something comes."""
        place = self.place(workspace_id, upload_id)
        with self._alone(upload_id):
            return await self._shown(upload_id, place)

    async def append(self, request: Request[Any, Any, Any], workspace_id: str, upload_id: str, offset: int) -> Upload:
        """Add the request's body at ``offset``. What has come is kept, even if the rest does not come.

        Raises Conflict for another offset than the one reached, or while another request adds to it; TooLarge.
        """
        place = self.place(workspace_id, upload_id)
        with self._alone(upload_id):
            sink = await asyncio.to_thread(self._opened, upload_id)
            with sink.file:
                if offset != sink.size:
                    raise _mismatch(offset, sink.size)
                limit = self.limit if place.length is None else place.length
                check_length(request, limit - offset)
                try:
                    await receive(request, sink, limit, None if place.length is None else _SILENT_SECONDS)
                    self._hashers[upload_id] = (sink.size, sink.hasher)
                except StorageFull:
                    self._remove(upload_id)  # it would keep the disk full for a day
                    raise
            return Upload(upload_id, sink.size, sink.hasher.hexdigest(), place.length)

    def place(self, workspace_id: str, upload_id: str) -> Place:
        """Where an upload of this workspace is to go. Raises NotFound."""
        try:
            found = msgspec.json.decode(self._path(upload_id, ".json").read_bytes(), type=Place)
        except (OSError, ValueError):
            found = None
        if found is None or found.workspace_id != workspace_id:
            raise NotFound("there is no such upload, or it is too old", code="upload_not_found")
        return found

    @contextmanager
    def whole(self, upload: Upload, place: Place) -> Iterator[Path]:
        """The file of an upload that is complete, to be moved away. Raises Conflict if it is not complete."""
        if place.length is not None and upload.offset != place.length:
            raise Conflict(
                f"{upload.offset} of {place.length} bytes have come; the upload is not complete",
                code="upload_incomplete",
            )
        with self._alone(upload.id):
            yield self._path(upload.id, ".part")
            self._hashers.pop(upload.id, None)

    def make_ready(self, source: Path) -> None:
        """Give a file that is complete the mode that apps can read, and return when the disk has it."""
        os.chmod(source, 0o644)
        with source.open("rb") as file:
            os.fsync(file.fileno())

    def finish(self, upload_id: str, place: Place, stored: Stored) -> None:
        """Remember for a while that it was stored."""
        self._write_note(upload_id, msgspec.structs.replace(place, stored=stored))

    def drop(self, workspace_id: str, upload_id: str) -> None:
        """Forget an upload and what has come of it. Raises NotFound, Conflict while something comes."""
        self.place(workspace_id, upload_id)
        with self._alone(upload_id):
            self._remove(upload_id)

    def sweep(self) -> None:
        """Remove those to which nothing came for a day."""
        oldest = time.time() - KEPT_SECONDS
        for path in list(self._folder.iterdir()):
            with suppress(FileNotFoundError):  # somebody dropped it meanwhile
                if path.stem not in self._busy and path.stat().st_mtime < oldest:
                    path.unlink()
                    self._hashers.pop(path.stem, None)

    def _check_space(self, upload_id: str, place: Place) -> None:
        missing = (place.length or 0) - self._path(upload_id, ".part").stat().st_size
        if missing > shutil.disk_usage(self._folder).free:
            self._remove(upload_id)
            raise StorageFull("the gateway's disk has no space for this file; nothing was kept")

    def _note(self, upload_id: str, place: Place) -> None:
        self.sweep()
        self._write_note(upload_id, place)
        self._path(upload_id, ".part").touch(mode=0o600)

    def _write_note(self, upload_id: str, place: Place) -> None:
        new = self._path(upload_id, ".new")
        new.write_bytes(msgspec.json.encode(place))
        os.replace(new, self._path(upload_id, ".json"))

    async def _shown(self, upload_id: str, place: Place) -> Upload:
        if place.stored is not None:
            return Upload(upload_id, place.stored.size, place.stored.sha256, place.length)
        sink = await asyncio.to_thread(self._opened, upload_id)
        sink.file.close()
        return Upload(upload_id, sink.size, sink.hasher.hexdigest(), place.length)

    def _opened(self, upload_id: str) -> Sink:
        """The file behind its last byte. After a restart of the gateway it is hashed anew."""
        file = self._path(upload_id, ".part").open("r+b", buffering=0)
        size = file.seek(0, os.SEEK_END)
        known, hasher = self._hashers.get(upload_id, (-1, None))
        if known != size:
            file.seek(0)
            hasher = hashlib.file_digest(file, "sha256")
            self._hashers[upload_id] = (size, hasher)
        file.seek(size)
        return Sink(file, hasher, size)

    def _remove(self, upload_id: str) -> None:
        self._hashers.pop(upload_id, None)
        for ending in (".part", ".json"):
            self._path(upload_id, ending).unlink(missing_ok=True)

    def _path(self, upload_id: str, ending: str) -> Path:
        if not (upload_id.isascii() and upload_id.replace("_", "").isalnum() and len(upload_id) < 100):
            raise NotFound("there is no such upload", code="upload_not_found")
        return self._folder / (upload_id + ending)

    @contextmanager
    def _alone(self, upload_id: str) -> Iterator[None]:
        if upload_id in self._busy:
            raise Conflict(
                "this upload is being sent by somebody else, or by an attempt that was cut off a moment ago",
                code="upload_busy",
                hint="Wait until it has ended, then run the same command again.",
            )
        self._busy.add(upload_id)
        try:
            yield
        finally:
            self._busy.discard(upload_id)


def read_number(text: str | None) -> int | None:
    """The integer in a header, or None. Raises TooLarge for what no disk holds."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 15 or int(text) > _NUMBER:
        raise TooLarge("this is larger than any file that is taken here")
    return int(text)


def _id_of(place: Place, key: str) -> str:
    chosen = key or os.urandom(16).hex()
    parts = (place.workspace_id, place.filesystem_id, place.path, str(place.length), chosen)
    return "upl_" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _mismatch(offset: int, reached: int) -> Conflict:
    return Conflict(
        f"the upload goes on at byte {reached}, not at {offset}",
        code="upload_offset",
        hint="Ask for the offset with HEAD and go on from there.",
    )
