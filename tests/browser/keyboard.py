"""A person without a mouse: Tab, Shift+Tab, Enter, Space, Escape and letters are all there is."""

from __future__ import annotations

import re
from typing import Self

from playwright.sync_api import Page

_MOST_STEPS = 80
_NAME = """() => {
  const element = document.activeElement
  if (!element || element === document.body) return ""
  const label = element.labels && element.labels[0]
  return (element.getAttribute("aria-label") || (label && label.innerText) || element.innerText ||
    element.value || element.title || "").trim()
}"""
_VISIBLE = """() => {
  const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(document.activeElement)
  return outlineStyle !== "none" && outlineWidth !== "0px" || boxShadow !== "none"
}"""


class Keyboard:
    """Whoever sits at it. ``unseen`` are the controls that had the focus without showing it (WCAG 2.4.7)."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unseen: list[str] = []

    def go_to(self, name: str, back: bool = False) -> Self:
        """Press Tab until the control whose name matches the pattern has the focus."""
        seen: list[str] = []
        for _ in range(_MOST_STEPS):
            focused = str(self.page.evaluate(_NAME))
            if re.search(name, focused, re.I):
                return self._look(focused)
            seen.append(focused)
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"Tab never came to {name!r}, but to {list(dict.fromkeys(seen))}")

    def type(self, text: str) -> Self:
        """Write where the focus is."""
        self.page.keyboard.type(text)
        return self

    def press(self, *keys: str) -> Self:
        """Press keys, one after another."""
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def enter(self) -> Self:
        """Press Enter where that leads to another page, and wait for it."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        return self

    def _look(self, focused: str) -> Self:
        if not self.page.evaluate(_VISIBLE):
            self.unseen.append(focused)
        return self
