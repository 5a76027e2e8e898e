# Completion of ironlance and of its links for bash; printed by `ironlance completion bash`.

_ironlance_options() {
    case $1 in
@OPTIONS@    esac
}

# The options of a verb of supervisorctl.
_ironlance_action_options() {
    case $1 in
@ACTION_OPTIONS@    esac
}

# Whether an option of a command takes a value: COMMAND:OPTION.
_ironlance_takes() {
    case $1 in
@TAKERS@    esac
    return 1
}

# The same for an option of a verb of supervisorctl: VERB:OPTION.
_ironlance_verb_takes() {
    case $1 in
@VERB_TAKERS@    esac
    return 1
}

_ironlance_subcommands() {
    case $1 in
        ironlance) echo '@COMMANDS@' ;;
        manual) echo 'ironlance @COMMANDS@ supervisord.conf' ;;
        completion) echo 'bash zsh fish' ;;
@SUBCOMMANDS@    esac
}

# The first word of each line that supervisorctl says, as it was called and with its options so far.
_ironlance_ask() {
    local verb=$1 word ask=()
    shift
    for word; do
        ask+=("${word/#\~\//$HOME/}")
    done
    command timeout 5 "${ask[@]}" "$verb" </dev/null 2>/dev/null | while read -r word _; do
        printf '%s\n' "$word"
    done
}

# What may stand behind a verb of supervisorctl: VERB, how many words stand between, and how supervisorctl was called.
_ironlance_behind() {
    local verb=$1 place=$2 name
    shift 2
    case $verb in
        @WITH_SIGNAL@)
            if ((place == 0)); then
                echo '@SIGNALS@'
                return
            fi
            ;;
        @WITH_CHANNEL@)
            if ((place > 0)); then
                ((place == 1)) && echo '@CHANNELS@'
                return
            fi
            ;;
    esac
    case $verb in
        @WITH_ALL@) echo all ;;
    esac
    case $verb in
        @WITH_VERBS@) echo '@ACTIONS@' ;;
        @WITH_EVENTS@) echo '@EVENTS@' ;;
        @WITH_GROUPS@)
            _ironlance_ask avail "$@" | while read -r name; do
                echo "${name%%:*}"
            done
            ;;
        @WITH_PROCESSES@)
            _ironlance_ask status "$@" | while read -r name; do
                echo "$name"
                [[ $name == *:* ]] && echo "${name%%:*}:*"
            done
            ;;
    esac
}

# Replies with those of the words that begin as the current one does.
_ironlance_reply() {
    local current=$1 word skip=
    shift
    # bash takes what stands before a colon for a word of its own.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        skip=${current%"${current##*:}"}
    fi
    for word; do
        if [[ $word == "$current"* && " ${COMPREPLY[*]} " != *" ${word#"$skip"} "* ]]; then
            COMPREPLY+=("${word#"$skip"}")
        fi
    done
}

_ironlance() {
    local line=${COMP_LINE:0:COMP_POINT} words=() rest=() current command first=1 at word place=0
    # Not COMP_WORDS, which are broken at colons.
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    current=${words[${#words[@]} - 1]}
    command=${words[0]##*/}
    COMPREPLY=()
    if [[ $command == ironlance && ${#words[@]} -gt 2 ]]; then
        command=${words[1]}
        first=2
    fi
    # The first word that is neither an option nor the value of one.
    for ((at = first; at < ${#words[@]} - 1; at++)); do
        if _ironlance_takes "$command:${words[at]}"; then
            ((at++))
        elif [[ ${words[at]} != -* ]]; then
            break
        fi
    done
    if ((at > ${#words[@]} - 1)); then
        # The value of an option: most are files.
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    if [[ $command == supervisorctl ]] && ((at < ${#words[@]} - 1)); then
        if _ironlance_verb_takes "${words[at]}:${words[${#words[@]} - 2]}"; then
            compopt +o default 2>/dev/null
            return
        fi
        for word in "${words[@]:at+1:${#words[@]}-at-2}"; do
            [[ $word != -* ]] && ((place++))
        done
    fi
    # Names may have a star in them, which is not to become a list of files.
    if [[ $current == -* && $command == supervisorctl ]] && ((at < ${#words[@]} - 1)); then
        read -d '' -ra rest < <(_ironlance_action_options "${words[at]}")
    elif [[ $current == -* ]]; then
        read -d '' -ra rest < <(_ironlance_options "$command")
    elif ((at == ${#words[@]} - 1)); then
        if [[ $command == supervisorctl ]]; then
            rest=(@ACTIONS@)
        else
            read -d '' -ra rest < <(_ironlance_subcommands "$command")
        fi
    elif [[ $command == supervisorctl ]]; then
        read -d '' -ra rest < <(_ironlance_behind "${words[at]}" "$place" "${words[@]:0:at}")
    fi
    _ironlance_reply "$current" "${rest[@]}"
}

complete -o default -F _ironlance ironlance @LINKS@
