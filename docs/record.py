"""``python -m docs.record``: run the session of the README on a gateway of its own; write it down, and as a picture.

The text goes between two marks of the README, the picture to ``docs/session.svg``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- session: python -m docs.record -->\n", "<!-- end of session -->"

SESSION = (
    ("create", "hello"),
    ("deploy", "hello/app.py:app"),
    ("chat", "hello", "Good morning"),
    ("app", "list", "--json", "name,url"),
    ("app", "get", "helo"),
)
"""The commands that are shown, each by its words."""


class Step(NamedTuple):
    """A command line as it is typed, and all that it printed."""

    typed: str
    printed: str


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def session() -> list[Step]:
    """Run the session on a machine where nothing was before."""
    with tempfile.TemporaryDirectory() as folder, _machine(Path(folder)) as run:
        return [_step(words, run(*words)) for words in SESSION]


def _step(words: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> Step:
    typed = " ".join(f'"{word}"' if " " in word else word for word in words)
    return Step(f"capsule {typed}", stable(done.stderr + done.stdout))


def stable(printed: str) -> str:
    """``printed`` without what differs from run to run and between machines."""
    printed = re.sub(r"^Warning: .*\n", "", printed, flags=re.MULTILINE)
    printed = re.sub(r"from \S*/(hello/app\.py)", r"from \1", printed)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1980", printed)


def text(steps: list[Step]) -> str:
    """The session as a block of the README."""
    return "```console\n" + "\n".join(f"$ {step.typed}\n{step.printed}".rstrip() for step in steps) + "\n```\n"


def picture(steps: list[Step]) -> str:
    """The session as an SVG that needs nothing from elsewhere."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True, color_system="truecolor")
        for step in steps:
            console.print(Text("$ ", "bold green") + Text(step.typed, "bold"))
            console.print(Text(step.printed.rstrip()))
        drawn = console.export_svg(title="capsule", unique_id="session")
    return re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", drawn, flags=re.DOTALL)


@contextmanager
def _machine(folder: Path) -> Iterator[Run]:
    places = {f"CAPSULE_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "STATE")}
    more = {"CAPSULE_KEYRING": "off", "CAPSULE_GATEWAY_PORT": "0", "CAPSULE_OUTPUT": "human", "NO_COLOR": "1"}

    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAPSULE_")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "capsule_cli", *words]
        around = kept | places | more
        return subprocess.run(command, env=around, cwd=folder, capture_output=True, text=True, check=False)

    run("login")
    try:
        yield run
    finally:
        run("gateway", "stop")


def main() -> None:
    """Record, and write both."""
    steps = session()
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(before + BEGIN + text(steps) + END + after, encoding="utf-8")
    (ROOT / "docs" / "session.svg").write_text(picture(steps), encoding="utf-8")


if __name__ == "__main__":
    main()
