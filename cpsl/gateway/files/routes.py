"""``/fs``."""

from __future__ import annotations

import os
from email.utils import formatdate
from functools import partial
from typing import Any

from litestar import Response, Router, delete, get, head, post, put

from cpsl.errors import InvalidRequest
from cpsl.gateway.files.ranges import Unsatisfiable, etag_of, part_of
from cpsl.gateway.files.transfer import download, received
from cpsl.gateway.files.uploads.routes import append_upload, begin_upload, delete_upload, get_upload
from cpsl.gateway.http.problems import answer, request_id
from cpsl.gateway.request import GatewayRequest
from cpsl.wire.problem import from_error
from cpsl.wire.resources import EntryList, FileInfo, FileSystem, FileSystemList, Move, NameOnly, Stored

MAX_ENTRIES = 10_000
"""The longest page of a listing."""


@get("")
async def list_filesystems(request: GatewayRequest) -> FileSystemList:
    """The filesystems of the workspace."""
    return FileSystemList(await request.gateway.filesystems.all(request.workspace_id))


@post("")
async def create_filesystem(data: NameOnly, request: GatewayRequest) -> FileSystem:
    """Make an empty filesystem."""
    return await request.once(lambda: request.gateway.filesystems.create(request.workspace_id, data.name))


@get("/{name:str}")
async def get_filesystem(name: str, request: GatewayRequest) -> FileSystem:
    """One filesystem, by name or id."""
    return await request.gateway.filesystems.get(request.workspace_id, name)


@delete("/{name:str}")
async def delete_filesystem(name: str, request: GatewayRequest) -> None:
    """Remove a filesystem with all its files."""
    filesystems = request.gateway.filesystems
    found = await filesystems.get(request.workspace_id, name)
    used_by = await request.gateway.apps.mounting(request.workspace_id, found.name)
    await filesystems.delete(request.workspace_id, name, used_by)


@get("/{name:str}/list")
async def list_entries(
    name: str, request: GatewayRequest, path: str = "/", limit: int | None = None, after: str = ""
) -> EntryList:
    """What lies at a path, by name; with ``limit`` a page of it."""
    if limit is None:
        return EntryList(await request.gateway.filesystems.entries(request.workspace_id, name, path))
    wanted = min(max(limit, 1), MAX_ENTRIES)
    found = await request.gateway.filesystems.entries(request.workspace_id, name, path, wanted + 1, after)
    return EntryList(found[:wanted], found[wanted - 1].name if len(found) > wanted else None)


@get("/{name:str}/stat")
async def get_stat(name: str, path: str, request: GatewayRequest, digest: bool = False) -> FileInfo:
    """A file or folder: size, time of the last write, ETag, and on demand its SHA-256."""
    return await request.gateway.filesystems.stat(request.workspace_id, name, path, digest=digest)


@post("/{name:str}/folders")
async def make_folder(name: str, path: str, request: GatewayRequest) -> None:
    """Make a folder, with those above it. One that is there already is left as it is."""
    await request.gateway.filesystems.make_folder(request.workspace_id, name, path)


@post("/{name:str}/move", status_code=200)
async def move(name: str, data: Move, request: GatewayRequest) -> None:
    """Give a file or folder another path."""
    move_it = partial(request.gateway.filesystems.move, request.workspace_id, name, data.source, data.target)
    await request.once(lambda: move_it(overwrite=data.overwrite))


@get("/{name:str}/content")
async def get_content(name: str, path: str, request: GatewayRequest) -> Response[Any]:
    """The bytes of a file, or with ``Range`` a part of them."""
    descriptor, info = await request.gateway.filesystems.open(request.workspace_id, name, path)
    etag, size = etag_of(info), info.st_size
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Last-Modified": formatdate(info.st_mtime, usegmt=True)}
    try:
        part = part_of(size, request.headers.get("range"), request.headers.get("if-range"), etag)
    except Unsatisfiable:
        os.close(descriptor)
        return _unsatisfiable(request, size)
    if part is None:
        return download(descriptor, size, _last(path), headers=headers)
    headers["Content-Range"] = f"bytes {part[0]}-{part[0] + part[1] - 1}/{size}"
    return download(descriptor, part[1], _last(path), offset=part[0], status=206, headers=headers)


def _unsatisfiable(request: GatewayRequest, size: int) -> Response[Any]:
    error = InvalidRequest(f"the file has only {size} bytes", code="invalid_range", status=416)
    return answer(from_error(error, request_id(request)), {"Content-Range": f"bytes */{size}"})


@head("/{name:str}/content")
async def head_content(name: str, path: str, request: GatewayRequest) -> Response[None]:
    """What ``GET`` would say of a file, without its bytes."""
    found = await request.gateway.filesystems.stat(request.workspace_id, name, path, digest=False)
    if found.is_folder:
        raise InvalidRequest(f"{path} is a folder", code="invalid_path")
    headers = {
        "ETag": found.etag,
        "Accept-Ranges": "bytes",
        "Last-Modified": formatdate(found.modified_at, usegmt=True),
        "Content-Length": str(found.size),
    }
    return Response(None, headers=headers | {"Content-Type": "application/octet-stream"})


@put("/{name:str}/content", request_max_body_size=None)
async def put_content(
    name: str,
    path: str,
    request: GatewayRequest,
    overwrite: bool = False,
) -> Stored:
    """Store the request's body as a file, whole or not at all. A ``Repr-Digest`` (RFC 9530) is checked."""
    digest = request.headers.get("repr-digest", "").encode()
    return await request.once(partial(_put, request, name, path, overwrite=overwrite), digest)


async def _put(request: GatewayRequest, name: str, path: str, *, overwrite: bool) -> Stored:
    filesystems, settings = request.gateway.filesystems, request.gateway.settings
    await filesystems.check_put(request.workspace_id, name, path, overwrite=overwrite)
    async with received(request, settings.data_dir / "tmp", settings.max_file_bytes) as (source, sha256):
        return await filesystems.put(request.workspace_id, name, path, source, overwrite=overwrite, sha256=sha256)


@delete("/{name:str}/content")
async def delete_content(name: str, path: str, request: GatewayRequest, recursive: bool = False) -> None:
    """Remove a file or an empty folder; with ``recursive`` a folder with all that is in it."""
    await request.gateway.filesystems.remove(request.workspace_id, name, path, recursive=recursive)


def _last(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


router = Router(
    "/fs",
    route_handlers=[
        list_filesystems,
        create_filesystem,
        get_filesystem,
        delete_filesystem,
        list_entries,
        get_stat,
        make_folder,
        move,
        get_content,
        head_content,
        put_content,
        delete_content,
        begin_upload,
        get_upload,
        append_upload,
        delete_upload,
    ],
    tags=["filesystems"],
)
