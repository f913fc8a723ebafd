"""``capsule secret``: what apps read and nobody sees again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from capsule_cli import output
from capsule_cli.connect import connect
from capsule_cli.options import ForceOpt, JsonOpt, NameArg, ProfileOpt, QuietOpt
from capsule_cli.output import Output
from capsule_cli.secret_values import Sources, collect
from capsule_cli.tree import examples, noun
from cpsl.errors import NotFound

if TYPE_CHECKING:
    from cpsl.wire.resources import SecretsStored

cli = noun("Secrets that apps read as environment variables. Their values are never shown again.")

StageOpt = Annotated[
    bool,
    typer.Option("--stage", help="Restart nothing: it counts for what is deployed from now on."),
]
PairsArg = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME[=VALUE]",
        help="NAME, to be asked; NAME -, to read stdin; NAME=@FILE; NAME=VALUE. As many as you like.",
        show_default=False,
    ),
]
EnvFileOpt = Annotated[
    list[str],
    typer.Option("--env-file", metavar="FILE", help="All in a .env file (- for stdin); repeat it.", show_default=False),
]
FromEnvOpt = Annotated[
    list[str],
    typer.Option("--from-env", metavar="NAME", help="The environment variable NAME; repeat it.", show_default=False),
]
FromJsonOpt = Annotated[
    str | None,
    typer.Option("--from-json", metavar="FILE", help="All in a JSON object (- for stdin).", show_default=False),
]
RawOpt = Annotated[bool, typer.Option("--raw", help="Keep the line end at the end of a file or stdin.")]


@cli.command(
    epilog=examples(
        "capsule secret create OPENAI_API_KEY            (asks, hidden)",
        "capsule secret create TLS_KEY - < key.pem",
        "capsule secret create TLS_KEY=@key.pem GITHUB_CLIENT_ID=abc",
        "capsule secret create --env-file .env",
        "capsule secret create --from-env OPENAI_API_KEY",
        "capsule secret create OPENAI_API_KEY --force --stage    (a new one, from the next deploy on)",
    )
)
def create(
    pairs: PairsArg = [],  # noqa: B006  (typer reads the defaults, nobody changes them)
    env_file: EnvFileOpt = [],  # noqa: B006
    from_env: FromEnvOpt = [],  # noqa: B006
    from_json: FromJsonOpt = None,
    raw: RawOpt = False,
    force: ForceOpt = False,
    stage: StageOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Store secrets: all of them, or none. Apps that name one restart with the new value, between two messages.

    One that has this very value already is left as it is.
    """
    with connect(profile) as client:  # nobody is asked who is not logged in
        values = collect(Sources(pairs, env_file, from_env, from_json, raw))
        stored = client.secrets.create(values, overwrite=force, stage=stage)
    _tell_stored(stored, values, stage=stage, json=json)


@cli.command(epilog=examples("capsule secret update OPENAI_API_KEY", "capsule secret update --env-file .env"))
def update(
    pairs: PairsArg = [],  # noqa: B006
    env_file: EnvFileOpt = [],  # noqa: B006
    from_env: FromEnvOpt = [],  # noqa: B006
    from_json: FromJsonOpt = None,
    raw: RawOpt = False,
    stage: StageOpt = False,
    profile: ProfileOpt = None,
    json: JsonOpt = None,
) -> None:
    """Give secrets that exist new values: all of them, or none."""
    with connect(profile) as client:  # nobody is asked who is not logged in
        values = collect(Sources(pairs, env_file, from_env, from_json, raw))
        missing = values.keys() - {secret.name for secret in client.secrets.list()}
        if missing:
            names = ", ".join(sorted(missing))
            raise NotFound(f"There is no secret {names}; nothing was stored", hint=f"capsule secret create {names}")
        stored = client.secrets.create(values, overwrite=True, stage=stage)
    _tell_stored(stored, values, stage=stage, json=json)


def _tell_stored(stored: SecretsStored, values: dict[str, str], *, stage: bool, json: str | None) -> None:
    if json:
        return output.print_json(stored, json)
    for secret in stored.secrets:
        word = "stored" if secret.name in stored.changed else "unchanged"
        count = len(values[secret.name])
        output.done(f"Secret {secret.name} {word} ({count} character{'s'[: count != 1]}, digest {secret.digest})")
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
