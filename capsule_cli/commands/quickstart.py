"""``capsule quickstart``: from nothing to an answer, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import daemon, deploying, output, project
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import JsonOpt
from capsule_cli.quoting import quoted
from capsule_cli.tree import examples, verb
from cpsl.errors import AuthError, NotFound

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.wire.apps import DeployDone

cli = verb()

QUESTION = "Hello! Are you there?"


@cli.command(epilog=examples("capsule quickstart", "capsule quickstart my-first-app"))
def quickstart(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Folder of the app; made if it is not there.")] = "hello",
    json: JsonOpt = None,
) -> None:
    """Start the gateway of this machine, log in, create an app, put it live and talk to it."""
    running = daemon.ensure(daemon.data_dir(None))
    output.done(f"The gateway runs at {running.url}")
    profile = _profile_here(running.url)
    target = _project(Path(name).expanduser())
    with connect(profile) as client:
        done = deploying.deploy(client, f"{target / 'app.py'}:app")
        output.done(f"{done.app} v{done.version} is live at {done.url}")
        answer = _talk(client, done, json=json)
    if json:
        return output.print_json({"app": done.app, "version": done.version, "url": done.url, **answer}, json)
    _tell_next(target, done.app)


def _profile_here(url: str) -> str:
    """The profile of this machine's gateway; logs in unless its token works."""
    from cpsl import config

    name = config.DEFAULT_PROFILE
    if not _works(name, url):
        from capsule_cli.commands.auth import login_here

        made = login_here()
        output.done(f"Logged in as {made.me.account.email}")
        name = made.profile.name
    return name


def _works(profile: str, url: str) -> bool:
    try:
        with connect(profile) as client:
            client.me()
            return client.gateway_url == url
    except (AuthError, NotFound):
        return False


def _project(target: Path) -> Path:
    if (target / "app.py").is_file():
        output.done(f"Using the app in {target}")
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target} is there, but no app.py in it",
            hint="Choose another name: capsule quickstart NAME",
        )
    else:
        project.create(target)
        output.done(f"Created {target / 'app.py'}")
    return target


def _talk(client: Client, done: DeployDone, *, json: str | None) -> dict[str, object]:
    from capsule_cli.talk.screen import Screen
    from capsule_cli.talk.turn import Turn

    output.say(f'\n> capsule chat {done.app} "{QUESTION}"')
    answer = Turn(client, done.app, screen=Screen(silent=json is not None), may_ask=False).run(QUESTION, None)
    if answer.cancelled:
        raise KeyboardInterrupt
    return answer.as_json()


def _tell_next(target: Path, app: str) -> None:
    output.say("\nWhat you can do now:")
    for command, what in (
        (f"capsule chat {app}", "talk to it"),
        (f"edit {quoted(target / 'app.py')}", "change it, then:"),
        (f"capsule deploy {quoted(target / 'app.py:app')}", "put it live again"),
        (f"capsule logs {app} -f", "see what it prints"),
        ("capsule gateway stop", "stop the gateway"),
    ):
        output.say(f"  {command:<40} {what}")
