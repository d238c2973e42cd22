# bash completion for vtpmctl
# shellcheck shell=bash

_vtpmctl_devices() {
    local node
    for node in /sys/class/cuse/vtpm[0-9]*; do [[ -e $node ]] && echo "${node##*/}"; done
}

_vtpmctl_instances() {
    local file
    for file in /etc/vtpm/*.toml; do [[ -e $file ]] && basename "$file" .toml; done
}

_vtpmctl() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}
    local verbs="list status caps info config power terminate locality cancel established hash version buffer-size lock state send create start stop restart enable disable destroy spawn reap"
    local choices=""
    [[ $verb != state || ${COMP_WORDS[2]} != backup ]] || previous=${previous/#--volatile/}
    # Bash breaks words at ':' and '=': what comes behind is a path (file:PATH, file=PATH).
    if [[ $word == [:=] || $previous == [:=] ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "${word#[:=]}")
        return
    fi
    case $previous in
    --permanent | --volatile | --savestate)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --startup) choices="clear state" ;;
    --reset | --locality) choices="0 1 2 3 4" ;;
    --tpm) choices="1.2 2.0" ;;
    --power) choices="on off at-open" ;;
    --device) choices="auto vtpm0" ;;
    --state) choices="file: dir:" ;;
    --key | --new-key | --from-key | --migration-key) choices="file= fd= credential= pwdfile= pwdfd= pwdcredential=" ;;
    --owner | --control-user) choices=$(compgen -u) ;;
    --group | --control-group) choices=$(compgen -g) ;;
    --generations | --retries | --mode | --set) return ;;
    *)
        if ((COMP_CWORD == 1)); then
            choices="$verbs --help --version"
        elif ((COMP_CWORD == 2)) && [[ $verb == power ]]; then
            choices="on off reset"
        elif ((COMP_CWORD == 2)) && [[ $verb == state ]]; then
            choices="save load store-volatile inspect import export rekey backup restore"
        elif [[ $word == -* ]]; then
            choices="--help --json"
            case $verb in
            power) choices+=" --delete-volatile --force --startup" ;;
            terminate) choices+=" --force" ;;
            established) choices+=" --reset" ;;
            lock) choices+=" --retries" ;;
            state)
                case ${COMP_WORDS[2]} in
                save) choices+=" --permanent --volatile --savestate --decrypted" ;;
                load) choices="--help --json --permanent --volatile --savestate" ;;
                import) choices="--help --json --from-key --key --tpm --replace" ;;
                export) choices="--help --json --from-key --key --migration-key --tpm --replace" ;;
                rekey) choices="--help --json --key --new-key --remove-key" ;;
                backup) choices="--help --json --all --key --migration-key --volatile --generations --replace" ;;
                restore) choices="--help --json --key --migration-key --same-identity --no-volatile --fresh-identity --force" ;;
                esac
                ;;
            send) choices+=" --locality" ;;
            create) choices="--help --json --device --state --key --tpm --power --owner --group --mode --control-user --control-group --migration-key --from --from-key --set" ;;
            start | enable | disable | status) choices="--help --json --all" ;;
            stop | restart) choices="--help --json --all --force" ;;
            destroy) choices="--help --json --yes --keep-state --force" ;;
            spawn) choices="--help --json --remove" ;;
            esac
        elif [[ " start stop restart enable disable destroy spawn " == *" $verb "* ]]; then
            choices=$(_vtpmctl_instances)
        elif [[ $verb == state && " inspect import export rekey " == *" ${COMP_WORDS[2]} "* ]]; then
            choices="file: dir: linear: $(_vtpmctl_instances)"
        elif [[ $verb == state && " backup restore " == *" ${COMP_WORDS[2]} "* ]] && ((COMP_CWORD > 3)); then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        elif [[ $verb == version ]] && ((COMP_CWORD == 3)); then
            choices="1.2 2.0"
        elif [[ $verb == locality ]] && ((COMP_CWORD == 3)); then
            choices="0 1 2 3 4"
        elif [[ $verb == hash ]] && ((COMP_CWORD == 3)); then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        else
            choices="$(_vtpmctl_devices) $(_vtpmctl_instances)"
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -F _vtpmctl vtpmctl
