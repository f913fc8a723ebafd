"""An app's page in Chromium: bytes and requests of a first visit, first paint and a message's way to the screen.

The reference is the least that this gateway and this browser can show: ``/healthz``, a line of text.
"""

from __future__ import annotations

import statistics
import time

from playwright.sync_api import Browser, BrowserContext, Page, Request

from benchmarks.support import gateway
from tests.support.chromium import chromium
from tests.support.gateway import APPS, GatewayProcess

ROUNDS = 15
_PAINT = """() => new Promise((resolve) => {
  const painted = (list) => list.getEntriesByName("first-contentful-paint")[0]
  new PerformanceObserver((list, observer) => {
    if (painted(list)) { observer.disconnect(); resolve(painted(list).startTime) }
  }).observe({type: "paint", buffered: true})
})"""


def visit(context: BrowserContext, url: str) -> tuple[float, int, int]:
    """Milliseconds to the first paint, bytes transferred, and requests of one visit."""
    page, finished = context.new_page(), list[Request]()
    page.on("requestfinished", lambda request: finished.append(request))  # Playwright takes no built-in method
    page.goto(url)
    paint = float(page.evaluate(_PAINT))
    page.wait_for_load_state("networkidle")
    sizes = [each.sizes() for each in finished]
    page.close()
    return paint, sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes), len(sizes)


def first_visits(browser: Browser, url: str) -> list[tuple[float, int, int]]:
    """Visits, each by somebody new."""
    found = []
    for _ in range(ROUNDS):
        with browser.new_context() as context:
            found.append(visit(context, url))
    return found


def echo_time(page: Page) -> float:
    """Milliseconds from Enter to the whole answer on the screen."""
    turns = page.locator("section.turn[data-state=done]")
    before = turns.count()
    page.get_by_role("textbox", name="Message").fill("hi")
    began = time.perf_counter()
    page.keyboard.press("Enter")
    turns.nth(before).wait_for()
    return 1000 * (time.perf_counter() - began)


def told(name: str, taken: list[float], reference: float) -> None:
    """One line of the table."""
    middle = statistics.median(taken)
    print(f"{name:<24} p50 {middle:6.0f} ms, worst {max(taken):6.0f} ms, {middle / reference:5.1f} of the reference")


def measure(running: GatewayProcess, browser: Browser) -> None:
    """Visit and print."""
    visits = first_visits(browser, f"{running.url}/a/echo")
    plain = [each[0] for each in first_visits(browser, f"{running.url}/healthz")]
    reference = statistics.median(plain)
    _, size, requests = visits[0]
    print(f"a first visit: {requests} requests, {size / 1000:.1f} kB transferred")
    told("reference", plain, reference)
    told("first paint", [each[0] for each in visits], reference)
    with browser.new_context() as context:
        visit(context, f"{running.url}/a/echo")
        told("first paint, again", [visit(context, f"{running.url}/a/echo")[0] for _ in range(ROUNDS)], reference)
        page = context.new_page()
        page.goto(f"{running.url}/a/echo")
        echo_time(page)
        told("Enter to answer", [echo_time(page) for _ in range(ROUNDS)], reference)


def main() -> None:
    """Measure and print."""
    with gateway(APPS / "echo.py") as running, chromium() as browser:
        measure(running, browser)


if __name__ == "__main__":
    main()
