"""WCAG 2.2 AA as far as a program can tell: axe on every page and card, light and dark; what is told and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Gate
from tests.browser.visitor import Visitor
from tests.support.mail import PostOffice, link_in

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
PAGES = ["", "/sign-in", "/sign-up", "/forgot", "/connections", "/connect/github", "/connect/aws", "/c/nothing"]
CARDS = ["github", "aws", "box", "file", "hint github", "hint aws"]
RICH = """# Heading

Some *text* with `code`, a [link](https://example.com) and a list:

1. one
2. two

| a | b |
|---|---|
| 1 | 2 |

```python
def hello(name: str) -> None:
    print(f"hello {name}")  # a comment
```

> quoted
"""


def violations(page: Page) -> list[str]:
    """What axe finds wrong, in light and in dark."""
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")
        result: dict[str, Any] = Axe().run(page, options=RULES).response
        found += [f"{scheme}: {told(each)}" for each in result["violations"]]
    return found


def told(violation: dict[str, Any]) -> str:
    """One violation with the places where it is."""
    places = "; ".join(f"{node['target']} {node['html'][:120]}" for node in violation["nodes"][:3])
    return f"{violation['id']} ({violation['help']}): {places}"


def test_pages(visitor: Visitor) -> None:
    found = {}
    for path in PAGES:
        visitor.open("parlour", path)
        found[path] = violations(visitor.page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_pages_of_an_account(visitor: Visitor, post: PostOffice) -> None:
    """Those that come up on the way to one, and where one sees what one has."""
    found = {}
    email, chat = "axe@example.com", visitor.open("parlour", "/sign-up")
    visitor.page.get_by_label("E-mail").fill(email)
    chat.give_password("correct horse battery", "Sign up")
    expect(visitor.page.get_by_role("heading", name="Look at your mail")).to_be_visible()
    found["signed up"] = violations(visitor.page)
    chat.give_password("not the right one", "Sign in")
    expect(visitor.page.get_by_role("alert")).to_be_visible()
    found["refused"] = violations(visitor.page)
    chat.give_password("correct horse battery", "Sign in")
    chat.say("box").card().fill(user="me", password="secret").send()
    chat.ended()
    visitor.page.goto(link_in(post.wait_for(email)))
    found["verify"] = violations(visitor.page)
    for path in ("/account", "/connections", "/reset/none", ""):
        chat.open(path)
        found[path] = violations(visitor.page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_cards(visitor: Visitor) -> None:
    found = {}
    for text in CARDS:
        visitor.open("parlour").say(text).card()
        found[text] = violations(visitor.page)
    assert {text: wrong for text, wrong in found.items() if wrong} == {}


def test_answers(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    chat.say(f"show {RICH}").ended()
    chat.say("fail").ended("failed")
    chat.say("twice").ended()
    chat.say("hint\n" * 30).ended()
    expect(visitor.page.get_by_role("button", name="Show more")).to_be_visible()
    assert violations(visitor.page) == []


def test_while_it_answers_and_when_it_was_stopped(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    assert violations(visitor.page) == []
    chat.stop()
    chat.ended("stopped")
    assert violations(visitor.page) == []


LISTEN = """() => {
  window.announced = []
  const speaking = (node) => {
    const region = node.closest("[aria-live], [role=status], [role=alert], [role=log]")
    return region && region.getAttribute("aria-live") !== "off" && !node.closest("[aria-busy=true]") ? region : null
  }
  const hear = ({target}) => {
    const region = speaking(target.nodeType === 1 ? target : target.parentElement)
    if (region) window.announced.push(region.innerText)
  }
  new MutationObserver((records) => records.forEach(hear))
    .observe(document.body, {subtree: true, childList: true, characterData: true})
}"""


SEE = """() => {
  window.seen = []
  new MutationObserver(() => window.seen.push(document.getElementById("turns").innerText))
    .observe(document.getElementById("turns"), {subtree: true, childList: true, characterData: true})
}"""


def announced(page: Page) -> list[str]:
    """What live regions said, each time that one of them changed."""
    said: list[str] = page.evaluate("window.announced")
    return said


def test_screen_readers_hear_whole_messages(visitor: Visitor) -> None:
    """Not a token at a time: of an answer of 100 words in 100 pieces they are told the whole, once it is there."""
    chat = visitor.open("parlour").say("hello")
    chat.ended()
    visitor.page.evaluate(LISTEN)
    chat.say("count 100").ended()
    heard = announced(visitor.page)
    numbers = [each for each in heard if "50 51 52" in each]
    assert numbers, heard
    assert all("99 100" in each for each in numbers), "a part of the answer was announced"


@pytest.mark.parametrize(("text", "how", "heard"), [("count 40", "", "finished"), ("hold {gate}", "stop", "stopped")])
def test_the_state_is_told(visitor: Visitor, gate: Gate, text: str, how: str, heard: str) -> None:
    chat = visitor.open("parlour")
    visitor.page.evaluate(LISTEN)
    chat.say(text.format(gate=gate.name))
    if how == "stop":
        expect(chat.turns.last).to_contain_text("Second")
        chat.stop()
    chat.ended("stopped" if how else "done")
    told = " ".join(announced(visitor.page)).lower()
    assert "answering" in told
    assert heard in told


WAITS = "Waiting for its turn"


def test_an_answer_that_begins_at_once_does_not_wait(visitor: Visitor) -> None:
    """Neither told nor shown, not even for a moment."""
    chat = visitor.open("parlour")
    visitor.page.evaluate(LISTEN)
    visitor.page.evaluate(SEE)
    chat.say("count 5").ended()
    assert WAITS not in " ".join([*announced(visitor.page), *visitor.page.evaluate("window.seen")])


def test_a_message_that_waits_says_so_once(visitor: Visitor, gate: Gate) -> None:
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.status).to_have_text("Answering")
    visitor.page.evaluate(LISTEN)
    chat.say("hello")
    expect(chat.turns.last).to_contain_text(WAITS)
    expect(chat.status).to_have_text(WAITS)
    gate.open()
    chat.ended()
    assert announced(visitor.page).count(WAITS) == 1
    expect(chat.turns.last).not_to_contain_text(WAITS)


def test_buttons_that_show_secrets_are_named_after_them(visitor: Visitor) -> None:
    card = visitor.open("parlour").say("box").card().element
    for name in ("User", "Password"):
        button = card.get_by_role("button", name=f"Show {name}", exact=True)
        expect(button).to_have_attribute("aria-pressed", "false")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(card.get_by_label(name)).to_have_attribute("type", "text")


def test_the_composer_keeps_the_focus(visitor: Visitor) -> None:
    chat = visitor.open("parlour")
    expect(chat.composer).to_be_focused()
    chat.say("hello").ended()
    expect(chat.composer).to_be_focused()


def test_a_card_does_not_take_the_focus(visitor: Visitor) -> None:
    chat = visitor.open("parlour").say("box")
    chat.card()
    expect(chat.composer).to_be_focused()


def test_who_answers_a_card_goes_on_writing(visitor: Visitor) -> None:
    """The field that had the focus is gone."""
    chat = visitor.open("parlour").say("box")
    card = chat.card().fill(User="me", Password="secret")
    card.element.get_by_role("textbox", name="Password").press("Enter")
    chat.ended()
    expect(chat.composer).to_be_focused()


# --- other ways to look at it


def test_nothing_moves_for_those_who_cannot_bear_it(come: Callable[..., Visitor], gate: Gate) -> None:
    visitor = come(reduced_motion="reduce")
    chat = visitor.open("parlour").say(f"hold {gate.name}")
    expect(chat.turns.last).to_contain_text("Second")
    moving = "document.getAnimations().filter(each => each.effect.getComputedTiming().duration > 10).length"
    assert visitor.page.evaluate(moving) == 0


def test_forced_colours(come: Callable[..., Visitor]) -> None:
    """Where the system chooses the colours, buttons are still seen: by a border, not by a background alone."""
    visitor = come(forced_colors="active")
    chat = visitor.open("parlour").say("box")
    button = chat.card().element.get_by_role("button").first
    assert button.evaluate("each => getComputedStyle(each).borderTopWidth") != "0px"


@pytest.mark.parametrize("path", ["", "/sign-in", "/connections"])
def test_320_pixels(come: Callable[..., Visitor], path: str) -> None:
    visitor = come(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    visitor.open("parlour", path)
    assert is_within(visitor.page)


def test_a_conversation_on_a_phone(come: Callable[..., Visitor]) -> None:
    visitor = come(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    chat = visitor.open("parlour").say(f"show {RICH}")
    chat.ended()
    chat.say("box")
    chat.card()
    assert is_within(visitor.page)
    size = chat.composer.evaluate("each => parseFloat(getComputedStyle(each).fontSize)")
    assert size >= 16, "a phone would zoom in"
    fields = chat.card().element.get_by_role("textbox").first
    assert fields.evaluate("each => parseFloat(getComputedStyle(each).fontSize)") >= 16


def test_twice_as_large(come: Callable[..., Visitor]) -> None:
    """Zoomed to 200 %, a window of 1280 by 800 pixels has room for 640 by 400."""
    visitor = come(viewport={"width": 640, "height": 400}, device_scale_factor=2)
    chat = visitor.open("parlour").say(f"show {RICH}")
    chat.ended()
    assert is_within(visitor.page)
    expect(chat.composer).to_be_in_viewport()


def is_within(page: Page) -> bool:
    """Whether nothing has to be scrolled to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
