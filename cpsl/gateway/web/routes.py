"""``/healthz``, ``/readyz``, static files, and the pages: of apps, and of the device login."""

from __future__ import annotations

from litestar import Router

from cpsl.gateway.web import assets, device, health, pages

router = Router(
    "",
    route_handlers=[
        health.healthz,
        health.readyz,
        assets.static_file,
        device.device_page,
        device.decide_device,
        pages.new_page,
        pages.conversation_page,
        pages.send,
        pages.follow,
    ],
    include_in_schema=False,
)
