#compdef ironlance @LINKS@
# Completion of ironlance and of its links for zsh; printed by `ironlance completion zsh`.

# Whether an option of a command takes a value: COMMAND:OPTION.
_ironlance_takes() {
  case $1 in
@TAKERS@  esac
  return 1
}

# The same for an option of a verb of supervisorctl: VERB:OPTION.
_ironlance_verb_takes() {
  case $1 in
@VERB_TAKERS@  esac
  return 1
}

# The first word of each line that supervisorctl says, as it was called and with its options so far.
_ironlance_ask() {
  local verb=$1 line
  shift
  command timeout 5 "${(Q)@}" $verb </dev/null 2>/dev/null | while read -r line; do
    print -r -- ${line%%[[:space:]]*}
  done
}

# What may stand behind a verb of supervisorctl: VERB, how many words stand between, and how supervisorctl was called.
_ironlance_behind() {
  local verb=$1
  local -i place=$2
  local -a names found
  shift 2
  case $verb in
    (@WITH_SIGNAL@)
      if ((place == 0)); then
        compadd -- @SIGNALS@
        return
      fi
      ;;
    (@WITH_CHANNEL@)
      if ((place > 0)); then
        ((place == 1)) && compadd -- @CHANNELS@
        return
      fi
      ;;
  esac
  case $verb in
    (@WITH_ALL@) names=(all) ;;
  esac
  case $verb in
    (@WITH_VERBS@)
      found=(@ACTIONS@)
      _describe action found
      ;;
    (@WITH_EVENTS@) compadd -- @EVENTS@ ;;
    (@WITH_GROUPS@)
      names+=(${${(f)"$(_ironlance_ask avail "$@")"}%%:*})
      compadd -- ${(u)names}
      ;;
    (@WITH_PROCESSES@)
      found=(${(f)"$(_ironlance_ask status "$@")"})
      names+=($found ${${(M)found:#*:*}/%:*/:\*})
      compadd -- ${(u)names}
      ;;
    (*) _files ;;
  esac
}

_ironlance() {
  local command=${words[1]:t}
  local -i first=2 at place
  local -a found
  if [[ $command == ironlance && $CURRENT -gt 2 ]]; then
    command=$words[2]
    first=3
  fi
  # The first word that is neither an option nor the value of one.
  for ((at = first; at < CURRENT; at++)); do
    if _ironlance_takes "$command:$words[at]"; then
      ((at++))
    elif [[ $words[at] != -* ]]; then
      break
    fi
  done
  if ((at > CURRENT)); then
    _files
    return
  fi
  if [[ $words[CURRENT] == -* && $command == supervisorctl ]] && ((at < CURRENT)); then
    case $words[at] in
@ACTION_OPTIONS@    esac
    _describe -o option found
    return
  fi
  if [[ $words[CURRENT] == -* ]]; then
    case $command in
@OPTIONS@    esac
    _describe -o option found
    return
  fi
  if ((at < CURRENT)); then
    if [[ $command == supervisorctl ]]; then
      _ironlance_verb_takes "$words[at]:$words[CURRENT-1]" && return
      place=${#${(@)words[at+1,CURRENT-1]:#-*}}
      _ironlance_behind "$words[at]" $place "${(@)words[1,at-1]}"
    else
      _files
    fi
    return
  fi
  case $command in
    ironlance) found=(@COMMANDS@) ;;
    supervisorctl) found=(@ACTIONS@) ;;
    manual) found=(@COMMANDS@ 'supervisord.conf:the configuration file') ;;
    completion) found=(bash zsh fish) ;;
@SUBCOMMANDS@  esac
  if (($#found)); then
    _describe command found
  else
    _files
  fi
}

# Sourced, or found by compinit in a file of the function's name.
if [[ $funcstack[1] == _ironlance ]]; then
  _ironlance "$@"
else
  compdef _ironlance ironlance @LINKS@
fi
