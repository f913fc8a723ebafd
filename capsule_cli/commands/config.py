"""``capsule config``: the settings on this machine."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from capsule_cli import output
from capsule_cli.errors import UsageError
from capsule_cli.options import JsonOpt, ProfileOpt, QuietOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun

cli = noun("Settings: list, get, set, unset.")

SettingArg = Annotated[str, typer.Argument(metavar="NAME", help="The setting.", show_default=False)]


@cli.command("list", epilog=examples("capsule config list", "capsule config list --json name,value"))
def list_(quiet: QuietOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List all settings, what they are, and where that comes from."""
    from cpsl import config

    Output(json=json, quiet=quiet).rows(
        [_row(name) for name in config.SETTINGS],
        {
            "NAME": lambda row: row["name"],
            "VALUE": lambda row: _shown(row["value"]),
            "FROM": lambda row: row["origin"],
            "MEANING": lambda row: row["help"],
        },
        empty="",
    )


@cli.command(epilog=examples("capsule config get timeout"))
def get(name: SettingArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Print the value of a setting."""
    row = _row(_known(name))
    if json:
        return output.print_json(row, json)
    output.data(_shown(row["value"]))
    output.whisper(f"From: {row['origin']}")


@cli.command("set", epilog=examples("capsule config set timeout 120"))
def set_(
    name: SettingArg,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What it is to be.", show_default=False)],
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Keep a setting in config.toml."""
    from cpsl import config

    config.set_value(_known(name), value)
    _tell(name, json=json)


@cli.command(epilog=examples("capsule config unset timeout"))
def unset(name: SettingArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Forget a setting: the default counts again."""
    from cpsl import config

    config.set_value(_known(name), None)
    _tell(name, json=json)


def _tell(name: str, *, json: str | None) -> None:
    row = _row(name)
    Output(json=json).done(f"{name} is {_shown(row['value']) or 'empty'} ({row['origin']})", row)


def _known(name: str) -> str:
    from difflib import get_close_matches

    from cpsl import config

    if name in config.SETTINGS:
        return name
    close = get_close_matches(name, config.SETTINGS, n=1)
    raise UsageError(
        f"There is no setting {name!r}", hint=f"Did you mean {close[0]}?" if close else "capsule config list"
    )


def _row(name: str) -> dict[str, Any]:
    from cpsl import config

    setting = config.SETTINGS[name]
    if os.environ.get(setting.env):
        origin = setting.env
    else:
        origin = str(config.config_path()) if name in config.load().settings else "default"
    return {"name": name, "value": _without_password(name, config.get(name)), "origin": origin, "help": setting.help}


def _without_password(name: str, value: Any) -> Any:
    """The URL of a database may hold a password, which is nobody's to see."""
    if name != "database_url" or "@" not in value:
        return value
    scheme, _, rest = value.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}"


def _shown(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
