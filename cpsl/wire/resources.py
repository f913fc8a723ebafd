"""Secrets, filesystems and channels: what a workspace owns besides apps."""

from __future__ import annotations

import msgspec


class SecretsCreate(msgspec.Struct, omit_defaults=True):
    """``POST /secrets``: all of them are stored, or none. ``overwrite`` replaces those that exist.

    Apps that name one of them restart, but with ``stage``: then the new values are for what is deployed from now on.
    An empty value is refused, but with ``allow_empty``.
    """

    secrets: dict[str, str]
    overwrite: bool = False
    stage: bool = False
    allow_empty: bool = False

    def __repr__(self) -> str:
        return f"SecretsCreate(secrets={{{', '.join(f'{name}: [secure]' for name in self.secrets)}}})"


class Secret(msgspec.Struct, omit_defaults=True):
    """A secret as anyone may see it: never its value. ``digest`` tells two values apart and no more.

    ``staged_at``: when its newest value was staged; versions that were deployed earlier have the value before.
    ``used_by``: the apps whose live version names it.
    """

    name: str
    digest: str
    created_at: float
    updated_at: float
    staged_at: float | None = None
    used_by: list[str] = []


class SecretList(msgspec.Struct):
    """``GET /secrets``."""

    secrets: list[Secret]


class SecretsStored(msgspec.Struct, omit_defaults=True):
    """The answer of ``POST /secrets``. ``restarted``: apps that get the new values now; ``notes`` are for people.

    ``unchanged``: names of those that had the very value already.
    """

    secrets: list[Secret]
    restarted: list[str] = []
    notes: list[str] = []
    unchanged: list[str] = []


class SecretDeleted(msgspec.Struct, omit_defaults=True):
    """The answer of ``DELETE /secrets/{name}``. ``restarted``: apps that go on without it."""

    name: str
    restarted: list[str] = []


class NameOnly(msgspec.Struct):
    """``POST /fs``: the name of what is to be created."""

    name: str


class FileSystem(msgspec.Struct):
    """A named folder that apps mount."""

    id: str
    name: str
    created_at: float


class FileSystemList(msgspec.Struct):
    """``GET /fs``."""

    filesystems: list[FileSystem]


class Entry(msgspec.Struct):
    """A file or folder in a filesystem. ``size`` in bytes, ``modified_at`` in seconds since the epoch."""

    name: str
    is_folder: bool
    size: int
    modified_at: float


class EntryList(msgspec.Struct, omit_defaults=True):
    """``GET /fs/{name}/list?path=&limit=&after=``. ``next`` is the ``after`` of the page that follows, if one does."""

    entries: list[Entry]
    next: str | None = None


class FileInfo(msgspec.Struct, omit_defaults=True):
    """``GET /fs/{name}/stat?path=&digest=``: a file or folder.

    ``etag`` changes with the content; ``sha256`` (hex) is given for files when ``digest`` is asked for.
    """

    path: str
    is_folder: bool
    size: int
    modified_at: float
    etag: str = ""
    sha256: str = ""


class Stored(msgspec.Struct, omit_defaults=True):
    """``PUT /fs/{name}/content?path=``: what was stored, and where. ``sha256`` is of what came, as hex."""

    path: str
    size: int
    sha256: str = ""


class Upload(msgspec.Struct, omit_defaults=True):
    """``POST /fs/{name}/uploads?path=``: an upload that goes on at ``offset``.

    ``sha256`` (hex) is of the bytes that came before ``offset``; ``length`` is that of the whole, if it was told.
    """

    id: str
    offset: int
    sha256: str
    length: int | None = None


class Move(msgspec.Struct):
    """``POST /fs/{name}/move``: give what is at ``source`` the path ``target``."""

    source: str
    target: str
    overwrite: bool = False


class ChannelCreate(msgspec.Struct):
    """``POST /channels``: credentials are write-only."""

    name: str
    type: str
    credentials: dict[str, str]

    def __repr__(self) -> str:
        return f"ChannelCreate(name={self.name!r}, type={self.type!r}, credentials=[secure])"


class Channel(msgspec.Struct):
    """A messenger account that an app can answer on. ``bound_to`` is the app, ``version`` the one it is pinned to."""

    id: str
    name: str
    channel_type: str
    webhook_id: str
    credentials: list[str]
    created_at: float
    bound_to: str | None = None
    version: int | None = None


class ChannelList(msgspec.Struct):
    """``GET /channels``."""

    channels: list[Channel]


class ChannelCreated(msgspec.Struct):
    """The answer of ``POST /channels``."""

    channel: Channel


CHANNEL_CREDENTIALS: dict[str, tuple[str, ...]] = {
    "telegram": ("bot_token",),
    "slack": ("bot_token", "signing_secret"),
    "whatsapp": ("access_token", "phone_number_id", "verify_token"),
}
"""The credentials that each type of channel needs."""
