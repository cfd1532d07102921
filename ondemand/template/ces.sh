# The functions of a job's scripts. All run in the job's directory, as the user, with the user's rights alone. A form's
# value must never be part of a command: it is the content of a file below form/, or one quoted word.
# shellcheck shell=bash

# Prints a line in the form that users know from the guides.
ces_line() # TEXT
{
	printf '%s %s\n' "$(LC_ALL=C date)" "$1"
}

# Prints the last line of a job. The session's card shows it too (completed.html.erb).
ces_end() # TEXT
{
	ces_line "$1" | tee ended
}

ces_give_up() # TEXT STATUS
{
	rm -f form/registry_token
	ces_end "before.sh ERROR: $1"
	exit "$2"
}

ces_value() # NAME
{
	cat "form/$1"
}

# Makes files of what OnDemand rendered. A token is among them: nobody else may read it, whatever the umask.
ces_unpack()
{
	local name value
	# A batch system may start a job again, and the token is gone.
	[ -e values ] || ces_give_up "this job has run before: launch a new one" 125
	chmod 700 .
	[ ! -e user_defined_context.json ] || chmod 600 user_defined_context.json
	rm -rf form
	mkdir -m 700 form
	while read -r name value; do
		(umask 077; base64 -d <<< "$value" > "form/$name")
	done < values
	rm -f values
}

# Replaces ${NAME} by the environment's value, as the guides promise for this form. It expands nothing else as a shell
# would.
ces_expand() # FILE
{
	local rest out='' name
	rest=$(cat "$1")
	while [[ $rest =~ \$\{([A-Za-z_][A-Za-z0-9_]*)\} ]]; do
		name=${BASH_REMATCH[1]}
		out+=${rest%%"\${$name}"*}$(printenv -- "$name")
		rest=${rest#*"\${$name}"}
	done
	printf '%s\n' "$out$rest" > "$1"
}

# Sets ces_n. It first checks that the value is a number: an arithmetic expression would run a command that is hidden in
# it.
ces_number() # NAME
{
	ces_n=$(ces_value "$1")
	[[ $ces_n =~ ^[1-9][0-9]{0,5}$ ]] || ces_give_up "$1: type a whole number" 125
}

# Prints the last part of the image's name, with its tag and without.
ces_base() # IMAGE
{
	local base=${1%%@*}
	printf '%s\n' "${base##*/}"
}

# Prints one name for each session, as CES takes it: 64 characters at most.
ces_name() # IMAGE SESSION
{
	local name
	name=$(ces_value container_name)
	if [ -z "$name" ]; then
		name=$(ces_base "$1")
		name=${name%%:*}
		name=${name:0:$((63 - ${#2}))}-$2
	fi
	name=${name//[^A-Za-z0-9._-]/_}
	printf '%s\n' "${name:0:64}"
}

# Sets ces_words, all of a ces-run but its last words. The shells and the client need a little of the job's memory. So
# the run reaches CES's limit first, and CES says so; at its own limit the batch system just kills the job.
ces_make_words()
{
	local project
	ces_words=("--name=$ces_container" --env-file form/environment --opt-file form/runner_arguments
		--arg-file form/container_arguments)
	ces_number cores
	ces_words+=(-c "$ces_n")
	ces_number memory
	ces_words+=(-m "$((ces_n * 1024 - 128))M")
	[ "$(ces_value use_gpu)" != 1 ] || ces_words+=(--gpu)
	project=$(ces_value project)
	[ -z "$project" ] || ces_words+=("--project=$project")
}

# Prints what CES said last, without whom to ask and whose token it was: these are in the lines above.
ces_said() # FILE
{
	LC_ALL=C grep -a '^ces: ' "$1" | grep -vE '^ces: (ask|the token is|make a token at|of that image you have) ' | tail -n 1 | cut -c 6-400 | LC_ALL=C tr -cd '[:print:]'
}

# Asks CES before anything is pulled, and looks at the project's data with the user's own rights. The policy knows which
# project it is, and whether its data may be written: nothing of that is guessed here.
ces_check()
{
	local plan status=0 data
	plan=$(ces-run "$ces_runner" "${ces_words[@]}" --dry-run -- "$ces_image" 2> form/said) || status=$?
	cat form/said >&2
	if [ $status -ne 0 ] && grep -q '^ces: no project' form/said; then
		ces_give_up "Cannot find a project directory corresponding to any of the user's groups" $status
	fi
	[ $status -eq 0 ] || ces_give_up "CES refused: $(ces_said form/said) (exit status $status)" $status
	[[ $plan =~ '  /safe_data is '([^$'\n']*)', read-'(only|write) ]] || return 0
	data=${BASH_REMATCH[1]}
	if [ ! -r "$data" ] || [ ! -x "$data" ]; then ces_give_up "Cannot read from $data" 125; fi
	[ "${BASH_REMATCH[2]}" = only ] || [ -w "$data" ] || ces_give_up "Cannot write to $data" 125
}

# "anonymous" is no login if no token belongs to it; otherwise it is the user of a deploy token.
ces_pull()
{
	local user token project login=() status=0
	user=$(ces_value registry_user)
	token=$(ces_value registry_token)
	case $user:$token in
	: | anonymous: | anonymous:anonymous) ;;
	:*) ces_give_up "a registry token needs a username" 125 ;;
	*:) ces_give_up "a registry username needs an access token" 125 ;;
	*) login=("--username=$user" --token-file form/registry_token) ;;
	esac
	project=$(ces_value project)
	[ -z "$project" ] || login+=("--project=$project")
	ces-client pull "${login[@]}" -- "$ces_image" || status=$?
	rm -f form/registry_token
	[ $status -eq 0 ] || ces_give_up "cannot pull: $(ces_said output.log) (exit status $status)" $status
}

# Makes directories of the session's. ces-run uses them in place of new ones (CES_SAFE_OUTPUTS, CES_SCRATCH).
ces_make_directories() # SESSION
{
	local name
	name=$(ces_value app_name)/$1
	[ "$(ces_value session_directories)" = 1 ] || return 0
	[[ $name =~ ^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$ ]] || ces_give_up "the session has no name for a directory" 125
	export CES_SAFE_OUTPUTS=$HOME/safe_outputs/$name CES_SCRATCH=$HOME/scratch/$name
	mkdir -p "$CES_SAFE_OUTPUTS" "$CES_SCRATCH" || ces_give_up "cannot make $CES_SAFE_OUTPUTS and $CES_SCRATCH" 125
}

# Whether the file is a reference that ces-pull left. The service before CES left real images under the same names.
ces_is_reference() # FILE
{
	[ -f "$1" ] && [ "$(head -c 30 -- "$1" | tr -d '\0')" = 'CES image reference, version 1' ]
}

# before.sh. Sets, for batch connect's connection.yml: port, password and ces_container.
ces_prepare() # SESSION
{
	# When the job is cancelled, this shell must live on, or the batch system kills what is left of it.
	ces_cancelled=
	trap 'ces_cancelled=1; [ -z "${SCRIPT_PID:-}" ] || kill -TERM "$SCRIPT_PID" 2> /dev/null' TERM
	ces_unpack
	ces_image=$(ces_value image)
	ces_runner=$(ces_value runner)
	case $ces_runner in
	podman | apptainer) ;;
	*) ces_give_up "the container runner is podman or apptainer" 125 ;;
	esac
	ces_container=$(ces_name "$ces_image" "$1")
	# shellcheck disable=SC2154 # (batch connect sets host)
	port=$(find_port "$host")
	password=$(create_passwd 32)
	export ces_image ces_runner ces_container port password
	local file sif
	for file in environment runner_arguments container_arguments; do ces_expand "form/$file"; done
	if [ -n "$(ces_value service_port)" ]; then
		ces_inner=$(find_port localhost)
		export ces_inner
		ces_number service_port
		printf '%s\n' "-p $ces_inner:$ces_n" >> form/runner_arguments
	fi
	ces_make_directories "$1"
	ces_make_words
	ces_check
	sif=$HOME/$(ces_base "$ces_image").sif
	if [ "$ces_runner" = apptainer ] && [ "$(ces_value reuse_sif)" = 1 ] && ces_is_reference "$sif"; then
		rm -f form/registry_token
		ces_image=$sif
	else
		ces_pull
	fi
	[ -z "$ces_cancelled" ] || ces_give_up "cancelled, or out of time" 143
}

# script.sh. Writes the status to a file: batch connect does not keep it.
ces_run()
{
	local status=0 run forward='' peers=()
	ces_make_words
	trap 'kill -TERM "$run" 2> /dev/null' TERM HUP INT
	if [ -n "${ces_inner:-}" ]; then
		read -ra peers <<< "$(ces_value portal)"
		python3 forward.py "$port" "$ces_inner" "${peers[@]}" &
		forward=$!
	fi
	ces-run "$ces_runner" "${ces_words[@]}" -- "$ces_image" < /dev/null &
	run=$!
	wait "$run" || status=$?
	# A signal may end the wait before the run ends.
	while kill -0 "$run" 2> /dev/null; do
		status=0
		wait "$run" || status=$?
	done
	[ -z "$forward" ] || kill "$forward" 2> /dev/null
	printf '%s\n' "$status" > status
	exit "$status"
}

# Whether the service speaks HTTP. An open port means nothing: CES has opened it before the program started. It runs in
# a shell of its own: if the connection closes at once, a write may end that shell.
ces_answers() # PORT
{
	(
		exec 3<> "/dev/tcp/127.0.0.1/$1" || exit
		printf 'GET / HTTP/1.0\r\n\r\n' >&3
		IFS= read -r -t 5 line <&3
		[[ $line == HTTP/* ]]
	) 2> /dev/null
}

# after.sh. clean.sh reports a run that ended meanwhile.
ces_wait_for_service()
{
	local end
	[ -n "${ces_inner:-}" ] || return 0
	ces_number connection_timeout
	end=$((SECONDS + ces_n))
	while kill -0 "$SCRIPT_PID" 2> /dev/null && [ ! -e status ]; do
		! ces_answers "$ces_inner" || return 0
		if [ $SECONDS -ge $end ]; then
			ces_late=1
			kill -TERM "$SCRIPT_PID"
			clean_up 1
		fi
		sleep 0.5
	done
}

# Says in words how the run ended.
ces_verdict() # STATUS
{
	local memory signal
	memory=$(LC_ALL=C grep -a '^ces: .*memory limit' output.log 2> /dev/null | tail -n 1 | cut -c 6-400 | LC_ALL=C tr -cd '[:print:]')
	if [ -n "${ces_late:-}" ]; then
		echo "script.sh ERROR: the service did not answer in time (exit status $1)"
	elif [ -n "${ces_cancelled:-}" ]; then
		echo "script.sh ERROR: cancelled, or out of time (exit status $1)"
	elif [ "$1" -eq 0 ]; then
		echo "script.sh: the container ended well (exit status 0)"
	elif [ -n "$memory" ]; then
		echo "script.sh ERROR: out of memory: $memory (exit status $1)"
	elif [ "$1" -ge 125 ] && [ "$1" -le 127 ]; then
		echo "script.sh ERROR: the container did not run: $(ces_said output.log) (exit status $1)"
	elif [ "$1" -gt 128 ] && signal=$(kill -l $(($1 - 128)) 2> /dev/null); then
		echo "script.sh ERROR: the container's program was ended by SIG$signal (exit status $1)"
	else
		echo "script.sh ERROR: the container's program failed (exit status $1)"
	fi
}

# clean.sh. Sets ces_status: the job must end with it.
ces_finish()
{
	while kill -0 "$SCRIPT_PID" 2> /dev/null; do wait "$SCRIPT_PID"; done
	ces_status=$(cat status 2> /dev/null) || ces_status=1
	[ -z "${ces_late:-}" ] || [ "$ces_status" != 0 ] || ces_status=1
	ces_end "$(ces_verdict "$ces_status")"
}
