"""A person at a browser of their own, in the words of such a person."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request, expect

from tests.browser.chat import Chat

expect.set_options(timeout=15_000)
_SECONDS_PER_STEP = 15
_KEPT_BY_PAGES = "local_storage,indexeddb,service_workers,cache_storage"


class Visitor:
    """A browser with cookies of its own, and the tab that it began with.

    ``mishaps`` is what must never happen on any page: a script that fails, a policy that had to stop something, a
    dialog that a page opened, a request to a host that is not ours.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.origin = origin
        self.mishaps: list[str] = []
        self.context = context
        self.context.set_default_timeout(_SECONDS_PER_STEP * 1000)
        self._watches = {
            "weberror": lambda each: self.mishaps.append(f"script failed: {each.error}"),
            "console": self._read_console,
            "dialog": self._dismiss,
            "request": self._check_host,
        }
        for event, take in self._watches.items():
            self.context.on(event, take)  # type: ignore[call-overload]
        self.page = self.context.new_page()

    def open(self, app: str, path: str = "") -> Chat:
        """Go to an app's page in the first tab."""
        return Chat(self.page, app).open(path)

    def open_tab(self, app: str, path: str = "") -> Chat:
        """Go there in one more tab of the same browser."""
        return Chat(self.context.new_page(), app).open(path)

    def take_pictures(self, folder: Path, name: int) -> None:
        """A picture of each tab, to see what was wrong."""
        for number, page in enumerate(self.context.pages):
            page.screenshot(path=folder / f"visitor-{name}-tab-{number}.png", full_page=True)

    def close(self) -> None:
        """Close the browser with all its tabs."""
        self.context.close()

    def leave(self) -> None:
        """Close all tabs, and let the browser forget who was here; only what it may cache for good stays."""
        pages = self.context.pages or [self.context.new_page()]
        devtools = self.context.new_cdp_session(pages[0])
        for host in {urlsplit(self.origin).netloc, *(urlsplit(page.url).netloc for page in pages)}:
            devtools.send("Storage.clearDataForOrigin", {"origin": f"http://{host}", "storageTypes": _KEPT_BY_PAGES})
        for page in pages:
            page.close()
        for event, take in self._watches.items():
            self.context.remove_listener(event, take)
        self.context.set_offline(False)
        self.context.clear_permissions()
        self.context.clear_cookies()

    def _read_console(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text and self._is_ours(message.page):
            self.mishaps.append(f"policy: {message.text}")

    def _dismiss(self, dialog: Dialog) -> None:
        self.mishaps.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _check_host(self, request: Request) -> None:
        if request.is_navigation_request() or request.url.startswith(("data:", "blob:", f"{self.origin}/")):
            return  # a link may lead anywhere: what is loaded with a page may not
        if self._asked_by_us(request):
            self.mishaps.append(f"asked another host: {request.url}")

    def _asked_by_us(self, request: Request) -> bool:
        try:
            return urlsplit(request.frame.url).netloc == urlsplit(self.origin).netloc
        except Error:  # asked before the frame was there
            return True

    def _is_ours(self, page: Page | None) -> bool:
        return page is not None and page.url.startswith(self.origin)
