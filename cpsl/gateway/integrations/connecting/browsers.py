"""What ties a sign-in at a provider to one browser: a cookie of its own, for as long as that may take."""

from __future__ import annotations

import secrets
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from cpsl.errors import AuthError
from cpsl.gateway.integrations.states import LIFE_SECONDS
from cpsl.gateway.settings import Settings
from cpsl.gateway.users import cookies
from cpsl.gateway.users.cookies import Signer

_NAME = "capsule_connect"
_PURPOSE = "connect"


class Browsers:
    """The browsers that connect something."""

    def __init__(self, signer: Signer, settings: Settings) -> None:
        self._signer = signer
        self._settings = settings

    def known(self, request: Request[Any, Any, Any]) -> str:
        """What only this browser has, or an empty text."""
        return str(request.cookies.get(_NAME, ""))[:200]

    def value(self, request: Request[Any, Any, Any]) -> str:
        """The same; 256 new random bits for a browser that has none yet, which ``cookie`` gives to it."""
        return self.known(request) or secrets.token_urlsafe(32)

    def cookie(self, value: str) -> Cookie:
        """The cookie to set."""
        return cookies.cookie(_NAME, value, max_age=int(LIFE_SECONDS), url=self._settings.url)

    def csrf_token(self, value: str) -> str:
        """What a form must bring from a page that has this cookie."""
        return self._signer.sign(_PURPOSE, value)

    def refuse_forgery(self, request: Request[Any, Any, Any], given: str) -> None:
        """Raise AuthError (``csrf_failed``) unless ``given`` comes from our own page in this browser."""
        value, site = self.known(request), request.headers.get("sec-fetch-site", "none")
        if not value or site not in ("same-origin", "none") or not self._signer.fits(_PURPOSE, value, given):
            raise AuthError(
                "this did not come from the page of the gateway, or it stood open for too long",
                code="csrf_failed",
                status=403,
                hint="Open the link again.",
            )

    def origin(self, request: Request[Any, Any, Any]) -> str:
        """The origin of the page that asks, one of the gateway's own: never what a header alone says."""
        if self._settings.public_url or not self._settings.is_local:
            return self._settings.url
        return f"http://{request.headers.get('host', '')}"  # which was found to be a name of this machine
