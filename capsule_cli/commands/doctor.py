"""``capsule doctor``: what works here, what does not, and what to do about it."""

from __future__ import annotations

import typer

from capsule_cli import checks, output
from capsule_cli.options import JsonOpt, ProfileOpt
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command(epilog=examples("capsule doctor", "capsule doctor --json"))
def doctor(profile: ProfileOpt = None, json: JsonOpt = None) -> None:
    """Check this machine, your login and the gateway. Exit code 1 when something has to be mended."""
    found = []
    for check in checks.all_checks(profile):
        found.append(check)
        if not json:
            _show(check)
    if json:
        output.print_json([check._asdict() for check in found], json)
    if any(check.state == checks.FAIL for check in found):
        raise typer.Exit(1)


def _show(check: checks.Check) -> None:
    output.data(output.clean(f"{check.state:<5} {check.name:<20} {check.detail}"))
    for line in check.fix.splitlines():
        output.data(output.clean(f"{'':<26} {line}"))
