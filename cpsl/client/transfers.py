"""Files up and down, without I/O: what was cut off goes on where it stopped, and arrives whole or not at all."""

from __future__ import annotations

from typing import Any

from cpsl import errors
from cpsl.client import calls, flows, wall
from cpsl.client.bodies import PIECE_BYTES, Body, Progress
from cpsl.client.flows import Gateway
from cpsl.client.hashing import Hasher
from cpsl.client.operations import Answer, Emit, Flow, NextBytes, Open, Send, Sleep
from cpsl.wire.resources import Stored, Upload

SMALL_BYTES = PIECE_BYTES
"""What is no longer than this is sent by one request."""


def upload(
    gateway: Gateway, name: str, path: str, content: Any, overwrite: bool, progress: Progress | None
) -> Flow[Stored]:
    """Store a file. Raises what refuses it; Conflict (``file_changed``) if it changes while it is sent."""
    gateway, body = gateway.limited(), Body(content, progress)
    if body.length is not None and body.length <= SMALL_BYTES:
        if progress:
            progress(0)
        whole = body.read_all()
        stored = yield from flows.call(gateway, calls.upload(name, path, whole, overwrite))
        if progress:
            progress(len(whole))
        return stored
    return (yield from _Uploading(gateway, name, path, overwrite, body).run())


class _Uploading:
    """The state of one ``upload``: how far it has come, and how often in a row it has failed."""

    def __init__(self, gateway: Gateway, name: str, path: str, overwrite: bool, body: Body) -> None:
        self._gateway, self._name, self._path, self._overwrite = gateway, name, path, overwrite
        self._body = body
        self._attempt = 0
        self._reached = -1

    def run(self) -> Flow[Stored]:
        while True:
            try:
                upload = yield from self._begin()
                yield from self._send(upload)
                return (yield from self._complete(upload))
            except errors.CapsuleError as error:
                yield from self._recover(error)

    def _begin(self) -> Flow[Upload]:
        wanted = calls.begin_upload(self._name, self._path, self._overwrite, self._body.length, self._body.key)
        upload = yield from flows.call(self._gateway, wanted)
        if upload.offset > self._reached:
            self._attempt, self._reached = 0, upload.offset
        return upload

    def _send(self, upload: Upload) -> Flow[None]:
        content = self._body.after(upload.offset, upload.sha256)
        answer: Answer = yield Send(self._gateway.in_time(calls.append_upload(self._name, upload, content)))
        if error := self._gateway.refusal(answer):
            raise error

    def _complete(self, upload: Upload) -> Flow[Stored]:
        body = self._body
        wanted = calls.complete_upload(self._name, upload.id, body.sent, body.hasher.digest())
        return (yield from flows.call(self._gateway, wanted))

    def _recover(self, error: errors.CapsuleError) -> Flow[None]:
        """Wait before the next attempt; raise ``error`` when there is to be none."""
        self._attempt += 1
        most = flows.RESUME_ATTEMPTS if self._reached >= 0 else self._gateway.max_retries
        if not self._body.repeatable or self._attempt > most or self._gateway.is_over:
            raise error
        if error.code == "upload_differs":
            self._body.key += "-"  # a file of the same size and time, but another: it begins anew
        elif not (flows.is_cut(error) or error.code in ("upload_busy", "upload_cut", "upload_offset")):
            raise error
        yield Sleep(flows.delay(self._attempt))


def download(gateway: Gateway, name: str, path: str, offset: int, length: int | None) -> Flow[None]:
    """Emits the bytes of a file as they come, each once, however often the connection is cut.

    A whole file is compared with its SHA-256 at the end. Raises GatewayError (``digest_mismatch``), Conflict
    (``file_changed``) when it was changed before it could be taken up again.
    """
    if offset < 0 or (length is not None and length < 0):
        raise errors.InvalidRequest("offset and length count bytes from 0", code="invalid_range")
    if length == 0:
        return
    downloading = _Downloading(gateway.limited(), name, path, offset, length)
    try:
        yield from downloading.run()
    finally:
        downloading.hasher.close()


class _Downloading:
    """The state of one ``download``."""

    def __init__(self, gateway: Gateway, name: str, path: str, offset: int, length: int | None) -> None:
        self._gateway, self._name, self._path = gateway, name, path
        self._position = offset
        self._end = None if length is None else offset + length
        self._is_whole = offset == 0 and length is None
        self.hasher = Hasher()
        self._etag = ""
        self._attempt = 0

    def run(self) -> Flow[None]:
        while True:
            before = self._position
            try:
                yield from self._once()
                break
            except errors.CapsuleError as error:
                if not self._etag or not flows.is_cut(error) or self._gateway.is_over:
                    raise
                self._attempt = 1 if self._position > before else self._attempt + 1
                if self._attempt > flows.RESUME_ATTEMPTS:
                    raise
            yield Sleep(flows.delay(self._attempt))
        if self._is_whole and self._etag:
            yield from self._verify(self.hasher.hexdigest())

    def _once(self) -> Flow[None]:
        again = bool(self._etag)
        left = None if self._end is None else self._end - self._position
        if left == 0:
            return
        request = calls.download(self._name, self._path, self._position, left, self._etag)
        head: Answer = yield from flows.asked(self._gateway, request, Open)
        if "content-disposition" not in head.headers:
            raise wall.not_a_gateway(self._gateway.url, "it answered with something that is no file", head.status)
        if again and head.headers.get("etag") != self._etag:
            raise _changed(self._path)
        self._etag = head.headers.get("etag", "")
        while (piece := (yield NextBytes())) is not None:
            self._position += len(piece)
            if self._is_whole:
                self.hasher.update(piece)
            yield Emit(piece)

    def _verify(self, digest: str) -> Flow[None]:
        told = yield from flows.call(self._gateway, calls.stat(self._name, self._path, digest=True))
        if told.etag == self._etag and told.sha256 != digest:
            raise errors.GatewayError(
                f"What came of {self._path} is not what the gateway holds: the SHA-256 differs",
                code="digest_mismatch",
                hint="Download it again.",
            )


def _changed(path: str) -> errors.Conflict:
    return errors.Conflict(
        f"{path} was changed while it was downloaded", code="file_changed", hint="Download it again."
    )
