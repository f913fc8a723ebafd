"""How the events of a turn look: the answer on stdout as it comes, everything else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from capsule_cli import output
from capsule_cli.talk.safe import safe
from capsule_cli.talk.spinner import Spinner
from cpsl.wire import integrations
from cpsl.wire.events import Block, Prompt, PromptClosed, Status

_CLOSED = {
    "declined": "Declined.",
    "expired": "It took too long: the request has expired.",
}
_WORKING, _WRITING = "Thinking", "Writing"


class Paper(Protocol):
    """Where an answer is written: as it is, or as Markdown (``page.Page``)."""

    @property
    def busy(self) -> bool:
        """Whether the cursor stands at the begin of a line."""

    def feed(self, text: str) -> None:
        """Write a piece of the answer."""

    def end(self) -> None:
        """Write what is held back, and end the line."""


class Plain:
    """The answer as it is, piece by piece. On a terminal without what would steer it."""

    def __init__(self, clear: Callable[[], None]) -> None:
        self._clear = clear
        self._is_terminal = sys.stdout.isatty()
        self.busy = True

    def feed(self, text: str) -> None:
        """Write a piece of the answer."""
        self._clear()
        sys.stdout.write(safe(text) if self._is_terminal else text)
        sys.stdout.flush()
        self.busy = text.endswith("\n")

    def end(self) -> None:
        """End the line, if one is begun."""
        if not self.busy:
            sys.stdout.write("\n")
            sys.stdout.flush()
        self.busy = True


def shows_markdown() -> bool:
    """Whether stdout is a terminal that shows more than plain text."""
    able = bool(os.environ.get("TERM")) or os.name == "nt"
    return sys.stdout.isatty() and able and output.coloured(sys.stdout) and output.mode() == "human"


class Screen:
    """Prints one turn.

    - ``silent`` keeps the answer off stdout, for ``--json``
    - ``markdown``: render it where stdout can show it
    - ``stream``: print it as it comes, not when it is complete
    """

    def __init__(self, *, silent: bool = False, markdown: bool = True, stream: bool = True) -> None:
        self._silent = silent
        self._markdown = markdown and shows_markdown()
        self._stream = stream
        self._held: list[str] = []
        self._spinner = Spinner()
        self._paper = self._new_paper()
        self._written = False  # a reply is above
        self._lost = False
        self._news = _WORKING

    def _new_paper(self) -> Paper:
        if not self._markdown:
            return Plain(self._spinner.hide)
        from capsule_cli.talk.page import Page

        return Page(self._spinner.hide)

    def begin(self) -> None:
        """The message is sent: show a sign of life until something comes."""
        if not self._silent:
            self._spinner.show(self._news)

    def text(self, piece: str, *, separator: bool = False) -> None:
        """A piece of the answer. A ``separator`` stands between two replies."""
        if self._silent or not piece:
            return
        self._news = _WRITING
        if self._markdown and separator:
            piece, self._written = "", True
        if self._stream:
            self._write(piece)
        else:
            self._held.append(piece)

    def end_reply(self) -> None:
        """A reply is complete: the next one is a text of its own."""
        if self._markdown:
            self._release()
            self._paper.end()
            self._paper = self._new_paper()

    def _write(self, piece: str) -> None:
        if not piece:
            return
        if self._written:
            self._written = False
            self._spinner.hide()
            sys.stdout.write("\n")
        self._paper.feed(piece)
        if self._paper.busy:
            self._spinner.show(self._news)

    def _release(self) -> None:
        self._write("".join(self._held))
        self._held = []

    def end_line(self) -> None:
        """End the line of the answer, if one is begun; nothing moves on the screen from now on."""
        self._release()
        self._spinner.hide()
        self._paper.end()

    def close(self) -> None:
        """The turn is over."""
        self.end_line()
        self._spinner.close()

    def status(self, event: Status) -> None:
        """News about the work: beside the sign of life, or a line where nothing may move."""
        line = event.message + (f" ({event.detail})" if event.detail else "")
        if not self._spinner.wanted:
            return self._aside(line)
        self._news = line
        if self._paper.busy and not self._silent:
            self._spinner.show(line)

    def waiting(self, what: str | None) -> None:
        """The connection was lost and is taken up again, or it is there again (None)."""
        if (what == "reconnecting") is self._lost:
            return
        self._lost = not self._lost
        if not self._spinner.wanted:
            return self._aside("Connection lost: reconnecting …") if self._lost else None
        if self._paper.busy and not self._silent:
            self._spinner.show("Connection lost: reconnecting …" if self._lost else self._news)

    def block(self, event: Block) -> None:
        """A card, as a line."""
        shown = _card(event.block_type, event.payload)
        if shown and not self._silent:
            self.end_line()
            output.say(safe(shown))

    def prompt(self, event: Prompt) -> None:
        """What the app asks for, before it is asked."""
        self.end_line()
        title = integrations.title(event.integration) if event.integration else ""
        told = title in event.message
        output.say(safe(event.message if told else f"{title}: {event.message}"))
        if event.kind == "integration":
            output.say(safe(f"  Open {event.link}"))
            output.whisper("  Waiting until it is connected (Ctrl-C cancels) …")

    def prompt_closed(self, event: PromptClosed) -> None:
        """What became of it, unless the app's answer will tell."""
        if event.outcome in _CLOSED:
            self._aside(_CLOSED[event.outcome])
        self.begin()

    def _aside(self, line: str) -> None:
        # In a terminal both streams share the line; piped, a line end here would be put into the data.
        if sys.stdout.isatty():
            self.end_line()
        if not self._silent:
            output.whisper(safe(line))


def _card(block_type: str, payload: Mapping[str, Any]) -> str:
    known = {"integration_prompt": _integration, "image": _image}
    if block_type in known:
        return known[block_type](payload)
    told = next(
        (payload[key] for key in ("title", "label", "message", "text", "detail") if payload.get(key)),
        "",
    )
    return f"[{block_type.replace('_', ' ')}] {told}".rstrip()


def _integration(payload: Mapping[str, Any]) -> str:
    title = payload.get("title") or f"Connect {integrations.title(str(payload.get('type', '')))}"
    reason = f": {payload['reason']}" if payload.get("reason") else ""
    link = f"\n  {payload['link']}" if payload.get("link") else ""
    return f"[{title}]{reason}{link}"


def _image(payload: Mapping[str, Any]) -> str:
    alt = f" {payload['alt']}" if payload.get("alt") else ""
    return f"[image{alt}] {payload.get('url', '')}".rstrip()
