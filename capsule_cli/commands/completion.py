"""``capsule completion``: the completion script of a shell, printed or put where the shell finds it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from capsule_cli import output
from capsule_cli.errors import UsageError
from capsule_cli.options import JsonOpt
from capsule_cli.tree import examples, verb

cli = verb()


@cli.command(
    epilog=examples(
        "capsule completion bash --install",
        "capsule completion zsh > ~/.zfunc/_capsule",
        "capsule completion fish | source",
    )
)
def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="Which shell.", show_default=False)],
    install: Annotated[bool, typer.Option("--install", help="Put it where the shell looks for it.")] = False,
    json: JsonOpt = None,
) -> None:
    """Print the completion script of a shell, or install it."""
    if shell not in PLACES:
        raise UsageError(f"There is no script for {shell!r}", hint=f"Use one of: {', '.join(PLACES)}")
    script: str = import_module(f"capsule_cli.completion.{shell}").script()
    if not install:
        if json:
            return output.print_json({"shell": shell, "path": None, "script": script}, json)
        return output.data(script.rstrip("\n"))
    path = _place(shell)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    if json:
        return output.print_json({"shell": shell, "path": str(path), "script": script}, json)
    output.done(f"Installed for new {shell} sessions")
    if shell == "zsh":
        output.whisper(f"  Once, in ~/.zshrc, before compinit: fpath=({path.parent} $fpath)")
    output.data(str(path))


PLACES = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/capsule"),
    "zsh": ("XDG_DATA_HOME", ".local/share", "zsh/site-functions/_capsule"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/capsule.fish"),
}
"""Of each shell: the variable of the folder, that folder below the home, the file in it (XDG base directories)."""


def _place(shell: str) -> Path:
    variable, below_home, file = PLACES[shell]
    return Path(os.environ.get(variable) or Path.home() / below_home) / file
