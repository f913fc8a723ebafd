"""Files that come with messages: whose they are, and how they are told of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection

from cpsl.errors import InvalidRequest, NotFound
from cpsl.gateway.files import store as files
from cpsl.wire.turns import MAX_ATTACHMENTS, Attachment, ChatRequest, Message

Found = tuple[Attachment, str | None]
"""A file, and its SHA-256 (hex) where it was taken."""


def check(file_ids: list[str]) -> None:
    """Raise InvalidRequest for more files than may come with one message, or for one named twice."""
    if len(file_ids) > MAX_ATTACHMENTS:
        raise InvalidRequest(
            f"{len(file_ids)} files are too many; {MAX_ATTACHMENTS} may come with one message",
            code="too_many_attachments",
            hint="Put them into one archive, or send them with several messages.",
        )
    if len(set(file_ids)) < len(file_ids):
        raise InvalidRequest("a file is attached twice", code="attached_twice", hint="Name each file once.")


def find(connection: Connection, app_user_id: str, file_ids: list[str]) -> list[Found]:
    """The files of this user, in this order. Raises NotFound for others, and for those swept away."""
    return [_found(connection, app_user_id, file_id) for file_id in file_ids]


def _found(connection: Connection, app_user_id: str, file_id: str) -> Found:
    row = files.file(connection, app_user_id, file_id)
    if row is None:
        raise NotFound(
            f"no file {file_id[:80]!r} of yours in this app",
            code="file_not_found",
            hint="Upload it to this app first, not more than a day before.",
        )
    return Attachment(row.id, row.name, row.content_type, row.size), row.sha256


def use(connection: Connection, app_user_id: str, attached: list[Attachment]) -> None:
    """Let the files stay for as long as the app. Raises NotFound for one that was swept away just now."""
    for each in attached:
        if not files.use_file(connection, app_user_id, each.id):
            raise NotFound(f"the file {each.name} was uploaded too long ago", code="file_not_found")


def fingerprint(request: ChatRequest, found: list[Found]) -> bytes:
    """What tells two messages apart. Of files it is their content: who tries again may have uploaded them again."""
    contents = [f"{attached.name}:{sha256 or attached.id}" for attached, sha256 in found]
    same = msgspec.structs.replace(request, attachments=contents)
    return hashlib.sha256(msgspec.json.encode(same)).digest()


def stored(attached: list[Attachment]) -> list[dict[str, Any]] | None:
    """As the row of a message keeps them."""
    return msgspec.to_builtins(attached) if attached else None


def read(value: Any) -> list[Attachment]:
    """What ``stored`` made."""
    return msgspec.convert(value or [], list[Attachment])


def with_urls(messages: list[Message], url: Callable[[str], str]) -> list[Message]:
    """The messages, with where each of their files can be fetched."""
    for message in messages:
        located(message.attachments, url)
    return messages


def located(attached: list[Attachment], url: Callable[[str], str]) -> list[Attachment]:
    """The same, each with where it can be fetched."""
    for each in attached:
        each.url = url(each.id)
    return attached
