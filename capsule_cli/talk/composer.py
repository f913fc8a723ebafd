"""Where messages are typed: an editor of several lines with history, or a plain line where the terminal is simple."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from capsule_cli import ask
from capsule_cli.talk import places

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings

PROMPT = "> "
Candidates = Callable[[str], Iterable[str]]
"""What a line that begins with ``/`` can go on with: the whole line, for each."""


class Composer(Protocol):
    """Reads messages; remembers them for the next conversation with the app."""

    def read(self) -> str:
        """One message. Raises EOFError at Ctrl-D and KeyboardInterrupt at Ctrl-C."""

    def remember(self, message: str) -> None:
        """Keep a message for the arrow keys."""


def composer(app: str, candidates: Candidates) -> Composer:
    """The best one that this terminal has."""
    dumb = os.environ.get("TERM", "dumb" if os.name != "nt" else "") in ("dumb", "unknown", "")
    simple = not sys.stdout.isatty() or (dumb and os.name != "nt")
    return LineComposer(app, candidates) if simple else Editor(app, candidates)


def _history(app: str) -> FileHistory | None:
    from prompt_toolkit.history import FileHistory

    path = places.history(app)
    return FileHistory(str(path)) if path else None


class Editor:
    """prompt_toolkit: Enter sends, Alt-Enter begins a line, pasted lines stay one message, Ctrl-R searches."""

    def __init__(self, app: str, candidates: Candidates) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import InMemoryHistory

        self._session: PromptSession[str] = PromptSession(
            history=_history(app) or InMemoryHistory(),
            multiline=True,
            key_bindings=_keys(),
            completer=_completer(candidates),
            complete_while_typing=False,
            prompt_continuation="  ",
            enable_open_in_editor=True,
            reserve_space_for_menu=4,
        )

    def read(self) -> str:
        """One message; it is remembered already."""
        return self._session.prompt(PROMPT)

    def remember(self, message: str) -> None:
        """Nothing to do."""


def _keys() -> KeyBindings:
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    writing = has_focus(DEFAULT_BUFFER)  # not searching

    @keys.add("enter", filter=writing)
    def send(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=writing)
    def begin_line(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _completer(candidates: Candidates) -> Any:
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.document import Document

    class Slash(Completer):
        """Completes commands and what follows them."""

        def get_completions(self, document: Document, complete_event: Any) -> Iterator[Completion]:
            text = document.text_before_cursor
            for line in candidates(text) if text.startswith("/") else ():
                yield Completion(line, start_position=-len(text), display=line.rpartition(" ")[2] or line)

    return Slash()


class LineComposer:
    """One line after another by the system's own means, with its history where there is readline."""

    def __init__(self, app: str, candidates: Candidates) -> None:
        self._history = _history(app)
        self._readline: Any = None
        with suppress(ImportError):  # not on every system
            import readline

            self._readline = readline
            readline.set_auto_history(False)
            readline.set_completer_delims("")
            readline.set_completer(lambda text, number: _nth(candidates, text, number))
            readline.parse_and_bind("tab: complete")
            for message in reversed(list(self._history.load_history_strings()) if self._history else []):
                readline.add_history(message)

    def read(self) -> str:
        """One message, of one line."""
        return ask.line(PROMPT)

    def remember(self, message: str) -> None:
        """Keep a message for the arrow keys, now and next time."""
        if self._readline:
            self._readline.add_history(message)
        if self._history:
            with suppress(OSError):
                self._history.store_string(message)


def _nth(candidates: Candidates, text: str, number: int) -> str | None:
    found = list(candidates(text)) if text.startswith("/") else []
    return found[number] if number < len(found) else None


def edited(draft: str) -> str:
    """``draft`` after the person has changed it in $VISUAL or $EDITOR. Raises OSError if there is no editor."""
    import shlex
    import subprocess
    import tempfile

    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if os.name == "nt" else "vi")
    with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
        path = Path(folder) / "message.md"
        path.write_text(draft, "utf-8")
        words = [chosen] if os.name == "nt" else shlex.split(chosen)
        subprocess.run([*words, str(path)], check=False)
        return path.read_text("utf-8", errors="replace")
