"""An app's page, in the words of who sits before it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from playwright.sync_api import Locator, Page, TimeoutError, expect

_IN_STATE = """([turn, state]) =>
  [...document.querySelectorAll("section.turn")].at(turn)?.dataset.state === state"""
"""An expectation alone looks after 0.1, 0.35, 0.85 and 1.85 seconds: most answers are there in between."""


class Card:
    """One card of a conversation: something to connect, a form, a file to give."""

    def __init__(self, page: Page, element: Locator) -> None:
        self.page = page
        self.element = element

    def connect(self) -> Page:
        """Begin to connect; the window that opens for it."""
        with self.page.expect_popup() as opened:
            self.element.get_by_role("link", name="Connect").or_(
                self.element.get_by_role("button", name="Connect")
            ).click()
        return opened.value

    def fill(self, **fields: str) -> Self:
        """Write into the fields of a form, by their labels (``_`` for a space)."""
        for name, value in fields.items():
            self.element.get_by_label(name.replace("_", " ")).fill(value)
        return self

    def send(self) -> None:
        """Send the form."""
        self.element.get_by_role("button", name=re.compile("Connect|Send|Save")).click()

    def skip(self) -> None:
        """Say no."""
        self.element.get_by_role("button", name=re.compile("Skip|Not now")).click()

    def choose(self, *files: Path | dict[str, object]) -> None:
        """Give files by the button."""
        with self.page.expect_file_chooser() as chooser:
            self.element.get_by_role("button", name=re.compile("Choose")).click()
        chooser.value.set_files(list(files))  # type: ignore[arg-type]

    def expect_closed(self, outcome: str) -> None:
        """Wait until nothing can be done with it any more, and it says how it ended."""
        expect(self.element).to_contain_text(re.compile(outcome, re.I))
        expect(self.element.get_by_role("button")).to_have_count(0)


class Chat:
    """One tab with an app's page. Everything is found as a person finds it, by role and name."""

    def __init__(self, page: Page, app: str) -> None:
        self.page = page
        self.app = app
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

    @property
    def status(self) -> Locator:
        """What a screen reader says about the state of the answer."""
        return self.page.get_by_role("status")

    @property
    def session_id(self) -> str:
        """The conversation that the address names."""
        expect(self.page).to_have_url(re.compile("/c/"))
        return self.page.url.rpartition("/c/")[2].partition("?")[0]

    def say(self, text: str) -> Self:
        """Write a message and send it. Returns when it stands in the conversation."""
        self.composer.fill(text)
        self.page.wait_for_load_state()  # a form may have led here: the page's scripts run once it has loaded
        before = self.turns.count()
        if self.page.evaluate("matchMedia('(pointer: coarse)').matches"):
            self.page.get_by_role("button", name="Send").tap()  # on a phone, Enter begins a new line
        else:
            self.composer.press("Enter")
        expect(self.turns).to_have_count(before + 1)
        return self

    def ended(self, state: str = "done", turn: int = -1) -> Locator:
        """Wait until a turn is over; the turn."""
        found = self.turns.nth(turn)
        with suppress(TimeoutError):  # then the expectation says what there is instead
            self.page.wait_for_function(_IN_STATE, arg=[turn, state], timeout=30_000)
        expect(found).to_have_attribute("data-state", state)
        return found

    def answer(self, turn: int = -1) -> str:
        """The text of a whole answer, without the question and the cards."""
        return "\n".join(self.ended(turn=turn).locator("[data-part=answer]").all_inner_texts()).strip()

    def card(self, turn: int = -1) -> Card:
        """The last card of a turn."""
        element = self.turns.nth(turn).locator("[data-part=prompt], [data-part=block]").last
        expect(element).to_be_visible()
        return Card(self.page, element)

    def stop(self) -> None:
        """Stop the answer."""
        self.page.get_by_role("button", name="Stop").click()

    def retry(self) -> None:
        """Ask for the last answer once more."""
        self.page.get_by_role("button", name=re.compile("Retry|Try again")).last.click()

    def start_over(self) -> None:
        """Begin a new conversation."""
        self.page.get_by_role("link", name="New conversation").or_(
            self.page.get_by_role("button", name="New conversation")
        ).first.click()

    def sign_up(self, email: str, password: str) -> Self:
        """Become a user of the app, and sign in."""
        self.open("/sign-up")
        self.page.get_by_label("E-mail").fill(email)
        self.give_password(password, "Sign up")
        expect(self.page.get_by_role("heading", name="Look at your mail")).to_be_visible()
        self.give_password(password, "Sign in")
        expect(self.composer).to_be_visible()
        return self

    def sign_in(self, email: str, password: str) -> Self:
        """Come back as a user of the app."""
        self.try_to_sign_in(email, password)
        expect(self.composer).to_be_visible()
        return self

    def try_to_sign_in(self, email: str, password: str, path: str = "/sign-in") -> None:
        """Fill in the form and send it."""
        self.open(path)
        self.page.get_by_label("E-mail").fill(email)
        self.give_password(password, "Sign in")

    def give_password(self, password: str, button: str) -> None:
        """Fill in the only password of a form and send it."""
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name=button).click()


def drop(target: Locator, files: list[dict[str, str]]) -> None:
    """Drag files from outside onto an element and let go; each has a ``name``, a ``type`` and a ``text``."""
    _give(target, files, ["dragenter", "dragover", "drop"])


def paste(target: Locator, files: list[dict[str, str]]) -> None:
    """Paste files from the clipboard while an element has the focus."""
    target.evaluate(_PASTE, files)


_TRANSFER = """const transfer = new DataTransfer()
for (const {name, type, text} of files) transfer.items.add(new File([text], name, {type}))
"""
_PASTE = f"""(element, files) => {{ {_TRANSFER}
element.dispatchEvent(new ClipboardEvent("paste", {{clipboardData: transfer, bubbles: true, cancelable: true}})) }}"""
_DRAG = f"""(element, [files, kinds]) => {{ {_TRANSFER}
for (const kind of kinds)
    element.dispatchEvent(new DragEvent(kind, {{dataTransfer: transfer, bubbles: true, cancelable: true}})) }}"""


def _give(target: Locator, files: list[dict[str, str]], kinds: list[str]) -> None:
    target.evaluate(_DRAG, [files, kinds])


def wait_until(true: Callable[[], bool], page: Page, seconds: float = 15) -> None:
    """Wait for what no page shows, while the page goes on."""
    for _ in range(int(seconds * 20)):
        if true():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come true")
