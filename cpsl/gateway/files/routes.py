"""``/fs``."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, delete, get, post, put
from litestar.response import Stream

from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.service import Apps
from cpsl.gateway.files.service import FileSystems
from cpsl.gateway.files.transfer import download, received
from cpsl.gateway.settings import Settings
from cpsl.wire.resources import EntryList, FileSystem, FileSystemList, NameOnly, Stored


@get("")
async def list_filesystems(actor: Actor, filesystems: FileSystems) -> FileSystemList:
    """The filesystems of the workspace."""
    return FileSystemList(await filesystems.all(actor.workspace_id))


@post("")
async def create_filesystem(data: NameOnly, actor: Actor, filesystems: FileSystems) -> FileSystem:
    """Make an empty filesystem."""
    return await filesystems.create(actor.workspace_id, data.name)


@get("/{name:str}")
async def get_filesystem(name: str, actor: Actor, filesystems: FileSystems) -> FileSystem:
    """One filesystem, by name or id."""
    return await filesystems.get(actor.workspace_id, name)


@delete("/{name:str}")
async def delete_filesystem(name: str, actor: Actor, filesystems: FileSystems, apps: Apps) -> None:
    """Remove a filesystem with all its files."""
    found = await filesystems.get(actor.workspace_id, name)
    used_by = await apps.mounting(actor.workspace_id, found.name)
    await filesystems.delete(actor.workspace_id, name, used_by)


@get("/{name:str}/list")
async def list_entries(name: str, actor: Actor, filesystems: FileSystems, path: str = "/") -> EntryList:
    """What lies at a path."""
    return EntryList(await filesystems.entries(actor.workspace_id, name, path))


@get("/{name:str}/content")
async def get_content(name: str, path: str, actor: Actor, filesystems: FileSystems) -> Stream:
    """The bytes of a file."""
    descriptor, size = await filesystems.open(actor.workspace_id, name, path)
    return download(descriptor, size, path.rsplit("/", 1)[-1])


@put("/{name:str}/content", request_max_body_size=None)
async def put_content(
    request: Request[Any, Any, Any],
    name: str,
    path: str,
    actor: Actor,
    filesystems: FileSystems,
    settings: Settings,
    overwrite: bool = False,
) -> Stored:
    """Store the request's body as a file, whole or not at all."""
    await filesystems.check_put(actor.workspace_id, name, path, overwrite=overwrite)
    async with received(request, settings.data_dir / "tmp", settings.max_file_bytes) as (source, _):
        return await filesystems.put(actor.workspace_id, name, path, source, overwrite=overwrite)


@delete("/{name:str}/content")
async def delete_content(name: str, path: str, actor: Actor, filesystems: FileSystems) -> None:
    """Remove a file or an empty folder."""
    await filesystems.remove(actor.workspace_id, name, path)


router = Router(
    "/fs",
    route_handlers=[
        list_filesystems,
        create_filesystem,
        get_filesystem,
        delete_filesystem,
        list_entries,
        get_content,
        put_content,
        delete_content,
    ],
    tags=["filesystems"],
)
