"""``capsule skill``: the commands for coding agents, as one page."""

from __future__ import annotations

from capsule_cli import output
from capsule_cli.options import JsonOpt
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command(epilog=examples("capsule skill > SKILL.md", "capsule skill --json"))
def skill(json: JsonOpt = None) -> None:
    """Print a reference of the commands for coding agents. With --json: the commands as data."""
    from capsule_cli import reference, skills

    if json:
        return output.print_json([command._asdict() for command in reference.commands()], json)
    output.data(skills.page())
