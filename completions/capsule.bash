# Completion of capsule for bash. Made of the commands by `capsule completion bash`; do not edit.

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
        "") _capsule_words "quickstart create serve deploy chat logs open wait app secret session fs channel login logout status auth config doctor gateway completion skill help --help --version --profile --no-input --no-color" ;;
        app) _capsule_words "list get versions rollback restart delete --help" ;;
        secret) _capsule_words "create update list delete --help" ;;
        session) _capsule_words "list show rename delete --help" ;;
        fs) _capsule_words "create list delete show ls upload download cat mkdir mv rm --help" ;;
        channel) _capsule_words "create list info delete --help" ;;
        auth) _capsule_words "token list switch login logout status --help" ;;
        config) _capsule_words "list get set unset --help" ;;
        gateway) _capsule_words "start stop status logs --help" ;;
        'quickstart'|'quickstart '*)
            case $prev in
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--json --help"
            fi ;;
        'create'|'create '*)
            case $prev in
                --template) return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--template --force --json --help"
            fi ;;
        'serve'|'serve '*)
            case $prev in
                --channel) _capsule_names channels; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--channel --force-channel --profile --json --help"
            else _capsule_files
            fi ;;
        'deploy'|'deploy '*)
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--dry-run --yes -y --profile --json --help"
            else _capsule_files
            fi ;;
        'chat'|'chat '*)
            case $prev in
                --session|--turn|--timeout) return ;;
                --attach|-a) _capsule_files; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--continue -c --session --new --attach -a --turn --stdin --no-stdin --stream --no-stream --markdown --no-markdown --timeout --profile --json --help"
            else _capsule_names apps
            fi ;;
        'logs'|'logs '*)
            case $prev in
                --lines|-n|--since|--until|--search|--session|--turn|--version|--level|--stream) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--follow -f --lines -n --since --until --search --timestamps --no-timestamps --utc --session --turn --version --level --stream --build --profile --json --help"
            else _capsule_names apps
            fi ;;
        'open'|'open '*)
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--print --profile --json --help"
            else _capsule_names apps
            fi ;;
        'wait'|'wait '*)
            case $prev in
                --for|--timeout) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--for --timeout --profile --json --help"
            else _capsule_names apps
            fi ;;
        'app list')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            fi ;;
        'app get')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names apps
            fi ;;
        'app versions')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names apps
            fi ;;
        'app rollback')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names apps
            fi ;;
        'app restart')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names apps
            fi ;;
        'app delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--yes -y --profile --json --help"
            else _capsule_names apps
            fi ;;
        'secret create')
            case $prev in
                --from-env) return ;;
                --env-file|--from-json) _capsule_files; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--env-file --from-env --from-json --raw --allow-empty --force --stage --profile --json --help"
            fi ;;
        'secret update')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--raw --allow-empty --stage --profile --json --help"
            fi ;;
        'secret list')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            fi ;;
        'secret delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--stage --profile --json --help"
            else _capsule_names secrets
            fi ;;
        'session list')
            case $prev in
                --lines|-n|--search|-s) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--lines -n --search -s --quiet -q --profile --json --help"
            else _capsule_names apps
            fi ;;
        'session show')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names apps
            fi ;;
        'session rename')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names apps
            fi ;;
        'session delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--yes -y --profile --json --help"
            else _capsule_names apps
            fi ;;
        'fs create')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'fs list')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            fi ;;
        'fs delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--yes -y --profile --json --help"
            else _capsule_names filesystems
            fi ;;
        'fs show')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names filesystems
            fi ;;
        'fs ls')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            else _capsule_names filesystems
            fi ;;
        'fs upload')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--recursive -r --force --skip-existing --profile --json --help"
            else _capsule_files
            fi ;;
        'fs download')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--recursive -r --force --skip-existing --profile --json --help"
            else _capsule_names filesystems
            fi ;;
        'fs cat')
            case $prev in
                --range) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--range --profile --help"
            else _capsule_names filesystems
            fi ;;
        'fs mkdir')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names filesystems
            fi ;;
        'fs mv')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--force --profile --json --help"
            else _capsule_names filesystems
            fi ;;
        'fs rm')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--recursive -r --yes -y --profile --json --help"
            else _capsule_names filesystems
            fi ;;
        'channel create')
            case $prev in
                --type|--credentials|-c) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--type --credentials -c --profile --json --help"
            fi ;;
        'channel list')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            fi ;;
        'channel info')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else _capsule_names channels
            fi ;;
        'channel delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--force --yes -y --profile --json --help"
            else _capsule_names channels
            fi ;;
        'login'|'login '*)
            case $prev in
                --gateway) return ;;
                --token-file) _capsule_files; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--gateway --with-token --token-file --profile --json --help"
            fi ;;
        'logout'|'logout '*)
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--all --profile --json --help"
            fi ;;
        'status'|'status '*)
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'auth token')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --help"
            fi ;;
        'auth list')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            fi ;;
        'auth switch')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'auth login')
            case $prev in
                --gateway) return ;;
                --token-file) _capsule_files; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--gateway --with-token --token-file --profile --json --help"
            fi ;;
        'auth logout')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--all --profile --json --help"
            fi ;;
        'auth status')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'config list')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            fi ;;
        'config get')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'config set')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'config unset')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'doctor'|'doctor '*)
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            fi ;;
        'gateway start')
            case $prev in
                --host|--port|--isolation) return ;;
                --data-dir) _capsule_files; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--foreground --host --port --data-dir --isolation --json --help"
            fi ;;
        'gateway stop')
            case $prev in
                --data-dir) _capsule_files; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--data-dir --json --help"
            fi ;;
        'gateway status')
            case $prev in
                --data-dir) _capsule_files; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--data-dir --json --help"
            fi ;;
        'gateway logs')
            case $prev in
                --lines|-n) return ;;
                --data-dir) _capsule_files; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--follow -f --lines -n --data-dir --help"
            fi ;;
        'completion'|'completion '*)
            case $prev in
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--install --json --help"
            fi ;;
        'skill'|'skill '*)
            case $prev in
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--json --help"
            fi ;;
        'help'|'help '*)
            case $prev in
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--help"
            fi ;;
    esac
}

complete -F _capsule capsule
