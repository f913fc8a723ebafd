"""The loop of ``capsule serve``: deploy, watch, deploy again; the app's log in between."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from capsule_cli import deploying, errors, interrupted, loglines, output
from capsule_cli.connect import closing, connect
from capsule_cli.watching import Project
from cpsl.client import Client
from cpsl.errors import AuthError, CapsuleError, DeployFailed, InvalidRequest, NotFound
from cpsl.wire.apps import DeployDone, Development, LogFilter, LogLine

_AGAIN_SECONDS = 1.0
_LINES = 1000


class Report:
    """What ``serve`` says: lines for people, or one JSON object a line on stdout."""

    def __init__(self, *, json: str | None) -> None:
        self._json = json
        self._has_begun = False

    def live(self, done: DeployDone, root: Path, seconds: float) -> None:
        """A version is live, ``seconds`` after it was saved."""
        if self._json:
            told = {"app": done.app, "version": done.version, "url": done.url, "seconds": round(seconds, 3)}
            return output.print_json({"event": "live", **told}, self._json)
        output.done(f"{done.app} v{done.version} is live after {seconds:.1f} s")
        if not self._has_begun:
            output.say(f"  {done.url}")
            output.say(f"  Talk to it: capsule chat {done.app}")
            output.whisper(f"  Watching {root} (Ctrl-C ends)")
        self._has_begun = True

    def failed(self, error: CapsuleError, app: str) -> None:
        """What was saved could not be deployed; ``app`` still runs as before, if it has a name already."""
        if self._json:
            return output.print_json({"event": "failed", **errors.facts(error)}, self._json)
        errors.show(error, as_json=False)
        output.whisper(
            f"  {app} runs as it was. Waiting for the next save …" if app else "  Waiting for the next save …"
        )

    def log(self, line: LogLine) -> None:
        """The app or the platform logged something."""
        if self._json:
            return output.print_json({"event": "log", **_facts(line)}, self._json)
        output.data(loglines.shown(line))

    def stopped(self, app: str) -> None:
        """It ends."""
        with suppress(OSError):  # the terminal may be gone
            interrupted.end_line()
            if self._json:
                output.print_json({"event": "stopped", "app": app}, self._json)
            elif app:
                output.say(f"{app} stays as it was saved last. Remove it: capsule app delete {app}")


class Serving:
    """One ``capsule serve``."""

    def __init__(self, client: Client, entry: str, root: Path, development: Development, report: Report) -> None:
        self._client = client
        self._entry = entry
        self._root = root
        self._development = development
        self._report = report
        self._project = Project(root)
        self.app = ""
        """The name under which it is live; empty before the first deploy that succeeded."""

    def run(self, profile: str | None) -> None:
        """Deploy now and after every save, until KeyboardInterrupt. Raises what no save can mend."""
        self._project.has_changed()
        self._deploy(is_first=True, profile=profile)
        for _ in self._project.changes():
            self._deploy(is_first=False, profile=profile)

    def _deploy(self, *, is_first: bool, profile: str | None) -> None:
        began = time.monotonic()
        try:
            done = deploying.deploy(self._client, self._entry, self._development)
        except CapsuleError as error:
            if isinstance(error, AuthError) or (is_first and not _can_be_mended(error)):
                raise
            return self._report.failed(error, self.app)
        self._report.live(done, self._root, time.monotonic() - began)
        if not self.app:
            self.app = done.app
            threading.Thread(target=self._follow_log, args=(profile,), daemon=True).start()

    def _follow_log(self, profile: str | None) -> None:
        """Report what the app logs from now on, over a connection of its own, also after the gateway was away."""
        after, wanted = 0, None
        with connect(profile) as client:
            while True:
                try:
                    # By the gateway's clock: that of this machine may show another time.
                    wanted = wanted or LogFilter(since=client.apps.get(self.app).updated_at)
                    with closing(client.apps.follow_logs(self.app, _LINES, wanted, after)) as lines:
                        for line in lines:
                            after = line.id
                            self._report.log(line)
                except (AuthError, NotFound):
                    return
                except CapsuleError:
                    time.sleep(_AGAIN_SECONDS)


def _can_be_mended(error: CapsuleError) -> bool:
    """Whether saving a file, or creating what is missing and saving, can help."""
    return isinstance(error, DeployFailed | InvalidRequest | NotFound)


def _facts(line: LogLine) -> dict[str, object]:
    import msgspec

    facts: dict[str, object] = msgspec.to_builtins(line)
    return facts
