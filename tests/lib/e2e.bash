# Functions of the end-to-end tests: they act as a user, look at the machine before and after, and read the journal.
# Every tests/e2e/*.bats loads this inside a lab (suite.sh).
# shellcheck shell=bash disable=SC2154 # (status, output and stderr are bats')
bats_require_minimum_version 1.5.0
cd "$CES_TOP" || exit 1
. tests/lib/lab/services.sh

journal=/var/log/ces/audit.jsonl
store=/var/lib/ces
helper=/usr/libexec/ces/ces-helper
image=ghcr.io/epcced      # basic login
open=open.tre.test/epcced # no login

# Runs COMMAND as USER, with the groups that the user database gives, in the user's home.
as() # USER COMMAND [ARG...]
{
	local user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups --reset-env ${CES_AS_LABEL:+--selinux-label "$CES_AS_LABEL"} env -C "/home/$user" "$@"
}

ces() # USER VERB [ARG...]
{
	local user=$1
	shift
	as "$user" ces-client "$@"
}

# Pulls as a user does, with the lab's credential where the registry wants one.
pull() # USER IMAGE [OPTION...]
{
	local user=$1 what=$2
	shift 2
	case $what in
	open.* | bad.* | down.* | stranger.* | othername.*) ces "$user" pull "$@" "$what" ;;
	*) ces "$user" pull --username $registry_user --token-stdin "$@" "$what" <<< "$registry_token" ;;
	esac
}

# Pulls these images of the open registry for USER. A second pull costs a manifest request.
have() # USER NAME...
{
	local user=$1 name
	shift
	for name in "$@"; do pull "$user" "$open/$name:1" -q; done
}

# Runs COMMAND in a container, as $who (alice), in image $from (tools). Carol has both projects, alice one.
inside() # [OPTION...] -- COMMAND...
{
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	ces "${who:-alice}" run -q "${options[@]}" "$open/${from:-tools}:1" "$@"
}

# Prints the state of the machine that a refused or ended request must leave as it was.
machine()
{
	echo "mounts:"
	cut -d' ' -f3- /proc/self/mountinfo
	echo "cgroups:"
	find /sys/fs/cgroup -type d \( -path '*/ces/*' -o -name 'ces-*' \) 2> /dev/null | sort
	echo "runs:"
	find /run/ces -mindepth 1 -maxdepth 1 -name '[0-9]*' 2> /dev/null | sort
	echo "staging:"
	ls -A $store/staging 2> /dev/null
	echo "processes:"
	ps -eo comm= | grep -E '^(ces-|crun|runc)' | sort
	echo "namespaces:"
	ls /run/netns 2> /dev/null
	echo "data:"
	find /safe_data -printf '%p %u %m %s\n' | sort
	echo "canaries:"
	# not by a digest: programs are large, and each test asks several times
	stat -c '%n %i %s %a %u %y' /etc/passwd /etc/shadow /etc/hosts /usr/bin/crun /usr/sbin/runc $helper 2> /dev/null
	sysctl -n kernel.core_pattern user.max_user_namespaces
}

homes()
{
	find /home -mindepth 2 -not -path '*/.*' -printf '%p %u %m\n' | sort
}

remember()
{
	rm -f $lab/up $lab/up.* # (a test that waits for the output of its own run must not see that of another)
	before=$(machine)
	before_homes=$(homes)
	before_lines=$(journal_lines)
}

journal_lines()
{
	cat $journal 2> /dev/null | wc -l
}

# Prints the records since `remember`, as jq reads them.
journal_new() # [JQ-OPTION...] FILTER
{
	tail -n +$((before_lines + 1)) $journal | jq "$@"
}

# Fails if the machine has anything that `remember` did not see (a run's outputs aside), or lacks some of its data or
# programs. A process that dies with a namespace, or that collects after a request, has five seconds. Less than before
# is fine: a start clears what a killed run left.
nothing_left_behind()
{
	local i changes
	for ((i = 0; i < 50; i++)); do
		changes=$(diff <(echo "$before") <(machine) | grep -E '^> |^< /(safe_data|etc|usr)') || return 0
		sleep 0.1
	done
	printf '%s\n' "$changes" >&2
	return 1
}

# Fails unless `run --separate-stderr ...` was refused: status 125, a clear line, one record, nothing left.
refused() # PATTERN of the line
{
	echo "status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "* ]]
	[[ $stderr =~ $1 ]]
	[ -z "$output" ]
	refused_on_record
}

refused_on_record()
{
	nothing_left_behind
	[ "$(homes)" = "$before_homes" ]
	# There is one decision. A pull that was allowed and then failed also has an end, which says so.
	journal_new -s -e '(map(select(.event == "decision")) | length == 1) and length <= 2
		and all(.event == "decision" or .status != 0)' > /dev/null || { journal_new -c . >&2; return 1; }
}

# Forgets every image, as on a fresh machine.
empty_store()
{
	find $store -mindepth 1 -delete
}

outputs() # USER: the newest outputs directory
{
	ls -dt /home/"$1"/outputs_* 2> /dev/null | head -n 1
}

# Negates a command so that it can fail a test: bash's own `!` cannot.
no() # COMMAND...
{
	if "$@"; then
		echo "should have failed: $*" >&2
		return 1
	fi
}

# Waits until a condition holds: ten seconds at most, or longer on an emulated machine.
eventually() # COMMAND...
{
	local i
	for ((i = 0; i < ${CES_PATIENCE:-100}; i++)); do
		if "$@" > /dev/null 2>&1; then return 0; fi
		sleep 0.1
	done
	echo "never came true: $*; it says: $("$@" 2>&1 | tail -n 5)" >&2
	return 1
}
