"""``/fs/{name}/uploads``: uploads that can be taken up again (draft-ietf-httpbis-resumable-upload).

``POST`` makes the upload (or finds it again by its ``Idempotency-Key``), ``PATCH`` adds to it at ``Upload-Offset``,
``HEAD`` tells the offset, ``DELETE`` drops it. The request with ``Upload-Complete: ?1`` stores the file.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, delete, head, patch, post

from cpsl.errors import InvalidRequest
from cpsl.gateway.files.transfer import check_digest
from cpsl.gateway.files.tree import parts_of
from cpsl.gateway.files.uploads.service import KEPT_SECONDS, Place, read_number
from cpsl.gateway.request import GatewayRequest
from cpsl.wire.resources import Stored, Upload


@post("/{name:str}/uploads")
async def begin_upload(name: str, path: str, request: GatewayRequest, overwrite: bool = False) -> Response[Upload]:
    """Begin an upload, or find the one that was begun with the same key. Bytes come with ``PATCH``."""
    filesystems, workspace_id = request.gateway.filesystems, request.workspace_id
    await filesystems.check_put(workspace_id, name, path, overwrite=overwrite)
    filesystem = await filesystems.get(workspace_id, name)
    whole = "/" + "/".join(parts_of(path))
    length = read_number(request.headers.get("upload-length"))
    place = Place(workspace_id, filesystem.id, whole, length, overwrite)
    upload = await request.gateway.uploads.begin(place, request.headers.get("idempotency-key", ""))
    headers = _headers(request, upload) | {"Location": f"/api/v1/fs/{filesystem.id}/uploads/{upload.id}"}
    return Response(upload, status_code=201, headers=headers)


@head("/{name:str}/uploads/{upload_id:str}")
async def get_upload(name: str, upload_id: str, request: GatewayRequest) -> Response[None]:
    """How many bytes have come."""
    upload = await request.gateway.uploads.get(request.workspace_id, upload_id)
    return Response(None, status_code=204, headers=_headers(request, upload))


@patch("/{name:str}/uploads/{upload_id:str}", request_max_body_size=None)
async def append_upload(name: str, upload_id: str, request: GatewayRequest) -> Response[Any]:
    """Add the body at ``Upload-Offset``; with ``Upload-Complete: ?1`` store the file under its name.

    ``Repr-Digest``, if it is there, is of the whole file: when it differs, nothing is stored.
    """
    uploads, workspace_id = request.gateway.uploads, request.workspace_id
    if (stored := uploads.place(workspace_id, upload_id).stored) is not None:
        return Response(stored)
    offset = _offset(request)
    upload = await uploads.append(request, workspace_id, upload_id, offset)
    if request.headers.get("upload-complete") != "?1":
        return Response(None, status_code=204, headers=_headers(request, upload))
    return Response(await _stored(request, upload), headers={"Upload-Complete": "?1"})


@delete("/{name:str}/uploads/{upload_id:str}")
async def delete_upload(name: str, upload_id: str, request: GatewayRequest) -> None:
    """Drop an upload with what has come of it."""
    await asyncio.to_thread(request.gateway.uploads.drop, request.workspace_id, upload_id)


async def _stored(request: GatewayRequest, upload: Upload) -> Stored:
    uploads, workspace_id = request.gateway.uploads, request.workspace_id
    try:
        check_digest(request, bytes.fromhex(upload.sha256))
    except InvalidRequest:
        uploads.drop(workspace_id, upload.id)
        raise
    place = uploads.place(workspace_id, upload.id)
    with uploads.whole(upload, place) as source:
        await asyncio.to_thread(uploads.make_ready, source)
        stored = await request.gateway.filesystems.put(
            workspace_id,
            place.filesystem_id,
            place.path,
            source,
            overwrite=place.overwrite,
            sha256=upload.sha256,
        )
        uploads.finish(upload.id, place, stored)
    return stored


def _offset(request: GatewayRequest) -> int:
    offset = read_number(request.headers.get("upload-offset"))
    if offset is None:
        raise InvalidRequest("the header Upload-Offset is missing", code="upload_offset_missing", status=400)
    kind = request.headers.get("content-type", "")
    if kind != "application/partial-upload":
        raise InvalidRequest("PATCH takes application/partial-upload", code="unsupported_media_type", status=415)
    return offset


def _headers(request: GatewayRequest, upload: Upload) -> dict[str, str]:
    limit = f"max-size={request.gateway.uploads.limit}, max-age={KEPT_SECONDS:.0f}"
    headers = {"Upload-Offset": str(upload.offset), "Upload-Complete": "?0", "Upload-Limit": limit}
    return headers if upload.length is None else headers | {"Upload-Length": str(upload.length)}
