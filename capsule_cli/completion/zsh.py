"""The script for zsh: a function ``_capsule`` for a folder of ``fpath``."""

from __future__ import annotations

from capsule_cli.completion.cases import case
from capsule_cli.completion.rows import Row, rows, top, verbs

_HEAD = """#compdef capsule
# Completion of capsule for zsh. Made of the commands by `capsule completion zsh`; do not edit.

_capsule_names() {  # names of a kind, from the gateway
    local -a found
    found=("${(@f)$(CAPSULE_PROFILE=${profile:-$CAPSULE_PROFILE} command capsule __complete $1 2>/dev/null)}")
    found=(${found:#})
    (( $#found )) && compadd -- "${found[@]}"
}

_capsule() {
    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} path_= profile= word i
    local -a described
    for ((i = 2; i < CURRENT; i++)); do
        word=${words[i]}
        if [[ ${words[i-1]} == --profile ]]; then profile=$word
        elif [[ $word != -* && $path_ != *" "* ]]; then path_=${path_:+$path_ }$word
        fi
    done
    case $path_ in
"""
_TAIL = """    esac
}

_capsule "$@"
"""


def script() -> str:
    """The whole script."""
    lines = []
    for noun, found in {"''": top(), **verbs()}.items():
        lines += [f"        {noun})", *(f"            {line}" for line in _described(found)), "            ;;"]
    for row in rows():
        lines += case(row, _options(row), "_files")
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def _described(found: list[tuple[str, str]]) -> list[str]:
    words = " ".join(_quoted(f"{word.replace(':', chr(92) + ':')}:{help}") for word, help in found)
    return [f"described=({words})", "_describe -V command described"]


def _options(row: Row) -> list[str]:
    return _described([(name, help) for name, help, _ in row.options])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
