"""The system's Chromium, for tests and benchmarks of what the gateway serves to browsers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

# The shell is the same engine without a desktop browser around it: a page costs a third of the processor's time.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ARGUMENTS = [
    # Nothing but this machine: whoever asks for another host gets an error at once, and tests see that it was asked.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
    "--disable-dev-shm-usage",
    "--disable-features=SpareRendererForSitePerProcess",
]


def program() -> str | None:
    """The path of the browser, if this machine has one. Playwright's own is never downloaded."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser without a window. Skips the test that asks where there is none.

    While it runs, no other event loop can run in this thread: Playwright's is always on.
    """
    path = program()
    if path is None:
        pytest.skip("no Chromium on this machine (apt install chromium): what needs a browser is not tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
