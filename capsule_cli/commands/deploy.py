"""``capsule deploy``: put an app live."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsule_cli import ask, deploying, last_deploys, output
from capsule_cli.connect import connect
from capsule_cli.options import JsonOpt, ProfileOpt, QuietDoneOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, verb

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.client.projects import Entry
    from cpsl.wire.apps import AppSpec, DeployDone

cli = verb()


@cli.command(
    epilog=examples(
        "capsule deploy app.py:app",
        "url=$(capsule deploy shop/app.py:app -q)",
        "capsule deploy app.py:app --no-wait",
        "capsule deploy app.py:app --dry-run",
    )
)
def deploy(
    entry: Annotated[
        str,
        typer.Argument(metavar="FILE.py:SYMBOL", help="The file, and the cpsl.App in it.", show_default=False),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and send nothing.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it is live, or only until all is sent.")
    ] = True,
    yes: YesOpt = False,
    quiet: QuietDoneOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Put an app live. Prints its URL; with --no-wait the id of the deployment, which goes on at the gateway.

    The folder of FILE is the project: all of it is sent, but what .gitignore and .capsuleignore name, and never .env.
    Asks first when this folder was last deployed as another app, or this app from another folder.
    """
    from cpsl.client.projects import split

    place = split(entry, hint="Like: capsule deploy app.py:app")
    with connect(profile) as client, output.hush(quiet):
        if dry_run:
            return _tell_plan(deploying.plan(client, entry), json=json)
        agreed = partial(_agree, client, place, yes=yes)
        done = deploying.deploy(client, entry, agreed=agreed, wait=wait)
        last_deploys.remember(place, done.app, client.gateway_url)
        _tell(done, json=json)


def _tell(done: DeployDone, *, json: str | None) -> None:
    if json:
        told = {"version": done.version or None, "deployment_id": done.deployment_id, "url": done.url or None}
        return output.print_json({"app": done.app, **told}, json)
    if done.version:
        output.done(f"{done.app} v{done.version} is live. Talk to it: capsule chat {done.app}")
    else:
        output.done(f"{done.app} is sent; the gateway goes on with it")
        output.whisper(f"  {deploying.waiting(done.app, done.deployment_id)}")
    output.data(done.url or done.deployment_id)


def _agree(client: Client, place: Entry, spec: AppSpec, *, yes: bool) -> None:
    why = last_deploys.surprise(place, spec.name, client.gateway_url)
    if why is None or yes:
        return
    output.warn(f"Careful: {why}.")
    ask.confirm(f"Deploy {spec.name} from here?", yes=False)


def _tell_plan(plan: dict[str, Any], *, json: str | None) -> None:
    lines = {
        "App": plan["app"],
        "From": f"{plan['folder']} ({plan['entry']})",
        "Files": f"{plan['files']}, {output.size(plan['size'])}",
        "Packages": ", ".join(plan["packages"]),
        "Secrets": ", ".join(plan["secrets"]),
        "Missing": ", ".join(plan["missing"]),
    }
    Output(json=json).item(plan, lines)
    if not json:
        for command in plan["commands"]:
            output.say(f"Create it: {command}")
        output.whisper("Nothing was sent.")
