"""``capsule app``: the apps of the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsule_cli import ask, output
from capsule_cli.commands import app_users
from capsule_cli.connect import connect
from capsule_cli.options import AppArg, ConfirmOpt, JsonOpt, ProfileOpt, QuietOpt, YesOpt, version_number
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun
from cpsl.errors import NotFound

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.wire.apps import ImageSpec, Version

cli = noun("Apps: list, get, versions, deploys, rollback, restart, delete; their users.")
cli.add_typer(app_users.cli, name="users")


@cli.command("list", epilog=examples("capsule app list", "capsule app list --json"))
def list_(quiet: QuietOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List the apps of your workspace."""
    with connect(profile) as client:
        found = client.apps.list()
    Output(json=json, quiet=quiet).rows(
        found,
        {
            "NAME": lambda app: _fact(app, "name"),
            "VERSION": lambda app: _version(_fact(app, "live_version")),
            "STATE": lambda app: "unhealthy" if _fact(app, "trouble") else "ok" if _fact(app, "live_version") else "-",
            "URL": lambda app: _fact(app, "url"),
            "UPDATED": lambda app: output.when(_fact(app, "updated_at")),
        },
        empty="No apps yet. Begin with: capsule quickstart",
    )


@cli.command(epilog=examples("capsule app get hello", "capsule app get hello --json"))
def get(app: AppArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Show one app."""
    with connect(profile) as client:
        found = client.apps.get(app)
    lines = {
        "Name": _fact(found, "name"),
        "URL": _fact(found, "url"),
        "Live version": _version(_fact(found, "live_version")),
        "Trouble": _fact(found, "trouble"),
        "Price": _price(found),
        "Description": _fact(found, "description"),
        "Created": output.when(_fact(found, "created_at")),
        "Updated": output.when(_fact(found, "updated_at")),
        "ID": _fact(found, "id"),
    }
    Output(json=json).item(found, lines)


@cli.command(epilog=examples("capsule app versions hello", "capsule app versions hello --json"))
def versions(app: AppArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List the versions of an app that are kept. The newest is first, * marks the live one."""
    with connect(profile) as client:
        found = _versions(client, app)
        last = None if json else next(iter(client.deploys.list(app)), None)
    Output(json=json).rows(
        found,
        {
            "VERSION": lambda version: f"v{version.version}{' *' if version.state == 'live' else ''}",
            "STATE": lambda version: version.state,
            "ENTRY": lambda version: version.entry,
            "IMAGE": lambda version: _image(version.image),
            "CREATED": lambda version: output.when(version.created_at),
        },
        empty="Nothing was deployed yet.",
    )
    if last is not None and last.error is not None:
        output.say(f"The last deploy failed: {last.error.message}")
        output.whisper(f"  capsule app deploys {app}")


def _versions(client: Client, app: str) -> list[Version]:
    try:
        return client.apps.versions(app)
    except NotFound as error:
        with suppress(NotFound):
            client.deploys.list(app)
            error.hint = f"It never went live. See why: capsule app deploys {app}"
        raise


@cli.command(epilog=examples("capsule app deploys hello", "capsule app deploys hello --json state,error"))
def deploys(app: AppArg, quiet: QuietOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List the last deploys of an app, and why any failed. The newest is first."""
    with connect(profile) as client:
        found = client.deploys.list(app)
    Output(json=json, quiet=quiet).rows(
        found,
        {
            "DEPLOYMENT": lambda deploy: deploy.deployment_id,
            "STATE": lambda deploy: deploy.state,
            "VERSION": lambda deploy: _version(deploy.version),
            "CREATED": lambda deploy: output.when(deploy.created_at),
            "ERROR": lambda deploy: deploy.error.message if deploy.error else "-",
        },
        empty="Nothing was deployed yet.",
    )


@cli.command(epilog=examples("capsule app rollback hello", "capsule app rollback hello v3"))
def rollback(
    app: AppArg,
    version: Annotated[
        str | None,
        typer.Argument(metavar="VERSION", help="Like v3; the one that was live before, if left out."),
    ] = None,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Make an earlier version live again. What is live stays live until the other one has come up.

    Messages that are being answered are answered to their end by the version that began them.
    """
    number = None if version is None else version_number(version)
    with connect(profile) as client:
        done = client.apps.rollback(app, number)
    if json:
        return output.print_json(done, json)
    output.done(f"{done.app} v{done.version} is live, instead of v{done.previous}")
    output.data(done.url)


@cli.command(epilog=examples("capsule app restart hello"))
def restart(app: AppArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Start an app anew, with the version that is live.

    Messages that are being answered are answered to their end by what began them.
    """
    with connect(profile) as client:
        done = client.apps.restart(app)
    Output(json=json).done(f"{done.app} v{done.version} restarts", done)


@cli.command(epilog=examples("capsule app delete hello", "capsule app delete hello --confirm hello"))
def delete(
    app: AppArg, confirm: ConfirmOpt = None, yes: YesOpt = False, profile: ProfileOpt = None, json: JsonOpt = None
) -> None:
    """Delete an app: its versions, its sessions and its logs. Asks for its name."""
    with connect(profile) as client:
        name = _fact(client.apps.get(app), "name")
        ask.confirm_name(f"This deletes the app {name} with all its sessions.", name, given=confirm, yes=yes)
        client.apps.delete(app)
    Output(json=json).done(f"App {name} deleted", {"name": name, "deleted": True})


def _fact(app: Any, name: str) -> Any:
    return app[name] if isinstance(app, Mapping) else getattr(app, name)


def _version(number: int) -> str:
    return f"v{number}" if number else "-"


def _image(image: ImageSpec) -> str:
    parts = {"Python": image.python_packages, "apt": image.apt_packages, "shell": image.commands}
    return ", ".join(f"{len(items)} {name}" for name, items in parts.items() if items) or "-"


def _price(app: Any) -> str:
    cents = _fact(app, "price_in_cents")
    return f"${cents / 100:.2f} {_fact(app, 'pricing_type').replace('_', ' ')}" if cents else "free"
