#!/usr/bin/env bats
# A hostile local caller fights a running helper: by pipes, timers and signals.

load ../lib/e2e.bash

setup_file() { lab_policy; have alice tools; }
setup() { remember; }
teardown() { rm -rf /home/*/outputs_*; }

fights() # TRICK SECONDS
{
	run as alice timeout 55 "$CES_TOP/tests/attack/hostile_client.py" "$1" "$2" $open/tools:1
	echo "$1: $status $output"
	[ "$status" -eq 0 ]
	nothing_left_behind
}

@test "K05: a client that fills the event pipe and makes it blocking cannot put off the time limit" { fights full 25; }
@test "A09: a timer slack of centuries cannot put off the time limit" { fights slack 10; }
@test "B02: a control frame in drops cannot put off the time limit" { fights drip 10; }
@test "B02: a client that never reads cannot put off the time limit" { fights silent 10; }


odd_fd() { run as alice timeout 30 "$CES_TOP/tests/attack/odd_fds.py" "$@" $open/tools:1; echo "$*: $status $output"; }

@test "A07: when the caller gives a file as event pipe, the helper writes nothing to it" {
	odd_fd 4 file
	[ "$status" -eq 125 ]
	[[ $output == *"bytes 0"* ]]
}

@test "A07: when the container's output is a file, the helper leaves it empty" {
	odd_fd 1 file
	[ "$status" -eq 0 ]
	[[ $output == *"bytes 0"* ]]
	grep -q '1 -> /dev/null' "$(outputs alice)"/fds
	no grep -q /tmp "$(outputs alice)"/fds
}

@test "K07: a socket of the caller's gives the container no way out" {
	for n in 0 1; do
		odd_fd $n socket
		[ "$status" -eq 0 ]
		[[ $output == *"bytes 0"* ]]
		grep -q "$n -> /dev/null" "$(outputs alice)"/fds
		no grep -q socket "$(outputs alice)"/fds
	done
	for n in 3 4; do
		odd_fd $n socket
		[ "$status" -eq 125 ]
	done
	nothing_left_behind
}

@test "A07: the helper does not write to a pipe that the caller may only read, nor read one that they may only write" {
	for n in 3 4; do
		odd_fd $n reversed
		[ "$status" -eq 125 ]
	done
	nothing_left_behind
}

@test "A07: the helper does not open a FIFO of others' that the caller may only name" {
	rm -f /srv/closed
	mkfifo -m 600 /srv/closed
	exec 8<> /srv/closed
	echo "of others'" >&8
	for n in 3 4; do
		odd_fd $n /srv/closed
		[ "$status" -eq 125 ]
	done
	for n in 0 1; do
		odd_fd $n /srv/closed
		[ "$status" -eq 0 ]
		grep -q "$n -> /dev/null" "$(outputs alice)"/fds
	done
	run timeout 2 head -n 1 <&8
	exec 8>&-
	[ "$output" = "of others'" ]
	nothing_left_behind
}

@test "A07: the helper does not read a FIFO that the caller may only write to, even as a run's output" {
	mkfifo -m 622 /srv/fifo
	exec 8<> /srv/fifo
	# (a detached run, whose keeper is then killed: its output has no reader, or the helper reads it)
	as alice sh -c "exec '$CES_TOP/tests/lib/frame.py' u64:1:2 u64:2:8 field:3:$open/tools:1 field:11:sleep field:11:600 wrap:1 > /srv/fifo" \
		3>&- 8>&- &
	eventually pgrep -xf 'sleep 600'
	pkill -KILL -f lib/frame.py
	eventually no pgrep -f lib/frame.py
	for i in 1 2 3; do
		sleep 0.3
		echo "of others' $i" >&8
	done
	run timeout 2 head -n 3 <&8
	exec 8>&-
	ces alice stop "$(ces alice ps --format json | jq -r '.[0].run')"
	[ "$output" = "of others' 1"$'\n'"of others' 2"$'\n'"of others' 3" ]
}

@test "A07: a process that has children already, or traces one, cannot become the helper" {
	for kind in child stopped traced; do
		run as alice timeout 15 "$CES_TOP/tests/attack/followers.py" $kind $open/tools:1
		echo "$kind: $status $output"
		refusals+="$status "
		pkill -KILL -u alice -x followers.py || true
		pkill -KILL -u alice -x sleep || true
	done
	# (no record says that the runtime made another container than planned)
	journal_new -c 'select(.event == "proof")'
	[ "$(journal_new -s '[.[] | select(.event == "proof")] | length')" -eq 0 ]
	[ "$refusals" = '125 125 125 ' ]
	nothing_left_behind
}
