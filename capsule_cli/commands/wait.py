"""``capsule wait``: until an app is what a script needs it to be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import output
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt, version_number
from capsule_cli.tree import examples, verb
from cpsl.errors import DeployFailed, GatewayTimeout, NotFound

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.wire.apps import App

cli = verb()

_LOOK_AGAIN_SECONDS = 0.5


@cli.command(epilog=examples("capsule wait hello", "capsule wait hello --for v3 --timeout 120"))
def wait(
    app: AppArg,
    wanted: Annotated[
        str, typer.Option("--for", metavar="STATE", help="healthy: it is live and runs; or a version that is live.")
    ] = "healthy",
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="How long at most.", min=0)] = 60.0,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Wait until an app is healthy, or until a version is live.

    Exit code 6 when it takes too long, 7 when the app keeps failing.
    """
    version = None if wanted == "healthy" else _version(wanted)
    with connect(profile) as client:
        found = _wait(client, app, version, timeout)
    if json:
        output.print_json(found, json)
    else:
        output.done(f"{found.name} v{found.live_version} is live")


def _version(wanted: str) -> int:
    try:
        return version_number(wanted)
    except UsageError:
        raise UsageError(f"{wanted!r} is nothing to wait for", hint="Use healthy, or a version like v3.") from None


def _wait(client: Client, name: str, version: int | None, timeout: float) -> App:
    end = time.monotonic() + timeout
    while True:
        app = _look(client, name)
        if app is not None and _is_there(app, version):
            return app
        if time.monotonic() >= end:
            raise _too_late(name, app, timeout)
        time.sleep(min(_LOOK_AGAIN_SECONDS, max(end - time.monotonic(), 0)))


def _is_there(app: App, version: int | None) -> bool:
    return bool(app.live_version) and app.live_version == (version or app.live_version) and not app.trouble


def _look(client: Client, name: str) -> App | None:
    try:
        return client.apps.get(name)
    except NotFound:
        return None  # its first deploy may be under way


def _too_late(name: str, app: App | None, timeout: float) -> Exception:
    if app is None:
        return NotFound(f"There is no app {name!r}, after {timeout:g} seconds", code="app_not_found")
    if app.trouble:
        return DeployFailed(f"{name} is unhealthy: {app.trouble}", code="app_unhealthy", hint=f"capsule logs {name}")
    return GatewayTimeout(
        f"{name} is at v{app.live_version or 0} after {timeout:g} seconds", hint=f"capsule app versions {name}"
    )
