"""The commands of a conversation: lines that begin with ``/``."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from capsule_cli import output
from capsule_cli.errors import UsageError
from capsule_cli.talk.answers import unquoted
from capsule_cli.talk.composer import edited
from capsule_cli.talk.safe import safe

if TYPE_CHECKING:
    from capsule_cli.talk.conversation import Conversation

HELP = {
    "edit": "write a message in your editor ($VISUAL, $EDITOR)",
    "new": "begin a new session",
    "sessions": "list the sessions with this app",
    "switch": "go on with a session: its number in the list, or its id",
    "retry": "send the last message again",
    "attach": "send a file with the next message",
    "copy": "copy the last answer",
    "help": "show this",
    "exit": "leave (as Ctrl-D does)",
}
_KEYS = "Enter sends, Alt-Enter begins a line, Ctrl-R searches what you said, Ctrl-C stops an answer. //x says /x."
_SHOWN = 20
_LONGEST_COPY = 74_000  # bytes; terminals ignore longer ones
_COPIERS = (("pbcopy",), ("wl-copy",), ("xclip", "-selection", "clipboard"), ("clip.exe",))


def is_command(line: str) -> bool:
    """Whether ``line`` is for the conversation, not for the app."""
    return line.startswith("/") and not line.startswith("//")


class Commands:
    """Carries out the commands of ``talk``."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._listed: list[str] = []  # the ids of the last list
        self._ways: dict[str, Callable[[str], None]] = {
            name: getattr(self, f"_{name}") for name in HELP if name != "exit"
        }

    def run(self, line: str) -> None:
        """Do what ``line`` says. Raises EOFError to leave, UsageError for what cannot be."""
        name, _, rest = line[1:].strip().partition(" ")
        if name in ("exit", "quit"):
            raise EOFError
        if name not in self._ways:
            raise _unknown(name)
        self._ways[name](rest.strip())

    def candidates(self, text: str) -> Iterator[str]:
        """Lines that ``text`` may become."""
        name, blank, rest = text[1:].partition(" ")
        if not blank:
            yield from (f"/{known}" for known in HELP if known.startswith(name))
        elif name == "attach":
            yield from (f"/attach {path}" for path in _paths(rest))
        elif name == "switch":
            yield from (
                f"/switch {known}" for known in self._listed or self._talk.session_ids() if known.startswith(rest)
            )

    def _help(self, rest: str) -> None:
        lines = output.align([f"/{name}", what] for name, what in HELP.items())
        output.say("\n".join((*lines, "", _KEYS)))

    def _edit(self, rest: str) -> None:
        text = edited(rest).strip()
        if not text:
            return output.whisper("Nothing is sent: the message is empty.")
        output.whisper("\n".join(f"> {line}" for line in text.split("\n")))
        self._talk.say(text)

    def _new(self, rest: str) -> None:
        self._talk.switch(None)
        output.whisper("A new session.")

    def _sessions(self, rest: str) -> None:
        found = self._talk.sessions(_SHOWN)
        self._listed = [session.id for session in found]
        if not found:
            return output.whisper("There are no sessions with this app.")
        here = self._talk.session_id
        output.say(
            "\n".join(
                output.align(
                    [
                        "*" if session.id == here else " ",
                        str(number),
                        output.when(session.updated_at),
                        safe(session.title) or "(empty)",
                        session.id,
                    ]
                    for number, session in enumerate(found, 1)
                )
            )
        )
        output.whisper("Go on with one: /switch NUMBER")

    def _switch(self, rest: str) -> None:
        if not rest:
            return self._sessions(rest)
        if rest.isascii() and rest.isdigit():
            self._listed = self._listed or self._talk.session_ids()
            if not 0 < int(rest) <= len(self._listed):
                raise UsageError(f"There is no session {rest} in the list", hint="See /sessions")
            rest = self._listed[int(rest) - 1]
        self._talk.switch(rest)

    def _retry(self, rest: str) -> None:
        if not self._talk.last_message:
            raise UsageError("Nothing was said yet")
        output.whisper("\n".join(f"> {line}" for line in self._talk.last_message.split("\n")))
        self._talk.say_again()

    def _attach(self, rest: str) -> None:
        path = Path(unquoted(rest)).expanduser()
        if rest and path.is_dir():
            raise UsageError(f"{rest} is a folder", hint="/attach FILE")
        if not rest or not path.is_file():
            raise UsageError(f"No such file: {rest}" if rest else "Which file?", hint="/attach FILE")
        self._talk.attachments.append(path)
        output.whisper(f"With the next message: {', '.join(each.name for each in self._talk.attachments)}")

    def _copy(self, rest: str) -> None:
        if not self._talk.last_answer:
            raise UsageError("There is no answer yet")
        output.whisper("Copied." if copy(self._talk.last_answer) else "This terminal has no clipboard.")


def _unknown(name: str) -> UsageError:
    close = get_close_matches(name, HELP, n=1, cutoff=0.5)
    meant = f"Did you mean /{close[0]}?" if close else "See /help."
    return UsageError(f"No such command: /{name}", hint=f"{meant} To say it to the app: //{name}")


def _paths(begun: str) -> Iterator[str]:
    folder, _, name = begun.rpartition("/")
    root = Path(f"{folder}/" if "/" in begun else ".").expanduser()
    try:
        found = sorted(root.iterdir())[:1000]
    except OSError:
        return
    for path in found:
        if path.name.startswith(name) and not (path.name.startswith(".") and not name):
            yield (f"{folder}/" if "/" in begun else "") + path.name + ("/" if path.is_dir() else "")


def copy(text: str) -> bool:
    """Put ``text`` on the clipboard: by the system's program, and by the terminal (OSC 52), also from afar."""
    done = any(_copied_by(words, text) for words in _COPIERS)
    data = text.encode()
    if output.coloured(sys.stderr) and len(data) <= _LONGEST_COPY:
        sys.stderr.write(f"\x1b]52;c;{base64.b64encode(data).decode()}\x07")
        sys.stderr.flush()
        done = True
    return done


def _copied_by(words: tuple[str, ...], text: str) -> bool:
    from shutil import which

    needs_display = words[0] in ("wl-copy", "xclip")
    if not which(words[0]) or (needs_display and not (os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY"))):
        return False
    try:
        done = subprocess.run(words, input=text.encode(), capture_output=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
