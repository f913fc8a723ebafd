"""``/healthz`` and ``/readyz``."""

from __future__ import annotations

from litestar import Response, get

from cpsl.gateway.request import GatewayRequest


@get("/healthz", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@get("/readyz", sync_to_thread=False)
def readyz(request: GatewayRequest) -> Response[dict[str, str]]:
    """It takes requests."""
    if request.gateway.is_ready:
        return Response({"status": "ready"})
    return Response({"status": "not ready"}, status_code=503)
