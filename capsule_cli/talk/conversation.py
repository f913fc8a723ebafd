"""A conversation at the terminal: one message, one turn after another, and the commands in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from capsule_cli import errors, interrupted, output
from capsule_cli.talk.commands import Commands, is_command
from capsule_cli.talk.composer import composer
from capsule_cli.talk.places import Sessions
from capsule_cli.talk.safe import safe
from capsule_cli.talk.screen import Screen
from capsule_cli.talk.turn import Turn
from cpsl.errors import CapsuleError

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.wire.turns import Session


class Conversation:
    """Reads messages and runs turns until Ctrl-D, or Ctrl-C twice. ``new_screen`` makes what a turn is shown on."""

    def __init__(
        self,
        client: Client,
        app: str,
        session_id: str | None,
        *,
        sessions: Sessions,
        new_screen: Callable[[], Screen],
        timeout: float | None = None,
    ) -> None:
        self._client = client
        self._app = app
        self._sessions = sessions
        self._new_screen = new_screen
        self._timeout = timeout
        self._interrupted = False  # one Ctrl-C since the last message
        self._commands = Commands(self)
        self.session_id = session_id
        self.attachments: list[Path] = []
        self.last_message = ""
        self._last_files: list[Path] = []
        self.last_answer = ""

    def run(self) -> None:
        """Talk. Returns at Ctrl-D, raises KeyboardInterrupt at the second Ctrl-C."""
        output.whisper(f"Talking to {self._app}. /help shows what you can do; Ctrl-D leaves.")
        self._input = composer(self._app, self._commands.candidates)
        try:
            while True:
                self._once()
        except EOFError:
            output.say()
        finally:
            self._tell_how_to_continue()

    def _once(self) -> None:
        try:
            text = self._input.read().strip()
        except KeyboardInterrupt:
            return self._idle_interrupt()
        if not text:
            return
        self._interrupted = False
        self._input.remember(text)
        try:
            self._commands.run(text) if is_command(text) else self.say(
                text.removeprefix("/") if text.startswith("//") else text
            )
        except (CapsuleError, OSError) as error:
            errors.show(error, as_json=False)
        output.say()

    def say(self, text: str) -> None:
        """Send a message, with what is attached, and show the answer. Raises what ``Turn.run`` raises."""
        turn = Turn(self._client, self._app, screen=self._new_screen(), may_ask=True)
        sent, self.attachments = self.attachments, []
        self.last_message, self._last_files = text, sent
        try:
            answer = turn.run(text, self.session_id, attachments=sent, timeout=self._timeout)
            if answer.cancelled:
                self._interrupted = True
                output.whisper("Cancelled. (Ctrl-C again leaves.)")
        finally:
            self.last_answer = turn.answer.text or self.last_answer
            if turn.answer.session_id:
                self._keep(turn.answer.session_id)

    def say_again(self) -> None:
        """Send the last message again, with the files that went with it."""
        self.attachments = [*self._last_files, *self.attachments]
        self.say(self.last_message)

    def _keep(self, session_id: str) -> None:
        if session_id != self.session_id:
            self._sessions.remember(session_id)
        self.session_id = session_id

    def sessions(self, limit: int) -> list[Session]:
        """The newest sessions with the app."""
        return self._client.sessions.list(self._app, limit).sessions

    def session_ids(self) -> list[str]:
        """Their ids; none when the gateway is away."""
        try:
            return [session.id for session in self.sessions(20)]
        except CapsuleError:
            return []

    def switch(self, session_id: str | None) -> None:
        """Go on with another session, or a new one. Raises NotFound."""
        if session_id is not None:
            found = self._client.sessions.get(self._app, session_id)
            self._keep(found.id)
            self._remind(found)
        else:
            self.session_id = None

    def _remind(self, session: Session) -> None:
        """What was said last, so that one knows where one is."""
        output.whisper(f"In: {safe(session.title) or session.id}")
        for message in session.messages[-2:]:
            first = next((line for line in safe(message.text).split("\n") if line.strip()), "")
            output.whisper(f"  {'>' if message.sender == 'user' else ' '} {first[:200]}")

    def _idle_interrupt(self) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        output.whisper("(Ctrl-C again, or Ctrl-D, leaves.)")

    def _tell_how_to_continue(self) -> None:
        interrupted.is_told()
        if self.session_id:
            output.whisper(f"Continue with: capsule chat {self._app} --session {self.session_id}")
