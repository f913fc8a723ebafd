"""The branch of one command in a ``case``, which bash and zsh write alike."""

from __future__ import annotations

from capsule_cli.completion.rows import CHOICE, FILES, Row


def case(row: Row, options: list[str], files: str) -> list[str]:
    """The lines of a command: values of its options, its options (offered by the lines ``options``), its arguments.

    ``files`` is the function that offers files.
    """
    # A command at the top is followed by its first argument, which looks like a verb.
    pattern = f"'{row.words}'" if " " in row.words else f"'{row.words}'|'{row.words} '*"
    lines = [f"        {pattern})", "            case $prev in"]
    for kind in sorted({kind for _, _, kind in row.options if kind != "-"}):
        names = "|".join(name for name, _, each in row.options if each == kind)
        offered = f"{_offer(kind, files)}; " if kind else ""
        lines.append(f"                {names}) {offered}return ;;")
    lines += ["            esac", "            if [[ $cur == -* ]]; then"]
    lines += [f"                {line}" for line in options]
    if any(row.arguments):
        lines += ["            else case $place in", *_places(row, files), "                esac"]
    return [*lines, "            fi ;;"]


def _places(row: Row, files: str) -> list[str]:
    last = len(row.arguments) - 1
    return [
        f"                {'*' if row.repeated and number == last else number}) {_offer(kind, files)} ;;"
        for number, kind in enumerate(row.arguments)
        if kind
    ]


def _offer(kinds: str, files: str) -> str:
    if kinds.startswith(CHOICE):
        return f'_capsule_words "{kinds.removeprefix(CHOICE)}"'
    return "; ".join(files if kind == FILES else f"_capsule_names {kind}" for kind in kinds.split("+"))
