"""A request as the handlers get it: who asks, and what can answer."""

from __future__ import annotations

from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.http.body import StrictRequest


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
