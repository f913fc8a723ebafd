"""``capsule app``: the apps of the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capsule_cli import ask, output
from capsule_cli.connect import connect
from capsule_cli.options import AppArg, JsonOpt, ProfileOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun

cli = noun("Apps: list, get, delete.")


@cli.command("list", epilog=examples("capsule app list", "capsule app list --json"))
def list_(profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """List the apps of your workspace."""
    with connect(profile) as client:
        found = client.apps.list()
    Output(json=json).rows(
        found,
        {
            "NAME": lambda app: _fact(app, "name"),
            "VERSION": lambda app: _version(_fact(app, "live_version")),
            "URL": lambda app: _fact(app, "url"),
            "UPDATED": lambda app: output.when(_fact(app, "updated_at")),
        },
        empty="No apps yet. Begin with: capsule quickstart",
    )


@cli.command(epilog=examples("capsule app get hello", "capsule app get hello --json"))
def get(app: AppArg, profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """Show one app."""
    with connect(profile) as client:
        found = client.apps.get(app)
    lines = {
        "Name": _fact(found, "name"),
        "URL": _fact(found, "url"),
        "Live version": _version(_fact(found, "live_version")),
        "Price": _price(found),
        "Description": _fact(found, "description"),
        "Created": output.when(_fact(found, "created_at")),
        "Updated": output.when(_fact(found, "updated_at")),
        "ID": _fact(found, "id"),
    }
    Output(json=json).item(found, lines)


@cli.command(epilog=examples("capsule app delete hello", "capsule app delete hello --yes"))
def delete(app: AppArg, yes: YesOpt = False, profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """Delete an app: its versions, its sessions and its logs."""
    with connect(profile) as client:
        name = _fact(client.apps.get(app), "name")
        ask.confirm(f"Delete app {name} with all its sessions? This cannot be undone.", yes=yes)
        client.apps.delete(app)
    Output(json=json).done(f"App {name} deleted", {"name": name, "deleted": True})


def _fact(app: Any, name: str) -> Any:
    return app[name] if isinstance(app, Mapping) else getattr(app, name)


def _version(number: int) -> str:
    return f"v{number}" if number else "-"


def _price(app: Any) -> str:
    cents = _fact(app, "price_in_cents")
    return f"${cents / 100:.2f} {_fact(app, 'pricing_type').replace('_', ' ')}" if cents else "free"
