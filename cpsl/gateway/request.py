"""A request as the handlers get it: who asks, and what can answer."""

from __future__ import annotations

from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.gateway import Gateway
from cpsl.gateway.http.body import StrictRequest


class GatewayRequest(StrictRequest):
    """A request to ``gateway``. ``visitor`` is who asks, if anybody said so: known before the handler runs."""

    visitor: Actor | None = None

    @property
    def gateway(self) -> Gateway:
        """The parts that answer. To read them here costs nothing; what Litestar injects costs a task each."""
        gateway: Gateway = self.app.state.gateway
        return gateway

    @property
    def actor(self) -> Actor:
        """Who asks, where only those may who have a token."""
        assert self.visitor is not None
        return self.visitor

    @property
    def workspace_id(self) -> str:
        """The workspace of who asks."""
        return self.actor.workspace_id
