"""The one cookie that an app's pages keep: who is signed in, or which visitor comes back.

Its value is either ``s.TOKEN``, the 256-bit token of a browser session of which the store has the SHA-256, or
``v.ID.SIGNATURE``, a visitor who needs no row before the first message. A page gets neither to see (HttpOnly), and no
other site can send it along with a form (SameSite, https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from litestar.datastructures import Cookie

VISITOR_SECONDS = 400 * 24 * 3600  # browsers keep none for longer


def name(app_id: str) -> str:
    """What the cookie of an app is called: every app has its own."""
    return f"capsule_{app_id}"


def cookie(called: str, value: str, *, max_age: int, url: str) -> Cookie:
    """The cookie to set, for all paths: no page can read it, and from another site it comes with a navigation only.

    ``max_age`` in seconds; 0 removes it. ``url`` is the gateway's: where that is https, it is sent by https only.
    """
    secure = url.startswith("https://")
    return Cookie(called, value=value, max_age=max_age, httponly=True, samesite="lax", secure=secure)


class Signer:
    """Signs what the gateway gives to browsers. Its repr does not show the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Signer([secure])"

    def sign(self, purpose: str, text: str) -> str:
        """A signature over ``text``, good for one purpose only."""
        return hmac.new(self._key, f"{purpose}/{text}".encode(), hashlib.sha256).hexdigest()

    def fits(self, purpose: str, text: str, signature: str) -> bool:
        """Whether a signature is ours, in constant time."""
        return hmac.compare_digest(self.sign(purpose, text).encode(), signature.encode(errors="replace"))

    def new_visitor(self, app_id: str) -> str:
        """The cookie's value for somebody who was never here."""
        visitor = secrets.token_hex(16)
        return f"v.{visitor}.{self.sign('visitor', f'{app_id}/{visitor}')}"

    def visitor(self, app_id: str, value: str) -> str | None:
        """Which visitor of this app a cookie names, if it is one that we signed."""
        kind, _, rest = value.partition(".")
        visitor, _, signature = rest.partition(".")
        if kind == "v" and self.fits("visitor", f"{app_id}/{visitor}", signature):
            return visitor
        return None

    def csrf_token(self, value: str) -> str:
        """What a page must send along with what changes something, besides the cookie with this value."""
        return self.sign("csrf", value)  # see asking.refuse_forgery
