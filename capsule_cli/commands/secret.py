"""``capsule secret``: what apps read and nobody sees again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import output
from capsule_cli.connect import connect
from capsule_cli.options import ForceOpt, JsonOpt, NameArg, ProfileOpt, QuietDoneOpt, QuietOpt
from capsule_cli.output import Output
from capsule_cli.secret_values import Sources, gathered
from capsule_cli.tree import examples, noun
from cpsl.errors import NotFound

if TYPE_CHECKING:
    from cpsl.wire.resources import SecretsStored

cli = noun("Secrets that apps read as environment variables. Their values are never shown again.")

StageOpt = Annotated[
    bool,
    typer.Option("--stage", help="Restart nothing: it counts for what is deployed from now on."),
]
RawOpt = Annotated[bool, typer.Option("--raw", help="Keep the newline at the end of stdin or of a file.")]
EmptyOpt = Annotated[bool, typer.Option("--allow-empty", help="Store an empty value too.")]


@cli.command(
    epilog=examples(
        "capsule secret create OPENAI_API_KEY            (asks, hidden)",
        "capsule secret create TLS_KEY - < key.pem",
        "capsule secret create TLS_KEY=@key.pem          (@@ begins a value with an @)",
        "capsule secret create GITHUB_CLIENT_ID=abc GITHUB_CLIENT_SECRET=def",
        "capsule secret create --env-file .env",
        "capsule secret create --from-env OPENAI_API_KEY --force --stage",
    )
)
def create(
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME[=VALUE]",
            help="NAME=VALUE or NAME=@FILE, as many as you like; or one NAME, to be asked; or NAME -, to read stdin.",
            show_default=False,
        ),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="FILE", help="All of a .env file; - is stdin.", show_default=False),
    ] = None,
    from_env: Annotated[
        list[str] | None,
        typer.Option(
            "--from-env", metavar="NAME", help="The variable of that name; may be repeated.", show_default=False
        ),
    ] = None,
    from_json: Annotated[
        Path | None,
        typer.Option("--from-json", metavar="FILE", help="An object of names and values; - is stdin."),
    ] = None,
    raw: RawOpt = False,
    allow_empty: EmptyOpt = False,
    force: ForceOpt = False,
    stage: StageOpt = False,
    quiet: QuietDoneOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Store secrets: all of them, or none. Apps that name one restart with the new value, between two messages.

    The very value that a secret has already is no conflict, and changes nothing.
    """
    sources = Sources(pairs or (), env_file, from_env or (), from_json, raw, allow_empty)
    with connect(profile) as client:
        values = gathered(sources)
        stored = client.secrets.create(values, overwrite=force, stage=stage, allow_empty=allow_empty)
    if quiet and not json:
        return output.data("\n".join(secret.name for secret in stored.secrets))
    _tell(stored, values, stage=stage, json=json)


@cli.command(epilog=examples("capsule secret update OPENAI_API_KEY", "capsule secret update TLS_KEY - < key.pem"))
def update(
    name: Annotated[str, typer.Argument(metavar="NAME[=VALUE]", help="As for create.", show_default=False)],
    source: Annotated[str | None, typer.Argument(metavar="-", help="Read stdin.", show_default=False)] = None,
    raw: RawOpt = False,
    allow_empty: EmptyOpt = False,
    stage: StageOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Give a secret that exists another value."""
    words = [name] if source is None else [name, source]
    with connect(profile) as client:
        known = {secret.name for secret in client.secrets.list()}
        wanted = name.partition("=")[0].strip()
        if wanted not in known:
            # Without a = the word may be a value.
            shown = f" {wanted}" if "=" in name else " of that name"
            raise NotFound(f"There is no secret{shown}", code="secret_not_found", hint="capsule secret list")
        values = gathered(Sources(words, raw=raw, allow_empty=allow_empty))
        stored = client.secrets.create(values, overwrite=True, stage=stage, allow_empty=allow_empty)
    _tell(stored, values, stage=stage, json=json)


def _tell(stored: SecretsStored, values: dict[str, str], *, stage: bool, json: str | None) -> None:
    if json:
        return output.print_json(stored, json)
    for secret in stored.secrets:
        what = "unchanged" if secret.name in stored.unchanged else "stored"
        length = len(values[secret.name].encode())
        output.done(f"Secret {secret.name} {what} ({length} byte{'s'[: length != 1]}, digest {secret.digest})")
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
