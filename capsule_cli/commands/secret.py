"""``capsule secret``: what apps read and nobody sees again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from capsule_cli import ask, output
from capsule_cli.connect import connect
from capsule_cli.errors import UsageError
from capsule_cli.options import ForceOpt, JsonOpt, NameArg, ProfileOpt, QuietOpt
from capsule_cli.output import Output
from capsule_cli.tree import examples, noun

cli = noun("Secrets that apps read as environment variables. Their values are never shown again.")

StageOpt = Annotated[
    bool,
    typer.Option("--stage", help="Restart nothing: it counts for what is deployed from now on."),
]
_WAYS = 'Pipe it: printf %s "$VALUE" | capsule secret create {name} -   or give {name}=VALUE.'


@cli.command(
    epilog=examples(
        "capsule secret create OPENAI_API_KEY            (asks, hidden)",
        "capsule secret create TLS_KEY - < key.pem",
        "capsule secret create GITHUB_CLIENT_ID=abc GITHUB_CLIENT_SECRET=def",
        "capsule secret create OPENAI_API_KEY --force --stage    (a new one, from the next deploy on)",
    )
)
def create(
    pairs: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME[=VALUE]",
            help="NAME=VALUE, as many as you like; or one NAME, to be asked; or NAME -, to read stdin.",
            show_default=False,
        ),
    ],
    force: ForceOpt = False,
    stage: StageOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Store secrets: all of them, or none. Apps that name one restart with the new value, between two messages."""
    given = _given(pairs)
    with connect(profile) as client:
        values = given or _usable({pairs[0]: _asked(pairs[0])})
        stored = client.secrets.create(values, overwrite=force, stage=stage)
    if json:
        return output.print_json(stored, json)
    for secret in stored.secrets:
        output.done(f"Secret {secret.name} stored (digest {secret.digest})")
    for note in stored.notes:
        output.say(f"Note: {note}")
    _tell_restarts(stored.restarted)
    waiting = sorted({app for secret in stored.secrets if secret.staged_at for app in secret.used_by})
    if stage and waiting:
        output.say(f"Staged: waits for the next deploy of {', '.join(waiting)}")


@cli.command("list", epilog=examples("capsule secret list", "capsule secret list --json"))
def list_(quiet: QuietOpt = False, profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """List secrets: names and digests, never values."""
    with connect(profile) as client:
        found = client.secrets.list()
    Output(json=json, quiet=quiet).rows(
        found,
        {
            "NAME": lambda secret: secret.name,
            "DIGEST": lambda secret: secret.digest,
            "USED BY": lambda secret: ", ".join(secret.used_by) or "-",
            "CREATED": lambda secret: output.when(secret.created_at),
            "UPDATED": lambda secret: output.when(secret.updated_at),
        },
        empty="No secrets yet. Create one: capsule secret create NAME",
    )


@cli.command(epilog=examples("capsule secret delete OPENAI_API_KEY"))
def delete(
    name: NameArg,
    stage: Annotated[bool, typer.Option("--stage", help="Restart nothing: what runs keeps it until it ends.")] = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Delete a secret. Apps that name it restart without it."""
    with connect(profile) as client:
        gone = client.secrets.delete(name, stage=stage)
    told = {"name": name, "deleted": True, "restarted": gone.restarted}
    Output(json=json).done(f"Secret {name} deleted", told)
    if not json:
        _tell_restarts(gone.restarted)


def _tell_restarts(apps: list[str]) -> None:
    if apps:
        output.say(f"Restarting: {', '.join(apps)}")


def _given(pairs: list[str]) -> dict[str, str]:
    """The secrets that the command line and stdin give; none if there is one that has to be asked for."""
    if len(pairs) == 2 and pairs[1] == "-":
        return _usable({_checked(pairs[0]): _from_stdin()})
    if len(pairs) == 1 and "=" not in pairs[0]:
        name = _checked(pairs[0])
        ask.need_terminal(f"Asking for the value of {name}", _WAYS.format(name=name))
        return {}
    return _usable(_from_arguments(pairs))


def _from_arguments(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, pair in enumerate(pairs, start=1):
        name, equals, value = pair.partition("=")
        if not equals:
            # What stands there may be a value: it is not repeated.
            raise UsageError(f"Argument {number} is not NAME=VALUE", hint="Quote values that contain blanks.")
        if _checked(name.strip()) in found:
            raise UsageError(f"{name.strip()} is given twice")
        found[name.strip()] = value
    output.whisper("Note: values given as arguments stay in your shell's history and are seen by `ps`.")
    return found


def _checked(name: str) -> str:
    from cpsl.wire.names import check_secret_name

    return check_secret_name(name)


def _asked(name: str) -> str:
    try:
        return ask.hidden(f"Value of {name} (hidden): ")
    except EOFError:
        raise UsageError("No value was given; nothing was stored") from None


def _from_stdin() -> str:
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="Leave out the '-' to be asked, or pipe the value in.")
    raw = sys.stdin.buffer.read()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise UsageError("The value on stdin is not UTF-8 text") from None
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _usable(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not value:
            raise UsageError(f"The value of {name} is empty; nothing was stored", code="empty_secret")
        if "\0" in value:
            raise UsageError(f"The value of {name} contains a NUL byte, which no environment variable can hold")
    return values
