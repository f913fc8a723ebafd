"""The small things that handlers get and give: messages, users, files, blocks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpsl.app.bridge import Bridge
from cpsl.app.files import Attachment
from cpsl.wire import ids
from cpsl.wire.events import Block as BlockEvent
from cpsl.wire.frames import AppUser
from cpsl.wire.turns import Message as WireMessage

if TYPE_CHECKING:
    from cpsl.app.integrations import IntegrationCredentials


@dataclass(frozen=True)
class UserInfo:
    """The app's user. ``email`` and ``org_id`` are None where the user has none or is anonymous.

    Anybody can sign up with any address: ask ``email_verified`` before an address opens a door.
    """

    id: str
    email: str | None = None
    org_id: str | None = None
    email_verified: bool = False

    @classmethod
    def of(cls, user: AppUser | None) -> UserInfo:
        """The user as the link tells of them."""
        return cls(user.id, user.email, user.org_id, user.email_verified) if user else cls("")

    @property
    def owner_id(self) -> str:
        """Whom data of scope ``owner`` belongs to: the organisation, where the user is in one, else the user."""
        return f"org:{self.org_id}" if self.org_id else self.id

    @property
    def is_org_member(self) -> bool:
        """True when the user belongs to an organisation."""
        return self.org_id is not None


@dataclass(frozen=True)
class SessionChannel:
    """How a conversation came in. ``type``: ``chat``, ``api``, ``telegram``, ``slack`` or ``whatsapp``."""

    type: str


@dataclass
class Message:
    """One message. ``sender`` is ``user`` or ``app``; ``timestamp`` in seconds since the epoch.

    ``attachments`` are the files that came with it; with them, ``text`` may be empty.
    """

    text: str
    sender: str = "user"
    channel_type: str = ""
    timestamp: float = field(default_factory=time.time)
    attachments: list[Attachment] = field(default_factory=list)

    @classmethod
    def of(cls, wire: WireMessage, bridge: Bridge | None = None) -> Message:
        """The message as the link tells of it; ``bridge`` is how its attachments are read."""
        attached = [Attachment.of(each, bridge) for each in wire.attachments]
        return cls(wire.text, wire.sender, wire.channel_type, wire.timestamp, attached)

    def to_dict(self) -> dict[str, Any]:
        """The message as plain values."""
        return {
            "text": self.text,
            "sender": self.sender,
            "channel_type": self.channel_type,
            "timestamp": self.timestamp,
            "attachments": [each.to_dict() for each in self.attachments],
        }


@dataclass
class Block:
    """A card in the conversation. A block with the ``id`` of an earlier one replaces it."""

    type: str
    payload: dict[str, Any] = field(default_factory=dict)
    id: str = ""

    def __post_init__(self) -> None:
        self.id = self.id or ids.new_id("blk")

    def to_envelope(self) -> dict[str, Any]:
        """The block as plain values: ``id``, ``type``, ``payload``."""
        return {"id": self.id, "type": self.type, "payload": self.payload}

    def event(self, payload: dict[str, Any]) -> BlockEvent:
        """The block as it travels, with its payload made plain."""
        return BlockEvent(self.id, self.type, payload)


@dataclass
class RequestContext:
    """Who asks a data handler, and what they connected. ``request`` holds the query parameters."""

    user: UserInfo
    integrations: Mapping[str, IntegrationCredentials] = field(default_factory=dict)
    authenticated: bool = False
    request: Mapping[str, str] = field(default_factory=dict)
