"""What is generated: the name of each file, and its text. A test compares them with what is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from capsule_cli import kept, reference
from capsule_cli.completion import bash, fish, zsh
from capsule_cli.errors import MEANINGS, exit_code
from cpsl import config, errors
from docs import api

ROOT = Path(__file__).parent.parent


def files() -> dict[str, str]:
    """All generated files, by their names below the top of the project."""
    return {
        "docs/README.md": index(),
        "docs/api.md": api.page(),
        "docs/cli.md": cli(),
        "docs/settings.md": settings(),
        "docs/errors.md": error_codes(),
        "completions/capsule.bash": bash.script(),
        "completions/_capsule": zsh.script(),
        "completions/capsule.fish": fish.script(),
    }


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def index() -> str:
    """All pages, each by its heading. A page written by hand is found as it is there."""
    made = {"api.md": "API", "cli.md": "Commands", "errors.md": "Errors", "settings.md": "Settings"}
    written = {path.name: _heading(path) for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"}
    rows = [f"- [{heading}]({name})" for name, heading in sorted((written | made).items())]
    return "\n".join(["# Documentation\n", "Made by `python -m docs`, as are some of the pages.\n", *rows, ""])


def _heading(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


# --- commands -----------------------------------------------------------------------------------------------------


def cli() -> str:
    """Every command, by section."""
    parts = ["# Commands\n\nMade of the code by `python -m docs`. The same is in `capsule COMMAND --help`.\n"]
    section = ""
    for command in reference.commands():
        if command.section != section:
            section = command.section
            parts.append(f"## {section}\n")
        parts.append(_command(command))
    codes = _table(("code", "meaning"), [(str(code), meaning) for code, meaning in MEANINGS.items()])
    return "\n".join([*parts, "## Exit codes\n", codes, ""])


def _command(command: reference.Command) -> str:
    takes = [(f"`{each.name}`", each.help) for each in command.arguments]
    takes += [
        (f"`{', '.join(each.names)}{f' {each.value}' if each.value else ''}`", each.help) for each in command.options
    ]
    parts = [f"### capsule {command.words}\n", command.help, "", f"```\n{command.usage}\n```", ""]
    if command.aliases:
        parts += [f"Also: {', '.join(f'`capsule {each}`' for each in command.aliases)}.", ""]
    if takes:
        parts += [_table(("", ""), takes), ""]
    if command.fields:
        parts += [f"Fields of `--json`: {', '.join(command.fields)}.", ""]
    if command.examples:
        parts += ["```sh", *command.examples, "```", ""]
    return "\n".join(parts)


# --- settings -----------------------------------------------------------------------------------------------------


def settings() -> str:
    """The settings table, the other environment variables, the order of tokens, and the files that are kept."""
    rows = [
        (row.name, row.env, f"`{row.default}`" if row.default != "" else "", row.help)
        for row in config.SETTINGS.values()
    ]
    variables = [(f"`{name}`", help) for name, help in config.VARIABLES.items()]
    return "\n".join(
        [
            "# Settings\n",
            "Made of the code by `python -m docs`. First wins: an argument, the environment, `[settings]` in",
            "`config.toml`, the default.\n",
            _table(
                ("setting", "environment", "default", ""),
                [(f"`{name}`", f"`{env}`", *rest) for name, env, *rest in rows],
            ),
            "\n## Environment variables that are no settings\n",
            _table(("variable", ""), variables),
            "\n## Which token\n",
            "First wins: the argument (`Client(token=…)`, `capsule --token-file FILE …`), `CAPSULE_TOKEN`,",
            "`CAPSULE_TOKEN_FILE`, the token of the profile. A profile that is asked for by name (`--profile`) goes",
            "before the environment. `capsule status` says which it was.",
            "\n## Files\n",
            "What Capsule keeps, all of it for its owner only. `capsule doctor` says where the folders are; they are",
            "`CAPSULE_CONFIG_DIR`, `CAPSULE_STATE_DIR` and `CAPSULE_DATA_DIR`, or else the platform's own places.",
            "Beside a file there may be an empty `.NAME.lock`.\n",
            _table(("folder", "file", ""), [(each.folder, f"`{each.name}`", each.help) for each in kept.FILES]),
            "",
        ]
    )


# --- errors -------------------------------------------------------------------------------------------------------


def error_codes() -> str:
    """The classes of errors, then every code that is raised."""
    kinds = [
        (
            f"`{kind.__name__}`",
            f"`{kind.default_code}`",
            str(kind.default_status),
            str(exit_code(kind("x"))),
            _meaning(kind),
        )
        for kind in _kinds(errors.CapsuleError)
    ]
    codes = [_code(code, raised) for code, raised in sorted(_codes().items())]
    return "\n".join(
        [
            "# Errors\n",
            "Made of the code by `python -m docs`. Every error is a `cpsl.CapsuleError`: it has a `message`, a stable",
            "`code`, a `hint` that is the next step, the HTTP `status` it travels with (RFC 9457,",
            "`application/problem+json`) and the `request_id`. The command line prints message and hint, and ends with",
            "the exit code of the class.\n",
            "## Classes\n",
            _table(("class", "code", "status", "exit", ""), kinds),
            "\n## Codes\n",
            "The code tells apart what a class has in common. `…` stands for a name, a number or a reason.\n",
            _table(("code", "class", "status", "exit", "for example", "what to do"), codes),
            "",
        ]
    )


def _kinds(kind: type[errors.CapsuleError]) -> Iterator[type[errors.CapsuleError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _kinds(below)


def _meaning(kind: type[errors.CapsuleError]) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


class Raised(NamedTuple):
    """One place in the source that makes an error with a code: ``hint`` and ``message`` as far as they are literal."""

    kind: type[errors.CapsuleError]
    status: int
    message: str
    hint: str


def _code(code: str, raised: list[Raised]) -> tuple[str, ...]:
    kinds = sorted({each.kind for each in raised}, key=lambda kind: kind.__name__)
    return (
        f"`{code}`",
        ", ".join(f"`{kind.__name__}`" for kind in kinds),
        ", ".join(map(str, sorted({each.status for each in raised}))),
        ", ".join(map(str, sorted({exit_code(kind("x")) for kind in kinds}))),
        next((each.message for each in raised if each.message), _meaning(kinds[0])),
        next((each.hint for each in raised if each.hint), ""),
    )


def _codes() -> dict[str, list[Raised]]:
    """Every ``code=`` that is given to an error of ours in the source, with all places where it is."""
    known = {kind.__name__: kind for kind in _kinds(errors.CapsuleError)}
    found: dict[str, list[Raised]] = {}
    for path in sorted([*(ROOT / "cpsl").rglob("*.py"), *(ROOT / "capsule_cli").rglob("*.py")]):
        if "templates" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (kind := known.get(_name(node.func))):
                for code in _literal_codes(node):
                    found.setdefault(code, []).append(_raised(kind, node))
    return found


def _raised(kind: type[errors.CapsuleError], call: ast.Call) -> Raised:
    given = {each.arg: each.value for each in call.keywords}
    status = given.get("status")
    number = status.value if isinstance(status, ast.Constant) and isinstance(status.value, int) else None
    message = _text(call.args[0]) if call.args else ""
    return Raised(kind, number or kind.default_status, message, _text(given.get("hint")))


def _text(node: ast.expr | None) -> str:
    """A string of the source as one line of Markdown; what is only known when it runs is an ellipsis."""
    if isinstance(node, ast.BoolOp):  # what was told, or else these words
        node = node.values[-1]
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    words = [part.value if isinstance(part, ast.Constant) else "…" for part in parts]
    text = " ".join("".join(word for word in words if isinstance(word, str)).split())
    return "" if text == "…" or node is None else text.replace("<", "&lt;")


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _literal_codes(call: ast.Call) -> list[str]:
    values = [each.value for each in call.keywords if each.arg == "code"]
    return [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
