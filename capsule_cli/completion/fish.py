"""The script for fish."""

from __future__ import annotations

from capsule_cli.completion.rows import CHOICE, FILES, Row, deep, rows, top, valued, verbs

_HEAD = """# Completion of capsule for fish. Made of the commands by `capsule completion fish`; do not edit.

function __capsule_args  # the words that are neither options nor their values
    set -l before
    for word in (commandline -opc)[2..-1]
        if not string match -q -- '-*' $word; and not contains -- "$before" VALUED
            echo $word
        end
        set before $word
    end
end

function __capsule_at  # whether the command so far is these words; with "+", whatever stands behind them
    set -l found (__capsule_args)
    if test "$argv[1]" = +
        set -e argv[1]
        test "$found[1..$(count $argv)]" = "$argv"
    else
        test "$found" = "$argv"
    end
end

function __capsule_place  # whether so many arguments stand behind these words; with "+", or more
    set -l found (__capsule_args)
    set -l more $argv[1]
    set -l number $argv[2]
    set -l place (math (count $found) - (count $argv) + 2)
    test "$found[1..$(count $argv[3..-1])]" = "$argv[3..-1]"; or return 1
    test $place -eq $number; or test $more = + -a $place -gt $number
end

function __capsule_names
    set -l profile $CAPSULE_PROFILE
    set -l before
    for word in (commandline -opc)
        if test "$before" = --profile
            set profile $word
        else if string match -q -- '--profile=*' $word
            set profile (string replace -- --profile= '' $word)
        end
        set before $word
    end
    set -l found (__capsule_args)
    set -l app $found[2]
    if contains -- "$found[1..2]" DEEP
        set app $found[4]
    else if contains -- "$found[1]" NOUNS
        set app $found[3]
    end
    set -l typed (commandline -ct | string replace -r -- '^--[^=]*=' '')
    CAPSULE_PROFILE="$profile" command capsule __complete $argv[1] "$typed" "$app" 2>/dev/null
end

complete -c capsule -f
complete -c capsule -n __capsule_at -l profile -r -a '(__capsule_names profiles)' -d 'Profile to use for this command.'
"""


def script() -> str:
    """The whole script."""
    lines = [_word("__capsule_at", word, help) for word, help in top()]
    for noun, found in verbs().items():
        lines += [_word(f"__capsule_at {noun}", verb, help) for verb, help in found]
    for row in rows():
        lines += _command(row)
    head = _HEAD.replace("VALUED", " ".join(valued())).replace("DEEP", " ".join(_quoted(noun) for noun in deep()))
    head = head.replace("NOUNS", " ".join(noun for noun in verbs() if " " not in noun))
    return head + "\n".join(lines) + "\n"


def _word(condition: str, word: str, help: str) -> str:
    return f"complete -c capsule -n {_quoted(condition)} -a {word} -d {_quoted(help)}"


def _command(row: Row) -> list[str]:
    condition = _quoted(f"__capsule_at + {row.words}")
    lines = []
    for name, help, kind in row.options:
        flag = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
        lines.append(f"complete -c capsule -n {condition} {flag}{_value(kind)} -d {_quoted(help)}")
    last = len(row.arguments) - 1
    for number, kind in enumerate(row.arguments):
        if kind:
            more = "+" if row.repeated and number == last else "="
            place = _quoted(f"__capsule_place {more} {number} {row.words}")
            lines.append(f"complete -c capsule -n {place}{_argument(kind)}")
    return lines


def _value(kind: str) -> str:
    if kind == "-":
        return ""
    return " -r" + (_argument(kind) if kind else "")


def _argument(kind: str) -> str:
    if kind.startswith(CHOICE):
        return f" -a {_quoted(kind.removeprefix(CHOICE))}"
    return "".join(" -F" if each == FILES else f" -a '(__capsule_names {each})'" for each in kind.split("+"))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
