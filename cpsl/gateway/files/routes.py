"""``/fs``."""

from __future__ import annotations

from litestar import Router, delete, get, post, put
from litestar.response import Stream

from cpsl.gateway.files.transfer import download, received
from cpsl.gateway.request import GatewayRequest
from cpsl.wire.resources import EntryList, FileSystem, FileSystemList, NameOnly, Stored


@get("")
async def list_filesystems(request: GatewayRequest) -> FileSystemList:
    """The filesystems of the workspace."""
    return FileSystemList(await request.gateway.filesystems.all(request.workspace_id))


@post("")
async def create_filesystem(data: NameOnly, request: GatewayRequest) -> FileSystem:
    """Make an empty filesystem."""
    return await request.gateway.filesystems.create(request.workspace_id, data.name)


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
async def list_entries(name: str, request: GatewayRequest, path: str = "/") -> EntryList:
    """What lies at a path."""
    return EntryList(await request.gateway.filesystems.entries(request.workspace_id, name, path))


@get("/{name:str}/content")
async def get_content(name: str, path: str, request: GatewayRequest) -> Stream:
    """The bytes of a file."""
    descriptor, size = await request.gateway.filesystems.open(request.workspace_id, name, path)
    return download(descriptor, size, path.rsplit("/", 1)[-1])


@put("/{name:str}/content", request_max_body_size=None)
async def put_content(
    name: str,
    path: str,
    request: GatewayRequest,
    overwrite: bool = False,
) -> Stored:
    """Store the request's body as a file, whole or not at all."""
    filesystems, settings = request.gateway.filesystems, request.gateway.settings
    await filesystems.check_put(request.workspace_id, name, path, overwrite=overwrite)
    async with received(request, settings.data_dir / "tmp", settings.max_file_bytes) as (source, _):
        return await filesystems.put(request.workspace_id, name, path, source, overwrite=overwrite)


@delete("/{name:str}/content")
async def delete_content(name: str, path: str, request: GatewayRequest) -> None:
    """Remove a file or an empty folder."""
    await request.gateway.filesystems.remove(request.workspace_id, name, path)


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
