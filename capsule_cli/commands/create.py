"""``capsule create``: a project from a template."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capsule_cli import output, project
from capsule_cli.options import ForceOpt, JsonOpt, QuietDoneOpt
from capsule_cli.quoting import quoted
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command(epilog=examples("capsule create my-app", "capsule create demos/reports --template integrations"))
def create(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Folder to create; names the app.", show_default=False),
    ],
    template: Annotated[str, typer.Option(metavar="|".join(project.names()), help="Which template.")] = project.DEFAULT,
    force: ForceOpt = False,
    quiet: QuietDoneOpt = False,
    json: JsonOpt = None,
) -> None:
    """Create a project. Prints the folder."""
    target = Path(name).expanduser()
    written = project.create(target, template, force=force)
    app = project.app_name(target)
    if json:
        return output.print_json({"path": str(target), "app": app, "template": template, "files": written}, json)
    with output.hush(quiet):
        output.done(f"Created {app} from template {template}: {', '.join(written)}")
        output.whisper(f"  Next: cd {quoted(target)} && capsule deploy app.py:app && capsule chat {app}")
    output.data(str(target))
