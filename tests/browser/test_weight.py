"""What a first visit costs."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Request

from tests.browser.visitor import Visitor

MOST_BYTES = 60 * 1000


def test_a_first_visit_transfers_little(come: Callable[..., Visitor]) -> None:
    visitor = come()
    finished: list[Request] = []
    visitor.context.on("requestfinished", lambda request: finished.append(request))
    visitor.open("parlour")
    visitor.page.wait_for_load_state("networkidle")
    sizes = {each.url: each.sizes()["responseBodySize"] + each.sizes()["responseHeadersSize"] for each in finished}
    assert sum(sizes.values()) < MOST_BYTES, sizes
