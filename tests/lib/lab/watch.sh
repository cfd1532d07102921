#!/bin/bash
# Runs bats, and ends what hangs below it: watch.sh SECONDS BATS-ARGUMENT...
# bats ends a test by one TERM to its children, and waits for ever for one that does not care, or for the one who holds its
# pipes. Where no line comes for SECONDS, this says what was running, and kills it; the test has failed and the next one
# begins.
set -u
seconds=$1
shift

below() # PID: all that came of it, itself last
{
	local child
	for child in $(pgrep -P "$1"); do below "$child"; done
	echo "$1"
}

# What the test started, and what it left behind with its pipes. Not bats' own, else it could not know which test it was.
hanging()
{
	local child
	for child in $(below "$1"); do
		grep -qsz /bats-exec-test "/proc/$child/cmdline" || continue
		below "$child" | grep -vx "$child"
	done
	# shellcheck disable=SC2013 # (numbers)
	for child in $(grep -lszx "BATS_ROOT_PID=$1" /proc/[0-9]*/environ | cut -d/ -f3); do
		grep -qsz '^BATS_TEST_NAME=' "/proc/$child/environ" && ! grep -qsz /bats-core/ "/proc/$child/cmdline" && echo "$child"
	done
}

tell()
{
	echo "# nothing for $silent seconds; what was running, and where it waits in the kernel:"
	ps -o pid,ppid,user,stat,wchan:20,args --forest -p "$(below "$1" | paste -sd,)" | sed 's/^/# /'
}

# A file's set-up has no line of its own, and some build things.
stuck()
{
	local found
	mapfile -t found < <(hanging "$1")
	[ ${#found[@]} -gt 0 ] || [ $silent -ge $((10 * seconds)) ] || return 0
	tell "$1"
	kill -KILL "${found[@]:-$1}" 2> /dev/null
}

silent=0
coproc bats { exec bats "$@" 2>&1; }
# shellcheck disable=SC2154 # (coproc's)
pid=$bats_PID
exec {from}<&"${bats[0]}"
while true; do
	if IFS= read -r -t "$seconds" line <&"$from"; then
		printf '%s\n' "$line"
		silent=0
	elif [ $? -le 128 ]; then
		break
	else
		silent=$((silent + seconds))
		stuck "$pid"
	fi
done
wait "$pid"
