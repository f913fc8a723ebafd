"""The rules of files: named folders for apps, single files for users."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
import shutil
import stat
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from cpsl.errors import Conflict, NotFound, TooLarge
from cpsl.gateway.db.database import Database
from cpsl.gateway.files import store, tree
from cpsl.gateway.files.ranges import etag_of
from cpsl.wire.frames import StoredFile
from cpsl.wire.ids import new_id
from cpsl.wire.names import check_resource_name, file_name
from cpsl.wire.resources import Entry, FileInfo, FileSystem, Stored

MAX_SHOWN_BYTES = 16 * 1024 * 1024
UNUSED_SECONDS = 24 * 3600.0
"""How long a file waits for the message that it is to come with."""

_FURTHEST = 2**62
_MAX_DIGESTS = 10_000


class FileSystems:
    """The named folders of every workspace, below ``folder``."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder
        self._digests: dict[str, str] = {}

    async def all(self, workspace_id: str) -> list[FileSystem]:
        rows = await self._db.read(lambda connection: store.filesystems_of(connection, workspace_id))
        return [_shown(row) for row in rows]

    async def get(self, workspace_id: str, name: str) -> FileSystem:
        """Raises NotFound."""
        row = await self._db.read(lambda connection: store.filesystem(connection, workspace_id, name))
        if row is None:
            raise NotFound(
                f"no filesystem {name!r} in this workspace", hint=f"Create it with: capsule fs create {name}"
            )
        return _shown(row)

    async def create(self, workspace_id: str, name: str) -> FileSystem:
        """Raises Conflict when there is one of this name."""
        check_resource_name(name, "filesystem")

        def work(connection: Connection) -> Row[Any]:
            row = store.add_filesystem(connection, workspace_id, name)
            self.path(row.id).mkdir(parents=True, exist_ok=True)
            return row

        try:
            return _shown(await self._db.write(work))
        except IntegrityError:
            raise Conflict(f"there is a filesystem {name!r} already", code="filesystem_exists") from None

    async def delete(self, workspace_id: str, name: str, used_by: list[str]) -> None:
        """Remove a filesystem with all that is in it. Raises Conflict while apps mount it."""
        found = await self.get(workspace_id, name)
        if used_by:
            raise Conflict(
                f"filesystem {found.name!r} is mounted by {', '.join(used_by)}",
                code="in_use",
                hint=f"Delete the app first: capsule app delete {used_by[0]}",
            )
        await self._db.write(lambda connection: store.remove_filesystem(connection, found.id))
        await asyncio.to_thread(shutil.rmtree, self.path(found.id), ignore_errors=True)

    async def entries(
        self, workspace_id: str, name: str, path: str, limit: int | None = None, after: str = ""
    ) -> list[Entry]:
        root = await self._root(workspace_id, name)
        return await asyncio.to_thread(tree.entries, root, path, limit, after)

    async def check_put(self, workspace_id: str, name: str, path: str, *, overwrite: bool) -> None:
        """Raise what ``put`` would raise as things stand, before all the bytes have come."""
        root = await self._root(workspace_id, name)
        await asyncio.to_thread(tree.check_place, root, path, overwrite=overwrite)

    async def put(
        self, workspace_id: str, name: str, path: str, source: Path, *, overwrite: bool, sha256: str = ""
    ) -> Stored:
        """Move a received file to its place, whole or not at all. ``sha256`` (hex), where it is known, is kept."""
        root = await self._root(workspace_id, name)
        with source.open("rb") as file:
            before = os.fstat(file.fileno())
            await asyncio.to_thread(tree.place, root, path, source, overwrite=overwrite)
            after = os.fstat(file.fileno())  # of this very file, whatever the path leads to by now
        if sha256 and after.st_mtime_ns == before.st_mtime_ns:
            self._remember(etag_of(after), sha256)
        return Stored("/" + "/".join(tree.parts_of(path)), before.st_size, sha256)

    async def open(self, workspace_id: str, name: str, path: str) -> tuple[int, os.stat_result]:
        """A descriptor of the file at ``path``, and what it is."""
        return await asyncio.to_thread(tree.open_file, await self._root(workspace_id, name), path)

    async def stat(self, workspace_id: str, name: str, path: str, *, digest: bool) -> FileInfo:
        """A file or folder; with ``digest`` also the SHA-256 of a file, which is read for it."""
        root = await self._root(workspace_id, name)
        found = await asyncio.to_thread(tree.info, root, path)
        shown = "/" + "/".join(tree.parts_of(path))
        if stat.S_ISDIR(found.st_mode):
            return FileInfo(shown, True, 0, found.st_mtime)
        etag = etag_of(found)
        sha256 = self._digests.get(etag, "") if digest else ""
        if digest and not sha256:
            descriptor, found = await asyncio.to_thread(tree.open_file, root, path)
            etag, sha256 = await asyncio.to_thread(_digest, descriptor)
            self._remember(etag, sha256)
        return FileInfo(shown, False, found.st_size, found.st_mtime, etag, sha256)

    def _remember(self, etag: str, sha256: str) -> None:
        if len(self._digests) >= _MAX_DIGESTS:
            self._digests.clear()
        self._digests[etag] = sha256

    async def make_folder(self, workspace_id: str, name: str, path: str) -> None:
        await asyncio.to_thread(tree.make_folder, await self._root(workspace_id, name), path)

    async def move(self, workspace_id: str, name: str, source: str, target: str, *, overwrite: bool) -> None:
        root = await self._root(workspace_id, name)
        await asyncio.to_thread(tree.move, root, source, target, overwrite=overwrite)

    async def remove(self, workspace_id: str, name: str, path: str, *, recursive: bool = False) -> None:
        root = await self._root(workspace_id, name)
        await asyncio.to_thread(tree.remove, root, path, recursive=recursive)

    async def _root(self, workspace_id: str, name: str) -> Path:
        return self.path((await self.get(workspace_id, name)).id)

    def path(self, filesystem_id: str) -> Path:
        """Where a filesystem lies on this machine."""
        return self._folder / filesystem_id


class UserFiles:
    """Single files that users gave to apps, or apps show to users. Each belongs to one app user."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder

    async def keep(self, app_user_id: str, source: Path, name: str, content_type: str) -> StoredFile:
        """Take over a received file."""
        file_id = new_id("fil")
        size = source.stat().st_size
        os.replace(source, self._folder / file_id)
        await self._db.write(lambda c: store.add_file(c, app_user_id, file_id, name, content_type, size))
        return StoredFile(file_id, name, content_type, size)

    async def keep_upload(
        self, app_user_id: str, source: Path, name: str, content_type: str, sha256: str
    ) -> StoredFile:
        """Take over a file that is to come with a message; UNUSED_SECONDS later it is gone if it did not."""
        await self.sweep_unused()
        file_id, clean, size = new_id("fil"), file_name(name), source.stat().st_size
        os.replace(source, self._folder / file_id)
        expires_at = time.time() + UNUSED_SECONDS
        await self._db.write(
            lambda c: store.add_file(c, app_user_id, file_id, clean, content_type, size, sha256, expires_at)
        )
        return StoredFile(file_id, clean, content_type, size)

    async def sweep_unused(self) -> None:
        """Remove the files that came with no message in time."""
        expired = await self._db.write(lambda connection: store.remove_expired(connection, time.time()))
        for file_id in expired:
            await asyncio.to_thread((self._folder / file_id).unlink, missing_ok=True)

    async def keep_bytes(self, app_user_id: str, data: bytes, name: str, content_type: str) -> StoredFile:
        """Keep what an app wants to show. Raises TooLarge over MAX_SHOWN_BYTES."""
        if len(data) > MAX_SHOWN_BYTES:
            raise TooLarge(f"{name} is over the {MAX_SHOWN_BYTES // 1024**2} MiB that an app may show")
        source = self._folder / new_id("new")
        await asyncio.to_thread(source.write_bytes, data)
        return await self.keep(app_user_id, source, file_name(name), content_type)

    async def open(self, app_user_id: str, file_id: str) -> tuple[StoredFile, int]:
        """A file of this user, and a descriptor for reading it. Raises NotFound for another user's."""
        row = await self._db.read(lambda connection: store.file(connection, app_user_id, file_id))
        if row is None:
            raise _no_file(file_id)
        try:
            descriptor = os.open(self._folder / row.id, os.O_RDONLY)
        except FileNotFoundError:
            raise _no_file(file_id) from None
        return StoredFile(row.id, row.name, row.content_type, row.size), descriptor

    async def read(self, app_user_id: str, file_id: str, offset: int, length: int) -> bytes:
        """A slice of a file of this user."""
        _, descriptor = await self.open(app_user_id, file_id)
        try:
            return await asyncio.to_thread(os.pread, descriptor, length, min(max(offset, 0), _FURTHEST))
        finally:
            os.close(descriptor)

    async def of_app(self, app_id: str) -> list[str]:
        """The ids of all files that users of an app gave."""
        return await self._db.read(lambda connection: store.files_of_app(connection, app_id))

    async def discard(self, file_ids: Iterable[str]) -> None:
        """Remove files, with their rows where they are still there."""
        for file_id in file_ids:
            await self._db.write(partial(store.remove_file, file_id))
            await asyncio.to_thread((self._folder / file_id).unlink, missing_ok=True)

    async def sweep(self) -> None:
        """Remove the files that no row names, received when the gateway was killed, and those that nobody used."""
        await self.sweep_unused()
        known = await self._db.read(store.file_ids)
        for path in [each for each in self._folder.iterdir() if each.name not in known]:
            await asyncio.to_thread(path.unlink, missing_ok=True)


def content_type_of(name: str, declared: str) -> str:
    """The content type the sender gave, or what the name suggests."""
    given = declared.split(";")[0].strip().lower()
    if given and given != "application/octet-stream" and given.isascii():
        return given[:200]
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _digest(descriptor: int) -> tuple[str, str]:
    """The ETag of an open file and its SHA-256 (hex); no ETag that anything has if it changes meanwhile."""
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        before = etag_of(os.fstat(descriptor))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return (before if etag_of(os.fstat(descriptor)) == before else "", digest)


def _no_file(file_id: str) -> NotFound:
    return NotFound(f"no file {file_id[:80]!r}", code="file_not_found")


def _shown(row: Row[Any]) -> FileSystem:
    return FileSystem(row.id, row.name, row.created_at)
