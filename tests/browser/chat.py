"""An app's page, in the words of who sits before it."""

from __future__ import annotations

from typing import Self

from playwright.sync_api import Locator, Page, expect


class Chat:
    """One tab with an app's page. Everything is found as a person finds it, by role and name."""

    def __init__(self, page: Page, app: str) -> None:
        self.page = page
        self.base = f"/a/{app}"

    def open(self, path: str = "") -> Self:
        """Go to the app's page, or to what is below it."""
        self.page.goto(self.base + path)
        return self

    @property
    def composer(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_role("textbox", name="Message")

    @property
    def turns(self) -> Locator:
        """What was said and answered, the oldest first."""
        return self.page.locator("section.turn")

    def say(self, text: str) -> Self:
        """Write a message and send it with Enter. Returns when it stands in the conversation."""
        before = self.turns.count()
        self.composer.fill(text)
        self.composer.press("Enter")
        expect(self.turns).to_have_count(before + 1)
        return self

    def ended(self, state: str = "done", turn: int = -1) -> Locator:
        """Wait until a turn is over; the turn."""
        found = self.turns.nth(turn)
        expect(found).to_have_attribute("data-state", state)
        return found

    def answer(self, turn: int = -1) -> str:
        """The text of a whole answer, without the question."""
        return "\n".join(self.ended(turn=turn).locator("[data-part=answer]").all_inner_texts()).strip()
