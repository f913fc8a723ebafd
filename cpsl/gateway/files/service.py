"""The rules of files: named folders for apps, single files for users."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from cpsl.errors import Conflict, NotFound, TooLarge
from cpsl.gateway.db.database import Database
from cpsl.gateway.files import store, tree
from cpsl.wire.frames import StoredFile
from cpsl.wire.ids import new_id
from cpsl.wire.names import check_resource_name, file_name
from cpsl.wire.resources import Entry, FileSystem, Stored

MAX_SHOWN_BYTES = 16 * 1024 * 1024
_FURTHEST = 2**62


class FileSystems:
    """The named folders of every workspace, below ``folder``."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder

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

    async def entries(self, workspace_id: str, name: str, path: str) -> list[Entry]:
        root = self.path((await self.get(workspace_id, name)).id)
        return await asyncio.to_thread(tree.entries, root, path)

    async def check_put(self, workspace_id: str, name: str, path: str, *, overwrite: bool) -> None:
        """Raise what ``put`` would raise as things stand, before all the bytes have come."""
        root = self.path((await self.get(workspace_id, name)).id)
        await asyncio.to_thread(tree.check_place, root, path, overwrite=overwrite)

    async def put(self, workspace_id: str, name: str, path: str, source: Path, *, overwrite: bool) -> Stored:
        """Move a received file to its place, whole or not at all."""
        root = self.path((await self.get(workspace_id, name)).id)
        size = source.stat().st_size
        await asyncio.to_thread(tree.place, root, path, source, overwrite=overwrite)
        return Stored("/" + "/".join(tree.parts_of(path)), size)

    async def open(self, workspace_id: str, name: str, path: str) -> tuple[int, int]:
        """A descriptor of the file at ``path``, and its size."""
        root = self.path((await self.get(workspace_id, name)).id)
        return await asyncio.to_thread(tree.open_file, root, path)

    async def remove(self, workspace_id: str, name: str, path: str) -> None:
        root = self.path((await self.get(workspace_id, name)).id)
        await asyncio.to_thread(tree.remove, root, path)

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
        """Remove the files that no row names: what was being received when the gateway was killed."""
        known = await self._db.read(store.file_ids)
        for path in [each for each in self._folder.iterdir() if each.name not in known]:
            await asyncio.to_thread(path.unlink, missing_ok=True)


def content_type_of(name: str, declared: str) -> str:
    """The content type the sender gave, or what the name suggests."""
    given = declared.split(";")[0].strip().lower()
    if given and given != "application/octet-stream" and given.isascii():
        return given[:200]
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _no_file(file_id: str) -> NotFound:
    return NotFound(f"no file {file_id[:80]!r}", code="file_not_found")


def _shown(row: Row[Any]) -> FileSystem:
    return FileSystem(row.id, row.name, row.created_at)
