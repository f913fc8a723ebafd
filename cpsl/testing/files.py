"""The filesystems of a gateway in memory: folders that are gone when it closes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import msgspec

from cpsl import errors
from cpsl.app.app import App
from cpsl.testing.http import Ask, Reply, Routes, json
from cpsl.wire import resources
from cpsl.wire.ids import new_id
from cpsl.wire.names import check_resource_name


@dataclass
class _Upload:
    """A file that comes in several requests."""

    target: Path
    path: str
    overwrite: bool
    content: bytearray = field(default_factory=bytearray)
    id: str = field(default_factory=lambda: new_id("upl"))


class FileSystems:
    """Folders below ``root``; those that the apps mount are there from the beginning."""

    routes = Routes()

    def __init__(self, root: Path, apps: Iterable[App]) -> None:
        self._root = root
        self._uploads: dict[str, _Upload] = {}
        self._mounted = {each.name: app.name for app in apps for each in app.filesystems.values()}
        for name in self._mounted:
            self.folder(name)

    def folder(self, name: str) -> Path:
        """The folder of a filesystem, made if it is not there."""
        path = self._root / check_resource_name(name, "filesystem")
        path.mkdir(exist_ok=True)
        return path

    @routes("GET", "/fs")
    async def all(self, ask: Ask) -> Reply:
        """All of them."""
        return json(resources.FileSystemList([_shown(each) for each in sorted(self._root.iterdir())]))

    @routes("POST", "/fs")
    async def create(self, ask: Ask) -> Reply:
        """A new one."""
        name = check_resource_name(msgspec.json.decode(ask.body, type=resources.NameOnly).name, "filesystem")
        if (self._root / name).exists():
            raise errors.Conflict(f"there is a filesystem {name!r} already", code="filesystem_exists")
        return json(_shown(self.folder(name)), 201)

    @routes("GET", "/fs/{name}")
    async def one(self, ask: Ask) -> Reply:
        """One."""
        return json(_shown(self._known(ask)))

    @routes("DELETE", "/fs/{name}")
    async def delete(self, ask: Ask) -> Reply:
        """Remove one that no app mounts, with its files."""
        folder = self._known(ask)
        if folder.name in self._mounted:
            raise errors.Conflict(f"{folder.name} is mounted by {self._mounted[folder.name]}", code="in_use")
        shutil.rmtree(folder)
        return Reply(status=204)

    @routes("GET", "/fs/{name}/list")
    async def entries(self, ask: Ask) -> Reply:
        """What is in a folder."""
        found = sorted(self._there(ask).iterdir())
        shown = [each for each in found if each.name > ask.query.get("after", "")]
        limit = int(ask.query.get("limit", len(shown)))
        following = shown[limit - 1].name if len(shown) > limit else None
        return json(resources.EntryList([_entry(each) for each in shown[:limit]], following))

    @routes("GET", "/fs/{name}/stat")
    async def stat(self, ask: Ask) -> Reply:
        """What is at a path."""
        path, entry = self._there(ask), _entry(self._there(ask))
        digest = "digest" in ask.query and not entry.is_folder
        told = sha256(path.read_bytes()).hexdigest() if digest else ""
        found = (ask.query["path"], entry.is_folder, entry.size, entry.modified_at)
        return json(resources.FileInfo(*found, _etag(path), told))

    @routes("GET", "/fs/{name}/content")
    async def content(self, ask: Ask) -> Reply:
        """The bytes of a file, or the part that ``Range`` names."""
        path = self._there(ask)
        if path.is_dir():
            raise errors.InvalidRequest(f"{ask.query['path']} is a folder", code="invalid_path")
        headers = {"etag": _etag(path), "content-disposition": "attachment"}
        content, status = path.read_bytes(), 200
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", ask.headers.get("range", "")):
            end = int(wanted[2]) + 1 if wanted[2] else None
            content, status = content[int(wanted[1]) : end], 206
        return Reply(content, status, "application/octet-stream", headers)

    @routes("PUT", "/fs/{name}/content")
    async def put(self, ask: Ask) -> Reply:
        """Store a file."""
        return self._stored(self._wanted(ask), ask.body)

    @routes("DELETE", "/fs/{name}/content")
    async def remove(self, ask: Ask) -> Reply:
        """Remove a file or a folder."""
        path = self._there(ask)
        if not path.is_dir():
            path.unlink()
        elif "recursive" in ask.query:
            shutil.rmtree(path)
        elif any(path.iterdir()):
            raise errors.Conflict(f"the folder {ask.query['path']} is not empty", code="folder_not_empty")
        else:
            path.rmdir()
        return Reply(status=204)

    @routes("POST", "/fs/{name}/folders")
    async def make_folder(self, ask: Ask) -> Reply:
        """Make a folder."""
        _parent(self._at(ask, ask.query["path"]) / "x", ask.query["path"])
        return Reply(status=201)

    @routes("POST", "/fs/{name}/move")
    async def move(self, ask: Ask) -> Reply:
        """Give something another path."""
        wanted = msgspec.json.decode(ask.body, type=resources.Move)
        source, target = self._there(ask, wanted.source), self._at(ask, wanted.target)
        _free(target, wanted.target, overwrite=wanted.overwrite)
        _parent(target, wanted.target)
        source.replace(target)
        return Reply()

    @routes("POST", "/fs/{name}/uploads")
    async def begin(self, ask: Ask) -> Reply:
        """Begin to upload a large file."""
        upload = self._wanted(ask)
        self._uploads[upload.id] = upload
        return json(resources.Upload(upload.id, 0, ""), 201)

    @routes("PATCH", "/fs/{name}/uploads/{id}")
    async def append(self, ask: Ask) -> Reply:
        """More of it, or its end."""
        upload = self._uploads[ask.names[1]]
        upload.content += ask.body
        if ask.headers.get("upload-complete") != "?1":
            return Reply(status=204)
        return self._stored(self._uploads.pop(upload.id), bytes(upload.content))

    def _wanted(self, ask: Ask) -> _Upload:
        upload = _Upload(self._at(ask, ask.query["path"]), ask.query["path"], "overwrite" in ask.query)
        _free(upload.target, upload.path, overwrite=upload.overwrite)
        return upload

    def _stored(self, upload: _Upload, content: bytes) -> Reply:
        _parent(upload.target, upload.path)
        upload.target.write_bytes(content)
        return json(resources.Stored(upload.path, len(content), sha256(content).hexdigest()))

    def _known(self, ask: Ask) -> Path:
        for folder in self._root.iterdir():
            if ask.names[0] in (folder.name, _shown(folder).id):
                return folder
        raise errors.NotFound(f"no filesystem {ask.names[0][:80]!r} in this workspace")

    def _at(self, ask: Ask, path: str) -> Path:
        parts = [part for part in path.split("/") if part]
        if not path.startswith("/") or {".", ".."} & set(parts):
            raise errors.InvalidRequest(f"{path[:200]!r} is not a path inside a filesystem", code="invalid_path")
        return self._known(ask).joinpath(*parts)

    def _there(self, ask: Ask, path: str | None = None) -> Path:
        wanted = ask.query["path"] if path is None else path
        found = self._at(ask, wanted)
        if found.exists():
            return found
        raise errors.NotFound(f"there is no {wanted} in this filesystem", code="file_not_found")


def _free(target: Path, path: str, *, overwrite: bool) -> None:
    if target.is_dir() or (target.exists() and not overwrite):
        raise errors.Conflict(f"{path} exists already; nothing was changed", code="file_exists")


def _parent(target: Path, path: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise errors.Conflict(f"something that is no folder is on the way to {path}", code="file_exists") from None


def _shown(folder: Path) -> resources.FileSystem:
    return resources.FileSystem(f"fs_{folder.name}", folder.name, folder.stat().st_ctime)


def _entry(path: Path) -> resources.Entry:
    info, is_folder = path.stat(), path.is_dir()
    return resources.Entry(path.name, is_folder, 0 if is_folder else info.st_size, info.st_mtime)


def _etag(path: Path) -> str:
    info = path.stat()
    return f'"{info.st_size:x}-{info.st_mtime_ns:x}"'
