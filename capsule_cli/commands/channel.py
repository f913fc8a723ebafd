"""``capsule channel``: messenger accounts that apps answer on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from capsule_cli import ask, hidden, output
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import JsonOpt, NameArg, ProfileOpt, QuietDoneOpt, QuietOpt, YesOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun

cli = noun("Messenger accounts that apps answer on: Telegram, Slack, WhatsApp.")

TypeOpt = Annotated[
    str,
    typer.Option("--type", metavar="telegram|slack|whatsapp", help="Which messenger.", show_default=False),
]
CredentialsOpt = Annotated[
    list[str],
    typer.Option(
        "--credentials",
        "-c",
        metavar="KEY=VALUE",
        help="A credential; repeat it. On a terminal, those left out are asked for, hidden.",
        show_default=False,
    ),
]


@cli.command(
    epilog=examples(
        "capsule channel create support-telegram --type telegram      (asks, hidden)",
        "capsule channel create team --type slack -c bot_token=xoxb-1 -c signing_secret=2",
    )
)
def create(
    name: NameArg,
    type: TypeOpt,
    credentials: CredentialsOpt = [],  # noqa: B006  (typer reads the default, nobody changes it)
    quiet: QuietDoneOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Create a channel."""
    values = _complete(_known_type(type), _given(credentials))
    with connect(profile) as client:
        channel = client.channels.create(name, type.lower(), values)
    use = f"Use it in an app: channels=[cpsl.Channel({channel.name!r})]"
    Output(json=json, quiet=quiet).made(f"Channel {channel.name} created", channel, channel.name, use)


@cli.command("list", epilog=examples("capsule channel list", "capsule channel list --json"))
def list_(quiet: QuietOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List channels."""
    with connect(profile) as client:
        found = client.channels.list()
    Output(json=json, quiet=quiet).rows(
        found,
        {
            "NAME": lambda channel: channel.name,
            "TYPE": lambda channel: channel.channel_type,
            "BOUND TO": lambda channel: channel.bound_to or "-",
            "VERSION": lambda channel: f"v{channel.version}" if channel.version else "-",
            "CREATED": lambda channel: output.when(channel.created_at),
            "ID": lambda channel: channel.id,
        },
        empty="No channels yet. Create one: capsule channel create NAME --type telegram",
    )


@cli.command(epilog=examples("capsule channel info support-telegram"))
def info(name: NameArg, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Show one channel; of its credentials only the names."""
    with connect(profile) as client:
        channel = client.channels.get(name)
    Output(json=json).item(channel, _lines(channel))


@cli.command(epilog=examples("capsule channel delete support-telegram", "capsule channel delete team --force --yes"))
def delete(
    name: NameArg,
    force: Annotated[bool, typer.Option("--force", help="Also if an app uses it.")] = False,
    yes: YesOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Delete a channel."""
    with connect(profile) as client:
        ask.confirm(f"Delete channel {name}? This cannot be undone.", yes=yes)
        client.channels.delete(name, force=force)
    Output(json=json).done(f"Channel {name} deleted", {"name": name, "deleted": True})


def _lines(channel: Any) -> dict[str, Any]:
    return {
        "Name": channel.name,
        "Type": channel.channel_type,
        "Credentials": ", ".join(channel.credentials),
        "Bound to": channel.bound_to or "(unbound)",
        "Version": f"v{channel.version}" if channel.version else "",
        "Webhook ID": channel.webhook_id,
        "Created": output.when(channel.created_at),
        "ID": channel.id,
    }


def _known_type(type: str) -> tuple[str, ...]:
    from cpsl.wire.resources import CHANNEL_CREDENTIALS

    if type.lower() in CHANNEL_CREDENTIALS:
        return CHANNEL_CREDENTIALS[type.lower()]
    raise UsageError(f"There is no channel type {type!r}", hint=f"Use one of: {', '.join(CHANNEL_CREDENTIALS)}.")


def _given(credentials: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, pair in enumerate(credentials, start=1):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip() or not value:
            raise UsageError(f"Credential {number} is not KEY=VALUE", hint="Like: -c bot_token=123:ABC")
        found[key.strip()] = value
    return found


def _complete(needed: tuple[str, ...], given: dict[str, str]) -> dict[str, str]:
    unknown = [key for key in given if key not in needed]
    if unknown:
        raise UsageError(f"Unknown credential {unknown[0]!r}", hint=f"This type takes: {', '.join(needed)}.")
    missing = [key for key in needed if key not in given]
    if missing and not ask.has_terminal():
        flags = " ".join(f"-c {key}=…" for key in missing)
        raise UsageError(f"Missing credentials: {', '.join(missing)}", hint=f"Add {flags}")
    return given | {key: _asked(key) for key in missing}


def _asked(key: str) -> str:
    try:
        value = hidden.line(f"{key} (hidden): ", f"Or give it as an option: -c {key}=…")
    except EOFError:
        value = ""
    if not value:
        raise UsageError(f"{key} is empty; nothing was stored")
    return value
