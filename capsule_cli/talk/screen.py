"""How the events of a turn look: the answer on stdout as it comes, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from capsule_cli import output
from cpsl.wire import integrations
from cpsl.wire.events import Block, Prompt, PromptClosed, Status

_CLOSED = {
    "declined": "Declined.",
    "expired": "It took too long: the request has expired.",
}


class Screen:
    """Prints one turn. ``silent`` keeps the answer off stdout, for ``--json``."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._mid_line = False

    def text(self, piece: str) -> None:
        """A piece of the answer, printed at once."""
        if self._silent or not piece:
            return
        shown = output.clean(piece) if sys.stdout.isatty() else piece
        sys.stdout.write(shown)
        sys.stdout.flush()
        self._mid_line = not piece.endswith("\n")

    def end_line(self) -> None:
        """End the line of the answer, if one is begun."""
        if self._mid_line:
            sys.stdout.write("\n")
            sys.stdout.flush()
        self._mid_line = False

    def status(self, event: Status) -> None:
        """News about the work."""
        self._aside(event.message + (f" ({event.detail})" if event.detail else ""))

    def block(self, event: Block) -> None:
        """A card, as a line."""
        shown = _card(event.block_type, event.payload)
        if shown and not self._silent:
            self.end_line()
            output.say(shown)

    def prompt(self, event: Prompt) -> None:
        """What the app asks for, before it is asked."""
        self.end_line()
        title = integrations.title(event.integration) if event.integration else ""
        told = title in event.message
        output.say(event.message if told else f"{title}: {event.message}")
        if event.kind == "integration":
            output.say(f"  Open {event.link}")
            output.whisper("  Waiting until it is connected (Ctrl-C cancels) …")

    def prompt_closed(self, event: PromptClosed) -> None:
        """What became of it, unless the app's answer will tell."""
        if event.outcome in _CLOSED:
            self._aside(_CLOSED[event.outcome])

    def _aside(self, line: str) -> None:
        # In a terminal both streams share the line; piped, a line end here would be put into the data.
        if sys.stdout.isatty():
            self.end_line()
        if not self._silent:
            output.whisper(line)


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
