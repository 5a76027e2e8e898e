# Completion of ironlance and of its links for fish; printed by `ironlance completion fish`.

function __ironlance_verbs
    string split ' ' -- '@ACTIONS@'
end

# The verb on the line so far.
function __ironlance_verb
    for word in (commandline -opc)
        if contains -- $word (__ironlance_verbs)
            echo $word
            return 0
        end
    end
    return 1
end

function __ironlance_needs_verb
    not __ironlance_verb >/dev/null
end

function __ironlance_verb_is
    test (__ironlance_verb || echo) = $argv[1]
end

# Whether so many words stand behind the verb already.
function __ironlance_place_is
    set -l behind (commandline -opc)
    while set -q behind[1]; and not contains -- $behind[1] (__ironlance_verbs)
        set -e behind[1]
    end
    set -e behind[1]
    test (count (string match -v -- '-*' $behind)) -eq $argv[1]
end

# The first word of each line that supervisorctl says, as it was called and with its options so far.
function __ironlance_ask
    set -l called
    for word in (commandline -opc)
        contains -- $word (__ironlance_verbs)
        and break
        set -a called $word
    end
    command timeout 5 $called $argv[1] </dev/null 2>/dev/null | string replace -r '\s.*' ''
end

function __ironlance_groups
    __ironlance_ask avail | string replace -r ':.*' '' | sort -u
end

function __ironlance_processes
    set -l names (__ironlance_ask status)
    printf '%s\n' $names
    string replace -r -f ':.*' ':*' -- $names | sort -u
end

