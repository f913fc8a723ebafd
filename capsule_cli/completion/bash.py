"""The script for bash (4.4 or newer; 3.2 of macOS works too)."""

from __future__ import annotations

from capsule_cli.completion.rows import FILES, Row, rows, top, verbs

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
        lines += _case(row)
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def _words(found: list[tuple[str, str]]) -> str:
    return " ".join(word for word, _ in found)


def _case(row: Row) -> list[str]:
    # A command at the top is followed by its first argument, which looks like a verb.
    pattern = f'"{row.words}"' if " " in row.words else f'"{row.words}"|"{row.words} "*'
    lines = [f"        {pattern})", "            case $prev in"]
    for kind in sorted({kind for _, _, kind in row.options if kind != "-"}):
        names = "|".join(name for name, _, each in row.options if each == kind)
        lines.append(f"                {names}) {_complete(kind)}return ;;")
    lines.append("            esac")
    options = " ".join(name for name, _, _ in row.options)
    lines.append(f'            if [[ $cur == -* ]]; then _capsule_words "{options}"')
    if row.argument:
        lines.append(f"            else {_complete(row.argument).rstrip('; ')}")
    return [*lines, "            fi ;;"]


def _complete(kind: str) -> str:
    if not kind:
        return ""
    return "_capsule_files; " if kind == FILES else f"_capsule_names {kind}; "
