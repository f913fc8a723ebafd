"""``capsule deploy``: put an app live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsule_cli import ask, deploying, last_deploys, output
from capsule_cli.connect import connect
from capsule_cli.options import JsonOpt, ProfileOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, verb

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.client.projects import Entry

cli = verb()


@cli.command(
    epilog=examples(
        "capsule deploy app.py:app", "url=$(capsule deploy shop/app.py:app)", "capsule deploy app.py:app --dry-run"
    )
)
def deploy(
    entry: Annotated[
        str,
        typer.Argument(metavar="FILE.py:SYMBOL", help="The file, and the cpsl.App in it.", show_default=False),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and send nothing.")] = False,
    yes: YesOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Put an app live. Prints its URL.

    The folder of FILE is the project: all of it is sent, but what .gitignore and .capsuleignore name, and never .env.
    Asks first when this folder was last deployed as another app, or this app from another folder.
    """
    from cpsl.client.projects import split

    place = split(entry, hint="Like: capsule deploy app.py:app")
    with connect(profile) as client:
        if dry_run:
            return _tell_plan(deploying.plan(client, entry), json=json)
        done = deploying.deploy(client, entry, agreed=lambda spec: _agree(client, place, spec.name, yes=yes))
        last_deploys.remember(place, done.app, client.gateway_url)
    if json:
        told = {"app": done.app, "version": done.version, "deployment_id": done.deployment_id, "url": done.url}
        return output.print_json(told, json)
    output.done(f"{done.app} v{done.version} is live. Talk to it: capsule chat {done.app}")
    output.data(done.url)


def _agree(client: Client, place: Entry, app: str, *, yes: bool) -> None:
    why = last_deploys.surprise(place, app, client.gateway_url)
    if why is None or yes:
        return
    output.say(f"Careful: {why}.")
    ask.confirm(f"Deploy {app} from here?", yes=False)


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
