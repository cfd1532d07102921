# Completion of ces-client and of today's commands, for fish. What can be typed is asked of the programs themselves.

function __ces_images
    ces-client images --format json 2>/dev/null | string replace -rf '.*"reference":"([^"]*)".*' '$1'
end

function __ces_runs
    set -l rows (ces-client ps --format json 2>/dev/null)
    string replace -rf '.*"run":"([0-9]+)".*' '$1' -- $rows
    string replace -rf '.*"name":"([^"]+)".*' '$1' -- $rows
end

# The program and, of ces-client, its command
function __ces_program
    set -l words (commandline -opc)
    set -l name (string replace -r '.*/' '' -- $words[1])
    if test "$name" = ces-client
        test "$words[2]" = explain; and set -e words[2]
        test (count $words) -ge 2; and printf '%s\n' $words[1..2]
    else
        echo $words[1]
    end
end

# Never by eval: what is on the command line must not run before Enter
function __ces_help
    set -l program (__ces_program)
    $program --help 2>/dev/null
end

function __ces_takes_value
    set -l help (__ces_help)
    string match -rq -- "^  (-., |    )?($argv[1]|$argv[1], --[a-z-]+) [^ ]" $help
end

# How many words that are no options, after the command
function __ces_operands
    set -l words (commandline -opc)
    set -l skip (count (__ces_program))
    test "$words[2]" = explain; and set skip (math $skip + 1)
    set -l n 0
    set -l value 0
    for word in $words[(math $skip + 1)..]
        if test $value = 1
            set value 0
        else if string match -q -- '-*' $word; and test $n = 0
            string match -q -- '*=*' $word; or __ces_takes_value $word; and set value 1
        else
            set n (math $n + 1)
        end
    end
    test $value = 1; and echo value; or echo $n
end

function __ces_candidates
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l name (string replace -r '.*/' '' -- $words[1])
    set -l command run
    switch $name
        case ces-client
            if test (count $words) = 1
                ces-client --help 2>/dev/null | string replace -rf '^  ([a-z]+) .*' '$1'
                return
            end
            if test "$words[2]" = explain; and test (count $words) = 2
                printf '%s\n' pull run
                return
            end
            set command (__ces_program)[2]
        case '*-pull'
            set command pull
    end
    if test (count $words) = 1; and contains $name ces-pull ces-run
        printf '%s\n' podman apptainer k8s
    end
    set -l operands (__ces_operands)
    if test $operands = value
        test $words[-1] = --format; and printf '%s\n' json table
        test $words[-1] = --profile; and string replace -rf '.*/(.*)\.json$' '$1' -- /etc/ces/profiles.d/*.json
        return
    end
    if string match -q -- '-*' $current; and test $operands = 0
        set -l help (__ces_help)
        string replace -rf '^  (-., |    )(--[a-z-]+).*' '$2' -- $help
        string replace -rf '^  (-.), .*' '$1' -- $help
        return
    end
    switch $command
        case run
            test $operands = 0; and __ces_images
        case pull rmi
            __ces_images
        case stop wait port logs
            __ces_runs
        case inspect
            __ces_runs
            __ces_images
    end
end

function __ces_wants_file
    set -l words (commandline -opc)
    string match -rq -- '^(--.*-file|--output|-o|--volume|-v|--bind)$' $words[-1]
    or begin
        contains -- run $words; and not contains -- (__ces_operands) 0 value
    end
end

for program in ces-client ces-pull ces-run ces-pm-pull ces-pm-run ces-dk-run ces-app-pull ces-gpu-run
    complete -c $program -f -a '(__ces_candidates)'
    complete -c $program -n __ces_wants_file -F
end
