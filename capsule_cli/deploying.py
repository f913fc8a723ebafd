"""A deploy as people see it: what it is to do, what is sent, what happens. Used by what puts an app live."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from threading import Timer
from typing import TYPE_CHECKING, Any

from capsule_cli import interrupted, output, progress
from capsule_cli.connect import closing
from cpsl.errors import DeployFailed
from cpsl.wire.apps import AppSpec, DeployDone, DeployError, DeployEvent, DeployLog, DeployStatus, Development

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.client.deploying import DeployPlan

_SLOW_SECONDS = 1.0  # what takes longer is not left without a word


def deploy(
    client: Client,
    entry: str,
    development: Development | None = None,
    agreed: Callable[[AppSpec], None] = lambda spec: None,
    *,
    wait: bool = True,
) -> DeployDone:
    """Put the app at ``entry`` live, with ``development`` under its name for that.

    Nothing is sent before ``agreed`` has let it pass: it raises what stops it. Without ``wait`` it is over when all is
    sent: then version 0 and no URL, but the ``deployment_id``. Raises what ``client.deploy`` raises.
    """
    screen = _Screen(agreed)
    slow = Timer(_SLOW_SECONDS, lambda: output.say(f"Importing {entry} here, to see what it asks for …"))
    slow.daemon = True
    slow.start()
    screen.planned = slow.cancel
    deployed = client.deploys.stream(entry, development=development, progress=screen.sent)
    try:
        with screen.sending, closing(deployed) as events:
            return _followed(events, screen, wait=wait)
    except KeyboardInterrupt:
        screen.stopped()
        raise
    except DeployFailed as error:
        raise _without_repeats(error, screen.printed) from None
    finally:
        slow.cancel()


def plan(client: Client, entry: str) -> dict[str, Any]:
    """What a deploy would do, without doing it. Raises as ``deploy`` does before anything is sent."""
    made = client.deploys.plan(entry)
    spec = made.spec
    return {
        "app": spec.name,
        "folder": str(made.root),
        "entry": made.entry,
        "files": len(made.files),
        "size": made.size,
        "packages": [*spec.image.python_packages, *spec.image.apt_packages],
        "secrets": list(dict.fromkeys([*spec.secrets, *spec.references])),
        "missing": [f"{item.kind} {item.name}" for item in made.missing],
        "commands": [item.command for item in made.missing],
    }


def _followed(events: Iterable[DeployPlan | DeployEvent], screen: _Screen, *, wait: bool) -> DeployDone:
    for event in events:
        match event:
            case DeployDone():
                return event
            case DeployStatus(deployment_id=id) if id and not wait:
                return DeployDone(screen.app, 0, "", id)
            case DeployStatus(deployment_id=id) if id:
                screen.begun(event)
            case DeployStatus() | DeployLog():
                screen.event(event)
            case DeployError():
                pass  # the client raises what it stands for
            case made:
                screen.plan(made)
    raise AssertionError("a stream of events ends with its last, or raises")


class _Screen:
    """What is shown. ``sending`` closes the bar, which is there until the gateway says something."""

    def __init__(self, agreed: Callable[[AppSpec], None]) -> None:
        self.sending = ExitStack()
        self.printed: list[str] = []
        self.planned: Callable[[], None] = lambda: None
        self._agreed = agreed
        self.app = ""
        self._id = ""
        self._advance: progress.Advance = lambda count: None
        self._read = 0

    def plan(self, made: DeployPlan) -> None:
        """What it is to do; the next step says what is missing."""
        self.planned()
        self._agreed(made.spec)
        if made.missing:
            return
        self.app = made.spec.name
        output.say(f"Deploying {self.app} from {made.root}{os.sep}{made.entry}")
        for name in made.skipped:
            output.whisper(f"  Skipped {name}: not a regular file")
        what = f"Sending {len(made.files)} file{'s'[: len(made.files) != 1]}"
        self._advance = self.sending.enter_context(progress.bar(what, made.size))

    def sent(self, count: int) -> None:
        """So many bytes of the files are on their way."""
        self._advance(count - self._read)
        self._read = count

    def begun(self, event: DeployStatus) -> None:
        """The gateway has it all, and goes on alone from here."""
        self._id = event.deployment_id
        self.event(event)

    def event(self, event: DeployStatus | DeployLog) -> None:
        """What the gateway says."""
        self.sending.close()
        if isinstance(event, DeployStatus):
            return output.say(event.message)
        self.printed.append(event.line.rstrip())
        output.whisper(f"  | {self.printed[-1]}")

    def stopped(self) -> None:
        """Ctrl-C, or the like, ended the waiting for it."""
        self.sending.close()
        interrupted.end_line()
        if self._id:
            output.say(f"The gateway goes on with it. See what becomes of it: {waiting(self.app, self._id)}")
        elif self.app:
            output.say("Stopped before all of it was sent: what was live stays live.")


def waiting(app: str, deployment_id: str) -> str:
    """The command that waits for a deployment."""
    return f"capsule wait {app} --for deployment={deployment_id}"


def _without_repeats(error: DeployFailed, shown: list[str]) -> DeployFailed:
    """What a build printed last is the hint of its failure; here it stands on the screen already."""
    lines = [line.rstrip() for line in (error.hint or "").splitlines()]
    hint = None if lines == shown[len(shown) - len(lines) :] else error.hint
    return DeployFailed(
        error.message, code=error.code, hint=hint, request_id=error.request_id, traceback=error.traceback
    )
