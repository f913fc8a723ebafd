"""``capsule help``: a command's help by its words, and topics that belong to no one command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from capsule_cli import output, tree
from capsule_cli.errors import MEANINGS, UsageError
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command("help", epilog=examples("capsule help", "capsule help secret create", "capsule help exit-codes"))
def help_(
    words: Annotated[
        list[str], typer.Argument(metavar="COMMAND|TOPIC", help="What to explain.", show_default=False)
    ] = [],  # noqa: B006  (typer reads the default, nobody changes it)
) -> None:
    """Explain a command, or one of the topics exit-codes, environment and output."""
    if len(words) == 1 and words[0] in TOPICS:
        return output.data("\n".join(TOPICS[words[0]]()))
    if words and words[0] not in tree.COMMANDS:
        raise UsageError(f"There is no command or topic {words[0]!r}", hint=f"Topics: {', '.join(TOPICS)}")
    tree.build().main(args=[*words, "--help"], prog_name="capsule", standalone_mode=False)


def _exit_codes() -> list[str]:
    return output.align([("CODE", "MEANING"), *((str(code), meaning) for code, meaning in MEANINGS.items())])


def _environment() -> list[str]:
    from cpsl import config

    rows = [(row.env, row.help) for row in config.SETTINGS.values()] + list(config.VARIABLES.items())
    return output.align([("VARIABLE", "WHAT IT DOES"), *sorted(rows)])


def _output() -> list[str]:
    return [
        "Data goes to stdout, everything else to stderr.",
        "",
        *output.align(
            (
                ("--json", "JSON, one line; where things come one by one, one object a line."),
                ("--json name,state", "Only these fields. Times are ISO 8601 in UTC."),
                ("-q, --quiet", "In lists: names only, one a line."),
                ("CAPSULE_OUTPUT=json", "As if every command had --json."),
                (
                    "CAPSULE_OUTPUT=agent",
                    "Rows with tabs between, no colour, no questions; by itself for coding agents.",
                ),
            )
        ),
        "",
        "With --json an error is one object on stderr: code, message, hint, request_id. Exit codes never change.",
        "This is version 1 of the JSON: later ones may add fields, but none goes, or comes to mean something else.",
    ]


TOPICS: dict[str, Callable[[], list[str]]] = {
    "exit-codes": _exit_codes,
    "environment": _environment,
    "output": _output,
}
