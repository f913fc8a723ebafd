"""Files that go along with a message: uploaded one by one before it, then named in it. No I/O but reading them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cpsl.client import calls, flows
from cpsl.client.bodies import PIECE_BYTES, Body
from cpsl.client.operations import Call, Flow, Readable
from cpsl.wire import turns


@dataclass(frozen=True)
class Upload:
    """A file to send along with a message that is no file on disk, or goes by another name.

    ``content`` is the whole, its pieces, or an open binary file; without ``content_type`` the name decides.
    """

    name: str
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | Readable = field(repr=False)
    content_type: str = ""


Attachable = str | os.PathLike[str] | Upload
"""What ``attachments`` holds: paths of files, and uploads."""


def sent(gateway: flows.Gateway, app: str, attachments: Iterable[Attachable]) -> Flow[list[str]]:
    """Upload the files; returns their ids. Raises OSError for a path that cannot be read, before anything is sent."""
    file_ids = []
    with ExitStack() as files:
        for each in [_opened(files, each) for each in attachments]:
            made = yield from flows.call(gateway, _upload(app, each))
            file_ids.append(made.id)
    return file_ids


def _opened(files: ExitStack, given: Attachable) -> Upload:
    if isinstance(given, Upload):
        return given
    path = Path(given)
    return Upload(path.absolute().name, files.enter_context(path.open("rb")))


def _upload(app: str, given: Upload) -> Call[turns.Attachment]:
    body = Body(given.content, None)
    if body.length is None:
        return calls.upload_attachment(app, given.name, given.content_type, body.after(0, ""), None)
    content = body.read_all() if body.length <= PIECE_BYTES else _Again(body)
    return calls.upload_attachment(app, given.name, given.content_type, content, body.length)


class _Again:
    """A body that can be read from its beginning each time it is sent."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._body.after(0, "")
        assert isinstance(pieces, Iterable)
        return iter(pieces)
