#!/bin/bash
# Runs bats, and kills a test that hangs: watch.sh SECONDS BATS-ARGUMENT...
# bats ends a test by one TERM to its children. It then waits for ever for a child that ignores TERM, or for a process that
# holds its pipes. If no line comes for SECONDS, this script prints what runs and kills it. The test has then failed, and
# the next one begins.
set -u
seconds=$1
shift

# Prints all descendants of PID, then PID itself.
below() # PID
{
	local child
	for child in $(pgrep -P "$1"); do below "$child"; done
	echo "$1"
}

# Prints the processes that the test started, and those that still hold its pipes. It never prints bats' own processes,
# which must report the test.
hanging() # PID
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

report() # PID SILENT
{
	echo "# nothing for $2 seconds; what was running, and where it waits in the kernel:"
	ps -o pid,ppid,user,stat,wchan:20,args --forest -p "$(below "$1" | paste -sd,)" | sed 's/^/# /'
}

# Kills what hangs. The set-up of a file prints no line and may build things: before the first test the limit is ten times
# SECONDS.
stuck() # PID SILENT SECONDS
{
	local found
	mapfile -t found < <(hanging "$1")
	[ ${#found[@]} -gt 0 ] || [ "$2" -ge $((10 * $3)) ] || return 0
	report "$1" "$2"
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
		stuck "$pid" "$silent" "$seconds"
	fi
done
wait "$pid"
