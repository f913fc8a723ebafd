"""The script for bash (4.4 or newer; 3.2 of macOS works too)."""

from __future__ import annotations

from capsule_cli.completion.cases import case
from capsule_cli.completion.rows import Row, rows, top, verbs

_HEAD = """# Completion of capsule for bash. Made of the commands by `capsule completion bash`; do not edit.

_capsule_names() {  # names of a kind, from the gateway; quoted, whatever they are
    local name
    while IFS= read -r name; do
        [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
    done < <(CAPSULE_PROFILE=${profile:-$CAPSULE_PROFILE} command capsule __complete "$1" 2>/dev/null)
}

_capsule_words() { COMPREPLY+=($(compgen -W "$1" -- "$cur")); }

_capsule_files() {  # one a line: a name may have blanks in it
    local name
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -f -- "$cur")
}

_capsule() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= profile= word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ${COMP_WORDS[i-1]} == --profile ]]; then profile=$word
        elif [[ $word != -* && $words != *" "* ]]; then words=${words:+$words }$word
        fi
    done
    case $words in
"""
_TAIL = """    esac
}

complete -F _capsule capsule
"""


def script() -> str:
    """The whole script."""
    nouns = verbs()
    lines = [f'        "") _capsule_words "{_words(top())} --help --version --profile --no-input --no-color" ;;']
    lines += [f'        {noun}) _capsule_words "{_words(found)} --help" ;;' for noun, found in nouns.items()]
    for row in rows():
        lines += case(row, _options(row), "_capsule_files")
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def _words(found: list[tuple[str, str]]) -> str:
    return " ".join(word for word, _ in found)


def _options(row: Row) -> list[str]:
    return [f'_capsule_words "{" ".join(name for name, _, _ in row.options)}"']
