"""The script for zsh: a function ``_capsule`` for a folder of ``fpath``."""

from __future__ import annotations

from capsule_cli.completion.cases import case
from capsule_cli.completion.rows import Row, deep, rows, top, valued, verbs

_HEAD = """#compdef capsule
# Completion of capsule for zsh. Made of the commands by `capsule completion zsh`; do not edit.

_capsule_offer() {  # these words; behind a folder no blank
    local -a folders
    folders=("${(@M)@:#*/}")
    (( $#folders )) && compadd -S '' -- "${front}${^folders}"
    set -- "${(@)@:#*/}"
    (( $# )) && compadd -- "${front}${^@}"
}

_capsule_names() {  # names of a kind, from the gateway
    local -a found
    found=("${(@f)$(
        CAPSULE_PROFILE=${profile:-$CAPSULE_PROFILE} command capsule __complete $1 "$cur" "$app" 2>/dev/null)}")
    found=(${found:#})
    (( $#found )) && _capsule_offer "${found[@]}"
}

_capsule_words() { _capsule_offer ${=1} }

_capsule_takes_value() { case $1 in
VALUED) return 0 ;; esac; return 1 }

_capsule() {
    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} front= path_= profile= app= place= skip=1 word i
    local -a described args
    if [[ $cur == --*=* ]]; then front=${cur%%=*}= prev=${cur%%=*} cur=${cur#*=}; fi
    for ((i = 2; i < CURRENT; i++)); do
        word=${words[i]}
        if [[ ${words[i-1]} == --profile ]]; then profile=$word
        elif [[ $word == --profile=* ]]; then profile=${word#*=}
        elif [[ $word != -* ]] && ! _capsule_takes_value "${words[i-1]}"; then args+=("$word")
        fi
    done
    path_=${(j: :)args[1,2]}
    case $path_ in DEEP) path_=${(j: :)args[1,3]} skip=3 ;; NOUNS) skip=2 ;; esac
    app=${args[skip+1]} place=$(($#args - skip))
    if [[ $prev == --profile ]]; then _capsule_names profiles; return; fi
    case $path_ in
"""
_TAIL = """    esac
}

if [[ $funcstack[1] == _capsule ]]; then
    _capsule "$@"
elif (( $+functions[compdef] )); then  # source <(capsule completion zsh)
    compdef _capsule capsule
fi
"""


def script() -> str:
    """The whole script."""
    lines = []
    for noun, found in {"": top(), **verbs()}.items():
        lines += [f"        '{noun}')", *(f"            {line}" for line in _described(found)), "            ;;"]
    for row in rows():
        lines += case(row, _options(row), "_files")
    nouns = "|".join(f"'{noun} '*" for noun in verbs())
    head = _HEAD.replace("VALUED", "|".join(valued())).replace("NOUNS", nouns)
    head = head.replace("DEEP", "|".join(f"'{noun}'" for noun in deep()))
    return head + "\n".join(lines) + "\n" + _TAIL


def _described(found: list[tuple[str, str]]) -> list[str]:
    words = " ".join(_quoted(f"{word.replace(':', chr(92) + ':')}:{help}") for word, help in found)
    return [f"described=({words})", "_describe -V command described"]


def _options(row: Row) -> list[str]:
    return _described([(name, help) for name, help, _ in row.options])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
