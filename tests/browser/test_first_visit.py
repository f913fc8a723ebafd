"""What somebody sees who opens an app's link."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.visitor import Visitor


def test_the_page_says_what_it_is(visitor: Visitor) -> None:
    visitor.open("parlour")
    expect(visitor.page.get_by_role("heading", name="parlour", level=1)).to_be_visible()
    assert "parlour" in visitor.page.title()


def test_an_app_that_is_not_there(visitor: Visitor) -> None:
    visitor.open("nothing")
    expect(visitor.page.get_by_text("not found")).to_be_visible()
