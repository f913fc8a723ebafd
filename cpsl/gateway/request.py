"""A request as the handlers get it: who asks, and what can answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TypeVar

from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.http.body import StrictRequest
from cpsl.gateway.http.repeats import Asked

T = TypeVar("T")


class GatewayRequest(StrictRequest):
    """A request to ``gateway``. ``caller`` is the account behind its bearer token, known before the handler runs.

    Who asks an *app* is found by ``cpsl.gateway.asking``.
    """

    caller: Actor | None = None

    @property
    def gateway(self) -> Gateway:
        """The parts that answer. To read them here costs nothing; what Litestar injects costs a task each."""
        gateway: Gateway = self.app.state.gateway
        return gateway

    @property
    def actor(self) -> Actor:
        """Who asks, where only those may who have a token."""
        assert self.caller is not None
        return self.caller

    @property
    def workspace_id(self) -> str:
        """The workspace of who asks."""
        return self.actor.workspace_id

    async def once(self, make: Callable[[], Awaitable[T]], digest: bytes | None = None) -> T:
        """What ``make`` gives, or gave when this came before with the same ``Idempotency-Key``: see ``Repeats``.

        Whether they may ask is for the handler to look at before: visitors of a page are all one here. ``digest`` is of
        the body, where that is too long to be read for it.
        """
        key = self.headers.get("idempotency-key")
        if key is None:
            return await make()
        target = f"{self.url.path}?{self.scope['query_string'].decode('latin-1')}"
        asked = Asked(self.caller.account_id if self.caller else "", self.method, target, key)
        told = sha256(await self.body()).digest() if digest is None else digest
        return await self.gateway.repeats.once(asked, told, make)
