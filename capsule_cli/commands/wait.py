"""``capsule wait``: until something is as a script needs it, with an exit code."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from capsule_cli import output
from capsule_cli.connect import connect
from capsule_cli.errors import TookTooLong, UsageError
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt, version_number
from capsule_cli.tree import examples, verb
from cpsl.errors import AppError, CapsuleError, DeployFailed, NotFound

if TYPE_CHECKING:
    from cpsl.client import Client

cli = verb()

_PAUSE = 0.5  # seconds between two looks


class Seen(NamedTuple):
    """One look: ``reached``, or ``failed`` for good, or neither; ``detail`` says what was seen.

    ``ill``: as it is it has failed, but it may recover while there is time; ``error`` is what is raised for it.
    """

    reached: bool
    detail: str
    failed: bool = False
    ill: bool = False
    error: CapsuleError | None = None


@cli.command(
    epilog=examples(
        "capsule wait hello --for healthy --timeout 60",
        "capsule wait hello --for v3",
        "capsule wait hello --for turn=turn_01k9",
        "capsule wait hello --for deployment=ver_01k9",
    )
)
def wait(
    app: AppArg,
    wanted: Annotated[
        str,
        typer.Option("--for", metavar="live|healthy|vN|turn=ID|deployment=ID", help="What to wait for."),
    ] = "healthy",
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="How long at most.", min=0)] = 60.0,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Wait for an app, a deployment or a turn. Exit code 0 when reached, 6 when it took too long, 7 when it failed."""
    look = _look(wanted)
    with connect(profile) as client:
        seen = _until(lambda: look(client, app), timeout, heard=_say_nothing if json else output.whisper)
    if json:
        output.print_json({"app": app, "for": wanted, "reached": seen.reached, "detail": seen.detail}, json)
    if seen.failed or seen.ill:
        raise seen.error or AppError(f"{app}: {seen.detail}", hint=f"capsule logs {app}")
    if not seen.reached:
        raise TookTooLong(f"{app} is not {wanted} after {timeout:g} seconds: {seen.detail}")
    if not json:
        output.done(f"{app}: {seen.detail}")


def _say_nothing(message: str) -> None:
    """For those who read JSON."""


def _until(look: Callable[[], Seen], timeout: float, heard: Callable[[str], None]) -> Seen:
    """Look again and again; what is waited for is told, once each."""
    end, told = time.monotonic() + timeout, ""
    while True:
        seen = look()
        left = end - time.monotonic()
        if seen.reached or seen.failed or left <= 0:
            return seen
        if seen.detail != told:
            heard(f"Waiting: {seen.detail}")
            told = seen.detail
        time.sleep(min(_PAUSE, left))


def _look(wanted: str) -> Callable[[Client, str], Seen]:
    what, _, which = wanted.partition("=")
    if what == "turn" and which:
        return lambda client, app: _turn(client, which)
    if what == "deployment" and which:
        return lambda client, app: _deployment(client, app, which)
    if _is_version(wanted) or (what == "version" and which):
        number = version_number(which or wanted)
        return lambda client, app: _version(client, app, number)
    if wanted in ("live", "healthy"):
        return lambda client, app: _app(client, app, healthy=wanted == "healthy")
    raise UsageError(f"--for does not understand {wanted!r}", hint="Like live, healthy, v3, turn=ID or deployment=ID")


def _is_version(wanted: str) -> bool:
    return wanted.startswith("v") and wanted[1:].isdigit()


def _app(client: Client, app: str, *, healthy: bool) -> Seen:
    try:
        found = client.apps.get(app)
    except NotFound:
        return Seen(False, "not deployed yet")
    if healthy and found.trouble:
        return Seen(False, found.trouble, ill=True)
    return Seen(found.live_version > 0, f"v{found.live_version} is live" if found.live_version else "nothing is live")


def _version(client: Client, app: str, number: int) -> Seen:
    seen = _app(client, app, healthy=False)
    return Seen(seen.detail == f"v{number} is live", seen.detail)


def _deployment(client: Client, app: str, id: str) -> Seen:
    found = client.deploys.get(id)
    if found.app not in ("", app) and client.apps.get(app).name != found.app:
        raise NotFound(f"{id} is a deployment of {found.app}, not of {app}", code="deployment_not_found")
    if found.state == "done":
        return Seen(True, f"v{found.version} came up")
    if (why := found.error) is None:
        return Seen(False, "it has not come up yet")
    error = DeployFailed(why.message, code=why.code, hint=why.hint, traceback=why.traceback)
    return Seen(False, why.message, failed=True, error=error)


def _turn(client: Client, id: str) -> Seen:
    state = client.turns.get(id).state
    return Seen(state == "done", f"turn is {state}", failed=state in ("failed", "cancelled"))
