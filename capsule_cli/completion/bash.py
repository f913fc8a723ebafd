"""The script for bash (4.4 or newer; 3.2 of macOS works too)."""

from __future__ import annotations

from capsule_cli.completion.cases import case
from capsule_cli.completion.rows import Row, deep, rows, top, valued, verbs

_HEAD = """# Completion of capsule for bash. Made of the commands by `capsule completion bash`; do not edit.

_capsule_offer() {  # one word, quoted, without the part of it that bash does not replace
    [[ $1 == "$cur"* ]] || return
    local whole=$front$1
    [[ $1 == */ ]] && compopt -o nospace 2>/dev/null
    COMPREPLY+=("$(printf '%q' "${whole#"$head"}")")
}

_capsule_names() {  # names of a kind, from the gateway
    local name
    while IFS= read -r name; do _capsule_offer "$name"; done < <(
        CAPSULE_PROFILE=${profile:-$CAPSULE_PROFILE} command capsule __complete "$1" "$cur" "$app" 2>/dev/null)
}

_capsule_words() { local name; for name in $1; do _capsule_offer "$name"; done; }

_capsule_files() {  # one a line: a name may have blanks in it
    local name
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do name=$front$name COMPREPLY+=("${name#"$head"}"); done < <(compgen -f -- "$cur")
}

_capsule_takes_value() { case $1 in
VALUED) return 0 ;; esac; return 1; }

_capsule() {
    local cur= prev= front= head= words= profile= app= place= skip=1 word i
    local -a line=() args=()
    COMPREPLY=()
    for ((i = 0; i <= COMP_CWORD; i++)); do  # bash cuts words at : and =
        word=${COMP_WORDS[i]}
        if ((i > 1)) && [[ $word == [:=]* || ${COMP_WORDS[i-1]} == [:=] ]]; then line[${#line[@]}-1]+=$word
        else line+=("$word")
        fi
    done
    cur=${line[${#line[@]}-1]} prev=${line[${#line[@]}-2]} word=${COMP_WORDS[COMP_CWORD]}
    head=${cur%"$word"}
    [[ $word == [:=] ]] && head=$cur
    if [[ $cur == --*=* ]]; then front=${cur%%=*}= prev=${cur%%=*} cur=${cur#*=}; fi
    for ((i = 1; i < ${#line[@]} - 1; i++)); do
        word=${line[i]}
        if [[ ${line[i-1]} == --profile ]]; then profile=$word
        elif [[ $word == --profile=* ]]; then profile=${word#*=}
        elif [[ $word != -* ]] && ! _capsule_takes_value "${line[i-1]}"; then args+=("$word")
        fi
    done
    words="${args[*]:0:2}"
    case $words in DEEP) words="${args[*]:0:3}" skip=3 ;; NOUNS) skip=2 ;; esac
    app=${args[*]:skip:1} place=$((${#args[@]} - skip))
    if [[ $prev == --profile ]]; then _capsule_names profiles; return; fi
    case $words in
"""
_TAIL = """    esac
}

complete -F _capsule capsule
"""


def script() -> str:
    """The whole script."""
    nouns = verbs()
    top_options = "--help --version --profile --token-file --no-input --no-color --no-truncate"
    lines = [f'        "") _capsule_words "{_words(top())} {top_options}" ;;']
    lines += [f"        '{noun}') _capsule_words \"{_words(found)} --help\" ;;" for noun, found in nouns.items()]
    for row in rows():
        lines += case(row, _options(row), "_capsule_files")
    head = _HEAD.replace("VALUED", "|".join(valued())).replace("NOUNS", "|".join(f"'{noun} '*" for noun in nouns))
    head = head.replace("DEEP", "|".join(f"'{noun}'" for noun in deep()))
    return head + "\n".join(lines) + "\n" + _TAIL


def _words(found: list[tuple[str, str]]) -> str:
    return " ".join(word for word, _ in found)


def _options(row: Row) -> list[str]:
    return [f'_capsule_words "{" ".join(name for name, _, _ in row.options)}"']
