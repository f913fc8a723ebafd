"""A conversation at the terminal: line editing, history, one turn after another."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from capsule_cli import ask, errors, output
from capsule_cli.talk.screen import Screen
from capsule_cli.talk.turn import Turn
from cpsl.errors import CapsuleError

if TYPE_CHECKING:
    from cpsl.client import Client

HISTORY_LINES = 1000


class Conversation:
    """Reads messages and runs turns until Ctrl-D, or Ctrl-C twice."""

    def __init__(self, client: Client, app: str, session_id: str | None) -> None:
        self._client = client
        self._app = app
        self._session_id = session_id
        self._interrupted = False  # one Ctrl-C since the last message

    def run(self) -> None:
        """Talk. Returns at Ctrl-D, raises KeyboardInterrupt at the second Ctrl-C."""
        output.whisper(f"Talking to {self._app}. Ctrl-C stops an answer, Ctrl-D leaves.")
        history = History()
        try:
            while True:
                self._once(history)
        except EOFError:
            output.say()
        finally:
            history.save()
            self._tell_how_to_continue()

    def _once(self, history: History) -> None:
        try:
            text = ask.line("> ").strip()
        except KeyboardInterrupt:
            return self._idle_interrupt()
        if not text:
            return
        self._interrupted = False
        history.add(text)
        self._turn(text)

    def _turn(self, text: str) -> None:
        turn = Turn(self._client, self._app, screen=Screen(), may_ask=True)
        try:
            if turn.run(text, self._session_id).cancelled:
                self._interrupted = True
                output.whisper("Cancelled. (Ctrl-C again leaves.)")
        except CapsuleError as error:
            errors.show(error, as_json=False)
        finally:
            self._session_id = turn.answer.session_id or self._session_id

    def _idle_interrupt(self) -> None:
        output.say()
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        output.whisper("(Ctrl-C again, or Ctrl-D, leaves.)")

    def _tell_how_to_continue(self) -> None:
        if self._session_id:
            output.whisper(f"Continue with: capsule chat {self._app} --session {self._session_id}")


class History:
    """What was said before, for the arrow keys: kept in a file that only its owner reads.

    Only messages go in: what is typed into an app's form never does.
    """

    def __init__(self) -> None:
        self._readline = None
        try:
            import readline
        except ImportError:  # not on every system
            return
        self._readline = readline
        self._path = _history_path()
        readline.set_auto_history(False)
        readline.set_history_length(HISTORY_LINES)
        with suppress(OSError):  # the first conversation, or a damaged file: begin anew
            readline.read_history_file(self._path)

    def add(self, text: str) -> None:
        """Remember a message."""
        if self._readline:
            self._readline.add_history(text)

    def save(self) -> None:
        """Write the file; a history that cannot be written is not worth an error."""
        if not self._readline:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.chmod(self._path, 0o600)
            self._readline.write_history_file(self._path)
        except OSError:
            return


def _history_path() -> Path:
    from cpsl import config

    return config.state_dir() / "chat_history"
