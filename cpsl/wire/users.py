"""The people of an app, as whoever operates it sees them."""

from __future__ import annotations

import msgspec


class User(msgspec.Struct):
    """One person of an app, without what they said. Times in seconds since the epoch.

    ``kind``: ``email`` or ``openid`` for who signed in on its pages, ``account`` for a caller of the API, ``visitor``
    for a browser that did not say whose it is, ``anonymous`` for all other callers together.
    """

    id: str
    kind: str
    created_at: float
    email: str = ""
    email_verified: bool = False
    disabled: bool = False
    last_seen_at: float = 0


class UserList(msgspec.Struct):
    """``GET /apps/{app}/users``: newest first. ``next`` continues where this page ended, if anything is left."""

    users: list[User]
    next: str | None = None


class UserChange(msgspec.Struct):
    """``PATCH /apps/{app}/users/{user}``: somebody who is ``disabled`` is signed out and cannot sign in."""

    disabled: bool
