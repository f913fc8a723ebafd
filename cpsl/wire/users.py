"""The people of an app, as its operator sees them."""

from __future__ import annotations

import msgspec


class User(msgspec.Struct):
    """A user of an app. ``kind``: ``email``, ``openid``, ``visitor``, ``account`` (a token's) or ``anonymous``.

    Times in seconds since the epoch; ``last_seen_at`` for those who sign in.
    """

    id: str
    kind: str
    email: str
    email_verified: bool
    disabled: bool
    created_at: float
    last_seen_at: float | None = None


class UserList(msgspec.Struct):
    """A page of users, newest first; ``next`` asks for the one after it."""

    users: list[User]
    next: str | None = None
