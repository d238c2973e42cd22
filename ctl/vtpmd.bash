# bash completion for vtpmd: options, the words that they take, instances and paths.
# shellcheck shell=bash

_vtpmd_instances() {
    local file
    for file in /etc/vtpm/*.toml; do [[ -e $file ]] && basename "$file" .toml; done
}

_vtpmd() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} choices=""
    # Bash breaks words at ':' and '=': what comes behind is a path (file:PATH, file=PATH).
    if [[ $word == [:=] || $previous == [:=] ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "${word#[:=]}")
        return
    fi
    case $previous in
    --device) choices="auto vtpm0" ;;
    --state) choices="file: dir:" ;;
    --create) choices="if-missing never" ;;
    --key | --migration-key) choices="file= fd= credential= pwdfile= pwdfd= pwdcredential=" ;;
    --sync) choices="full none" ;;
    --tpm) choices="2.0 1.2" ;;
    --resource-manager) choices="on off" ;;
    --power) choices="on off at-open" ;;
    --startup) choices="clear state none" ;;
    --locality) choices="reject-4" ;;
    --migration) choices="incoming release-lock-outgoing" ;;
    --control) choices="allowed none" ;;
    --sandbox) choices="on log off" ;;
    --log-level) choices="error warning info debug" ;;
    --name) choices=$(_vtpmd_instances) ;;
    --owner | --rm-owner | --control-user | --user) choices=$(compgen -u) ;;
    --group | --rm-group | --control-group | --status-group) choices=$(compgen -g) ;;
    --config | --pid-file | --openssl-config)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --profile | --buffer-size | --mode | --rm-mode | --rm-objects | --rm-sessions | --major | --minor) return ;;
    *)
        choices="--help --version --device --state --create --state-wait --key --sync --tpm --profile --power --startup"
        choices+=" --buffer-size --no-auto-shutdown --name --config --owner --group --mode --check --make-state"
        choices+=" --resource-manager --rm-objects --rm-sessions --rm-owner --rm-group --rm-mode"
        choices+=" --control --control-user --control-group --status-group --locality --migration --migration-key --user --sandbox"
        choices+=" --major --minor --daemon --pid-file --log-level --openssl-config"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -F _vtpmd vtpmd
