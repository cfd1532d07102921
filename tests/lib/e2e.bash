# The functions of the end-to-end tests: they act as a user, compare the machine before and after, and read the journal.
# Every tests/e2e/*.bats loads this inside a lab (suite.sh).
#
# `remember` sets $before, $before_homes and $before_lines; `nothing_left_behind`, `refused` and `journal_new` compare with
# them. A test may set $who and $from for `inside`. The variables below are constants.
# shellcheck shell=bash disable=SC2154,SC2034 # (status, output and stderr are of bats; image is for the tests)
bats_require_minimum_version 1.5.0
cd "$CES_TOP" || exit 1
. tests/lib/lab/services.sh

journal=/var/log/ces/audit.jsonl
store=/var/lib/ces
helper=/usr/libexec/ces/ces-helper
image=ghcr.io/epcced      # basic login
open=open.tre.test/epcced # no login
# The first number of each answer of ces-parse, ces-decode and ces-verify.
parse_magic=$(sed -nE 's/^#define CES_PARSE_MAGIC +(0x[0-9a-f]+)ull.*/\1/p' "$CES_TOP/policy/parsed.h")

ces() # USER VERB [ARG...]
{
	local user=$1
	shift
	as "$user" ces-client "$@"
}

# A worker has alice's rights to files; its user is neither alice nor root, so she cannot stop it.
works_for_alice() # PID
{
	local real effective saved fs id
	read -r _ real effective saved fs < <(grep ^Uid "/proc/$1/status")
	[ "$fs" = "$(id -u alice)" ] || return
	for id in $real $effective $saved; do
		[ "$id" != 0 ] && [ "$id" != "$(id -u alice)" ] || return
	done
	[ "$(readlink "/proc/$1/ns/user")" != "$(readlink /proc/self/ns/user)" ] || return
	no as alice kill -KILL "$1" && no as alice kill -STOP "$1"
}

# Pulls as a user does, with the lab's credential if the registry wants one.
pull() # USER IMAGE [OPTION...]
{
	local user=$1 what=$2
	shift 2
	case $what in
	open.* | bad.* | down.* | stranger.* | othername.*) ces "$user" pull "$@" "$what" ;;
	*) ces "$user" pull --username $registry_user --token-stdin "$@" "$what" <<< "$registry_token" ;;
	esac
}

# Pulls these images of the open registry for USER. Pulling an image again costs one request for its manifest.
have() # USER NAME...
{
	local user=$1 name
	shift
	for name in "$@"; do pull "$user" "$open/$name:1" -q; done
}

# Runs COMMAND in a container of the image $from (tools), as $who (alice). Alice has one project, carol has two.
inside() # [OPTION...] -- COMMAND...
{
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	ces "${who:-alice}" run -q "${options[@]}" "$open/${from:-tools}:1" "$@"
}

# Prints the state that a request must not have changed after it was refused or has ended.
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
	# (no digests: programs are large, and each test asks several times)
	stat -c '%n %i %s %a %u %y' /etc/passwd /etc/shadow /etc/hosts /usr/bin/crun /usr/sbin/runc $helper 2> /dev/null
	sysctl -n kernel.core_pattern user.max_user_namespaces
}

homes()
{
	find /home -mindepth 2 -not -path '*/.*' -printf '%p %u %m\n' | sort
}

remember()
{
	rm -f $lab/up $lab/up.* # (a test that waits for its own run's output must not see another run's)
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

# Fails if the machine has something that `remember` did not see (other than a run's outputs), or has lost data or
# programs. It waits as long as eventually does for processes that are still ending. Anything else may be gone: a start
# clears what a killed run has left.
nothing_left_behind()
{
	local i changes
	for ((i = 0; i < ${CES_PATIENCE:-100}; i++)); do
		changes=$(diff <(echo "$before") <(machine) | grep -E '^> |^< /(safe_data|etc|usr)') || return 0
		sleep 0.1
	done
	printf '%s\n' "$changes" >&2
	return 1
}

# Fails unless `run --separate-stderr ...` was refused: it has status 125, prints one line that matches PATTERN, writes one
# record, and leaves nothing behind.
refused() # PATTERN
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
	# There is one decision. A pull that was allowed and then failed also has an end with its failure.
	journal_new -s -e '(map(select(.event == "decision")) | length == 1) and length <= 2
		and all(.event == "decision" or .status != 0)' > /dev/null || { journal_new -c . >&2; return 1; }
}

# Removes every image from the store, as on a new machine.
empty_store()
{
	find $store -mindepth 1 -delete
}

# Gives the store the form that it had when it was root's.
old_store()
{
	local layer grant length
	for layer in $store/layers/sha256/*; do
		mv $layer/root/fs $layer/fs
		rm -r $layer/root
	done
	for grant in $store/grants/*/*; do
		length=$((10 + $(od -An -tu4 -j 6 -N 4 $grant)))
		tail -c +$((length + 1)) $grant > $lab/record
		mv $lab/record $store/images/sha256/"$(grep -aoE '[0-9a-f]{64}' $lab/record | head -n 1)"/record
		truncate -s $length $grant
	done
	rm -rf $store/locks $store/trash
	touch $store/lock $store/next
	find $store -path '*/fs' -prune -o -exec chown -h root:root {} +
}

# Prints the newest outputs directory of USER.
outputs() # USER
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

# Waits until COMMAND succeeds, for at most ten seconds, or longer on an emulated machine.
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

# Prints the process of the one program NAME, as soon as it has started: `run -d` answers before some have.
process() # NAME
{
	eventually pgrep -x "$1"
	pgrep -x "$1"
}
