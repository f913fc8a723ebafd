# Completion of capsule for bash. Made of the commands by `capsule completion bash`; do not edit.

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
--attach|--channel|--confirm|--credentials|--data-dir|--env-file|--for|--from-env|--from-json|--gateway|--host|--isolation|--level|--lines|--port|--profile|--range|--search|--session|--since|--template|--timeout|--token-file|--turn|--type|--until|--version|-a|-n|-s) return 0 ;; esac; return 1; }

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
    case $words in 'app users') words="${args[*]:0:3}" skip=3 ;; 'app '*|'app users '*|'secret '*|'session '*|'fs '*|'channel '*|'auth '*|'config '*|'gateway '*) skip=2 ;; esac
    app=${args[*]:skip:1} place=$((${#args[@]} - skip))
    if [[ $prev == --profile ]]; then _capsule_names profiles; return; fi
    case $words in
        "") _capsule_words "quickstart create serve deploy chat logs open wait app secret session fs channel login logout status auth config doctor gateway completion skill help --help --version --profile --token-file --no-input --no-color --no-truncate" ;;
        'app') _capsule_words "list get versions deploys rollback restart delete users --help" ;;
        'app users') _capsule_words "list disable enable delete --help" ;;
        'secret') _capsule_words "create update list delete --help" ;;
        'session') _capsule_words "list show rename delete --help" ;;
        'fs') _capsule_words "create list delete show ls upload download cat mkdir mv rm --help" ;;
        'channel') _capsule_words "create list info delete --help" ;;
        'auth') _capsule_words "token list switch login logout status --help" ;;
        'config') _capsule_words "list get set unset --help" ;;
        'gateway') _capsule_words "start stop status logs --help" ;;
        'quickstart'|'quickstart '*)
            case $prev in
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--json --help"
            fi ;;
        'create'|'create '*)
            case $prev in
                --template) _capsule_words "default integrations"; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--template --force --quiet -q --json --help"
            fi ;;
        'serve'|'serve '*)
            case $prev in
                --channel) _capsule_names channels; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--channel --force-channel --profile --json --help"
            else case $place in
                0) _capsule_files ;;
                esac
            fi ;;
        'deploy'|'deploy '*)
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--dry-run --wait --no-wait --yes -y --quiet -q --profile --json --help"
            else case $place in
                0) _capsule_files ;;
                esac
            fi ;;
        'chat'|'chat '*)
            case $prev in
                --turn|--timeout) return ;;
                --attach|-a) _capsule_files; return ;;
                --profile) _capsule_names profiles; return ;;
                --session) _capsule_names sessions; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--continue -c --session --new --attach -a --turn --stdin --no-stdin --stream --no-stream --markdown --no-markdown --timeout --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'logs'|'logs '*)
            case $prev in
                --lines|-n|--since|--until|--search|--turn) return ;;
                --level) _capsule_words "debug info warning error critical"; return ;;
                --stream) _capsule_words "stdout stderr system"; return ;;
                --profile) _capsule_names profiles; return ;;
                --session) _capsule_names sessions; return ;;
                --version) _capsule_names versions; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--follow -f --lines -n --since --until --search --timestamps --no-timestamps --utc --session --turn --version --level --stream --build --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'open'|'open '*)
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--print --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'wait'|'wait '*)
            case $prev in
                --timeout) return ;;
                --for) _capsule_names goals; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--for --timeout --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
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
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'app versions')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'app deploys')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'app rollback')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                1) _capsule_names versions ;;
                esac
            fi ;;
        'app restart')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'app delete')
            case $prev in
                --confirm) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--confirm --yes -y --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'app users list')
            case $prev in
                --lines|-n) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--lines -n --visitors --quiet -q --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'app users disable')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                1) _capsule_names users ;;
                esac
            fi ;;
        'app users enable')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                1) _capsule_names users ;;
                esac
            fi ;;
        'app users delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--yes -y --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                1) _capsule_names users ;;
                esac
            fi ;;
        'secret create')
            case $prev in
                --from-env) return ;;
                --env-file|--from-json) _capsule_files; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--env-file --from-env --from-json --raw --allow-empty --force --stage --quiet -q --profile --json --help"
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
            else case $place in
                0) _capsule_names secrets ;;
                esac
            fi ;;
        'session list')
            case $prev in
                --lines|-n|--search|-s) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--lines -n --search -s --quiet -q --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                esac
            fi ;;
        'session show')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                1) _capsule_names sessions ;;
                esac
            fi ;;
        'session rename')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                1) _capsule_names sessions ;;
                esac
            fi ;;
        'session delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--yes -y --profile --json --help"
            else case $place in
                0) _capsule_names apps ;;
                1) _capsule_names sessions ;;
                esac
            fi ;;
        'fs create')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
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
                --confirm) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--confirm --yes -y --profile --json --help"
            else case $place in
                0) _capsule_names filesystems ;;
                esac
            fi ;;
        'fs show')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names places ;;
                esac
            fi ;;
        'fs ls')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--quiet -q --profile --json --help"
            else case $place in
                0) _capsule_names places ;;
                esac
            fi ;;
        'fs upload')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--recursive -r --force --skip-existing --profile --json --help"
            else case $place in
                0) _capsule_files ;;
                *) _capsule_files; _capsule_names places ;;
                esac
            fi ;;
        'fs download')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--recursive -r --force --skip-existing --profile --json --help"
            else case $place in
                0) _capsule_names places ;;
                *) _capsule_files ;;
                esac
            fi ;;
        'fs cat')
            case $prev in
                --range) return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--range --profile --help"
            else case $place in
                0) _capsule_names places ;;
                esac
            fi ;;
        'fs mkdir')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_names places ;;
                esac
            fi ;;
        'fs mv')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--force --profile --json --help"
            else case $place in
                0) _capsule_names places ;;
                esac
            fi ;;
        'fs rm')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--recursive -r --yes -y --profile --json --help"
            else case $place in
                0) _capsule_names places ;;
                esac
            fi ;;
        'channel create')
            case $prev in
                --credentials|-c) return ;;
                --type) _capsule_words "telegram slack whatsapp"; return ;;
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--type --credentials -c --quiet -q --profile --json --help"
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
            else case $place in
                0) _capsule_names channels ;;
                esac
            fi ;;
        'channel delete')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--force --yes -y --profile --json --help"
            else case $place in
                0) _capsule_names channels ;;
                esac
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
            else case $place in
                0) _capsule_names profiles ;;
                esac
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
            else case $place in
                0) _capsule_words "gateway_host gateway_port public_url data_dir database_url providers_file sign_in_file provider_timeout smtp_host smtp_port smtp_user smtp_password_file smtp_from smtp_tls behind_proxy turn_timeout keep_versions keyring keyring_timeout allow_http timeout completion_timeout update_check max_retries" ;;
                esac
            fi ;;
        'config set')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_words "gateway_host gateway_port public_url data_dir database_url providers_file sign_in_file provider_timeout smtp_host smtp_port smtp_user smtp_password_file smtp_from smtp_tls behind_proxy turn_timeout keep_versions keyring keyring_timeout allow_http timeout completion_timeout update_check max_retries" ;;
                esac
            fi ;;
        'config unset')
            case $prev in
                --profile) _capsule_names profiles; return ;;
            esac
            if [[ $cur == -* ]]; then
                _capsule_words "--profile --json --help"
            else case $place in
                0) _capsule_words "gateway_host gateway_port public_url data_dir database_url providers_file sign_in_file provider_timeout smtp_host smtp_port smtp_user smtp_password_file smtp_from smtp_tls behind_proxy turn_timeout keep_versions keyring keyring_timeout allow_http timeout completion_timeout update_check max_retries" ;;
                esac
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
                --host|--port) return ;;
                --data-dir) _capsule_files; return ;;
                --isolation) _capsule_words "namespaces none"; return ;;
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
            else case $place in
                0) _capsule_words "bash zsh fish" ;;
                esac
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
