"""The script for fish."""

from __future__ import annotations

from capsule_cli.completion.rows import FILES, Row, rows, top, verbs

_HEAD = """# Completion of capsule for fish. Made of the commands by `capsule completion fish`; do not edit.

function __capsule_at  # whether the command so far is these words; with "+", whatever stands behind them
    set -l found
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if test "$word" = --profile
            set skip 1
        else if not string match -q -- '-*' $word
            set -a found $word
        end
    end
    if test "$argv[1]" = +
        set -e argv[1]
        test "$found[1..$(count $argv)]" = "$argv"
    else
        test "$found" = "$argv"
    end
end

function __capsule_names
    set -l profile $CAPSULE_PROFILE
    set -l words (commandline -opc)
    if set -l at (contains -i -- --profile $words)
        set profile $words[(math $at + 1)]
    end
    CAPSULE_PROFILE="$profile" command capsule __complete $argv[1] 2>/dev/null
end

complete -c capsule -f
"""


def script() -> str:
    """The whole script."""
    lines = [_word("__capsule_at", word, help) for word, help in top()]
    for noun, found in verbs().items():
        lines += [_word(f"__capsule_at {noun}", verb, help) for verb, help in found]
    for row in rows():
        lines += _command(row)
    return _HEAD + "\n".join(lines) + "\n"


def _word(condition: str, word: str, help: str) -> str:
    return f"complete -c capsule -n {_quoted(condition)} -a {word} -d {_quoted(help)}"


def _command(row: Row) -> list[str]:
    condition = _quoted(f"__capsule_at + {row.words}")
    lines = []
    for name, help, kind in row.options:
        flag = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
        lines.append(f"complete -c capsule -n {condition} {flag}{_value(kind)} -d {_quoted(help)}")
    if row.argument:
        lines.append(f"complete -c capsule -n {condition}{_argument(row.argument)}")
    return lines


def _value(kind: str) -> str:
    if kind == "-":
        return ""
    return " -r" + (_argument(kind) if kind else "")


def _argument(kind: str) -> str:
    return " -F" if kind == FILES else f" -a '(__capsule_names {kind})'"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
