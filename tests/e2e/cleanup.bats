#!/usr/bin/env bats
# However a run ends, nothing of it stays behind.

load ../lib/e2e.bash
load ../lib/endings.bash

@test "SIGTERM, SIGHUP or Ctrl-C to the client ends the run" {
	for s in TERM HUP INT; do
		start_run
		kill -$s $client
		wait $client || status=$?
		echo "$s: $status"
		[ "$status" -gt 128 ] || [ "$status" -eq 125 ]
		gone
	done
}

@test "a signal reaches a container that handles it" {
	start_run 'trap "echo got it; exit 9" TERM; echo up; while :; do sleep 0.1; done'
	kill -TERM $client
	wait $client || status=$?
	[ "$status" -eq 9 ]
	grep -q 'got it' $lab/up
	gone
}

@test "when the client is killed, the run ends" {
	start_run
	kill -KILL $client
	gone
	eventually bash -c "tail -n 1 $journal | jq -e '.status != null or .reason != null'"
}

@test "when the helper is killed, nothing stays alive, and the next start clears what is left" {
	start_run
	kill -KILL "$(helper_of $client)"
	run --separate-stderr wait $client
	eventually none_alive
	inside -- true
	eventually no compgen -G '/home/alice/scratch_*'
	gone
}

@test "the janitor clears what killed runs of every user left, and leaves live runs alone" {
	start_run
	live=$(ces alice ps --format json | jq -r '.[].run')
	lives=$client
	start_run
	kill -KILL "$(helper_of $client)"
	wait $client || true
	client=$lives
	[ "$(find /run/ces -name '[0-9]*' | wc -l)" = 2 ]
	ces-client clean
	[ "$(find /run/ces -name '[0-9]*' -printf '%f\n')" = "$live" ]
	[ "$(find /home/alice -maxdepth 1 -name 'scratch_*' -printf '%f\n')" = "scratch_$live" ]
	journal_new -s -e 'map(select(.event == "end" and .reason == "helper died" and .uid == 4401)) | length == 1'
	kill -TERM $client
	wait $client || true
	gone
}

@test "a dead run's scratch goes with what it gave to the project's group, when another user of the image owns it" {
	killed_run 'mkdir /scratch/d; echo secret > /scratch/d/file; chmod 600 /scratch/d/file; chown -R 33:65536 /scratch/d; chmod 2700 /scratch/d'
	[ "$(stat -c %G $scratch/scratch/d/file)" = nsh-2024-0001 ]
	eventually cleared_by_a_start "$n"
	[ ! -e $scratch ]
	gone
}

@test "a scratch that cannot be emptied is remembered until it can be, with one end on record" {
	killed_run 'mkdir /scratch/d; echo secret > /scratch/d/file'
	mount -t tmpfs none $scratch/scratch/d
	! lab_has_selinux || chcon --reference=$scratch/scratch $scratch/scratch/d
	ces-client clean
	[ -d "/run/ces/$n" ]
	inside -- true
	ces-client clean
	[ -d "/run/ces/$n" ]
	[ -d $scratch ]
	journal_new -s -e --arg n "$n" 'map(select(.event == "end" and .run == $n)) | length == 1 and .[0].reason == "helper died"'
	[ "$(ces alice ps --format json)" = "[]" ]
	# (it holds nothing: no image, and no place among the user's runs)
	[ "$(grep -c "$open" /run/ces/"$n"/record)" -eq 0 ]
	umount $scratch/scratch/d
	# (what an earlier start left behind may still be at it, and then this one leaves it alone)
	eventually cleared_by_a_start "$n"
	[ ! -e $scratch ]
	journal_new -s -e --arg n "$n" 'map(select(.event == "end" and .run == $n)) | length == 1'
	gone
}

@test "the scratch of a run that ended well is remembered too" {
	install -d -o alice /srv/scratch
	! lab_has_selinux || chcon -t ces_data_t /srv/scratch # an administrator does it so with semanage
	lab_policy '.defaults.scratch.source = "/srv/scratch/{run}"'
	start_run
	n=$(ls /srv/scratch)
	chown root /srv/scratch
	kill -TERM $client
	wait $client || true
	eventually none_alive
	[ -d "/run/ces/$n" ]
	ces-client clean
	[ -d "/srv/scratch/$n" ]
	chown alice /srv/scratch
	ces-client clean
	[ ! -e "/srv/scratch/$n" ]
	[ ! -e "/run/ces/$n" ]
	lab_policy
	journal_new -s -e 'map(select(.event == "end")) | length == 1 and .[0].reason != "helper died"'
	gone
}

@test "a cgroup that cannot be removed at a run's end, since root has made another in it, goes once it can" {
	start_run
	n=$(ces alice ps -q)
	d=$(find /sys/fs/cgroup -path "*/ces/*/$n" -type d | head -n 1)
	mkdir "$d/agent"
	kill -TERM $client
	wait $client || true
	eventually none_alive
	[ -d "$d" ]
	[ -d "/run/ces/$n" ]
	[ "$(ces alice ps --format json)" = "[]" ]
	rmdir "$d/agent"
	ces-client clean
	[ ! -e "$d" ]
	[ ! -e "/run/ces/$n" ]
	journal_new -s -e 'map(select(.event == "end")) | length == 1 and .[0].reason != "helper died"'
	gone
}

@test "an end that the journal could not take is recorded by the next helper" {
	start_run
	n=$(ces alice ps --format json | jq -r '.[0].run')
	chmod 640 $journal # no record can be kept in such a file
	kill -TERM $client
	wait $client || true
	eventually none_alive
	chmod 600 $journal
	journal_new -s -e 'map(select(.event == "end")) == []'
	inside -- true
	journal_new -s -e --arg n "$n" 'map(select(.event == "end" and .run == $n)) | length == 1'
	gone
}

# Stops each process that empties a dead run's scratch. Its parent has init for a parent.
stop_cleaning()
{
	until [ -e $lab/over ]; do
		pkill -STOP -x ces-clean -P "$(pgrep -d , -x ces-session -P 1)" || true
	done 2> /dev/null
}

@test "a scratch that is slow to delete delays no start of its user's" {
	killed_run 'cd /scratch; seq 20000 | xargs touch'
	rm -f $lab/over
	stop_cleaning 3>&- &
	run inside -- echo fine
	echo "$output"
	[ "$output" = fine ]
	eventually bash -c "grep -l '^State:.*stopped' /proc/*/status"
	# (nor does it count as a run meanwhile)
	lab_policy '.host.user_limits.runs = 1'
	run --separate-stderr inside -- echo fine
	lab_policy
	echo "$stderr"
	[ "$output" = fine ]
	[ "$(ces alice ps --format json)" = "[]" ]
	touch $lab/over
	wait $! || true
	pkill -CONT -x ces-clean
	eventually no test -e "$scratch"
	gone
}

is_traced() { ! grep -q '^TracerPid:[[:space:]]*0$' /proc/"$1"/status; }

# (a file server may be gone, and its directories hang)
@test "once its program has ended, a helper looks at no directory without a deadline" {
	start_run 'echo up; until [ -e /safe_outputs/go ]; do sleep 0.1; done; touch /scratch/file; exit 3'
	session=$(helper_of $client)
	strace -qq -o $lab/trace -e signal=none -e trace=alarm,fstatfs,getdents64,unlinkat -p "$session" 3>&- &
	eventually is_traced "$session"
	as alice touch "$(echo /home/alice/outputs_*)/go"
	wait $! || true
	cat $lab/trace
	grep -q ^fstatfs $lab/trace
	grep -q ^unlinkat $lab/trace
	# (the first that is seen replaces an earlier one: a user may freeze a helper while its run lives)
	[[ $(grep -m 1 ^alarm $lab/trace) =~ =\ [1-9] ]]
	[ -z "$(awk -F '[()]' 'BEGIN { seconds = 1 } $1 == "alarm" { seconds = $2; next } !seconds' $lab/trace)" ]
	gone
}

@test "no user can make the janitor work" {
	run --separate-stderr ces alice clean
	[ "$status" -eq 125 ]
	[[ $stderr == *"clean is for root"* ]]
	journal_new -s -e 'length == 1 and .[0].outcome == "denied" and .[0].verb == "clean"'
}

@test "the user cannot signal, trace or read the helper" {
	start_run
	h=$(helper_of $client)
	[ -n "$h" ]
	for s in TERM KILL STOP HUP CONT; do
		run as alice kill -$s "$h"
		[ "$status" -ne 0 ]
	done
	run as alice cat "/proc/$h/environ" "/proc/$h/maps"
	[ "$status" -ne 0 ]
	run as alice ls -l "/proc/$h/fd"
	[ "$status" -ne 0 ]
	kill -TERM $client
	wait $client || true
	gone
}

@test "when a program is killed by signal n, the status is 128+n" {
	start_run
	pkill -KILL -xf 'sleep 600'
	wait $client || status=$?
	[ "$status" -eq 137 ]
	gone
}

@test "the user cannot enter the container from outside" {
	start_run
	inner=$(pgrep -xf 'sleep 600')
	run as alice nsenter -t "$inner" -U --preserve-credentials true
	[ "$status" -ne 0 ]
	run as alice nsenter -t "$inner" -m true
	[ "$status" -ne 0 ]
	run as alice ls "/proc/$inner/root/"
	[ "$status" -ne 0 ]
	kill -TERM $client
	wait $client || true
	gone
}

@test "a program that leaves children behind does not keep the run alive" {
	SECONDS=0
	run inside -- sh -c 'sleep 600 & sleep 600 & setsid sleep 600 & echo done'
	[ "$output" = done ]
	[ $SECONDS -lt 60 ]
	gone
}

@test "when fds 0, 1 and 2 are closed, in every combination, a run still works" {
	for c in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		run bash -c "setpriv --reuid=alice --regid=alice --init-groups --reset-env \
			ces-client run -q $open/tools:1 sh -c 'exit 5' $c"
		echo "$c: $status $output"
		[ "$status" -eq 5 ]
	done
	gone
}

@test "when any of fds 0 to 4 of the helper itself is closed, it ends and leaves nothing" {
	for c in 0 1 2 3 4; do
		run timeout 20 setpriv --reuid=alice --regid=alice --init-groups --reset-env \
			"$CES_TOP/tests/lib/frame.py" --close $c u64:1:3 wrap:1
		[ "$status" -lt 128 ]
		[ "$status" -ne 124 ]
	done
	gone
}

# Starts a run of alice's that gets SIGNAL after MILLISECONDS. On a busy machine that may be before bash has executed
# anything: bash has handlers of its own, and loses signals that come between them and execve.
interrupted() # SIGNAL MILLISECONDS
{
	local name
	setpriv --reuid=alice --regid=alice --init-groups --reset-env \
		ces-client run -q $open/tools:1 sleep 600 3>&- < /dev/null > /dev/null 2>&1 &
	sleep "$(printf '0.%03d' "$2")"
	while read -r name < /proc/$!/comm && [ "$name" = bash ]; do sleep 0.001; done
	kill -"$1" $! || true
	wait $! || true
}

@test "signals at any moment leave nothing behind" {
	lab_policy '.defaults.limits.runs = 100'
	pids=()
	for ms in 0 2 4 6 8 10 12 15 20 30 50 100; do
		for s in TERM KILL HUP; do
			interrupted $s $ms 3>&- 2> /dev/null &
			pids+=($!)
		done
	done
	wait "${pids[@]}"
	lab_policy
	gone
}

@test "when the helper is killed at any moment, the next start leaves nothing behind" {
	for ms in 0 2 4 6 8 10 12 15 20 30; do
		setpriv --reuid=alice --regid=alice --init-groups --reset-env \
			ces-client run -q $open/tools:1 sleep 600 3>&- < /dev/null > /dev/null 2>&1 &
		client=$!
		sleep "$(printf '0.%03d' $ms)"
		# (on a busy machine it may not exist yet)
		eventually pkill -KILL -x -P $client 'ces-helper|ces-admit|ces-session'
		wait $client || true
	done
	eventually none_alive
	inside -- true
	gone
}

@test "an entry that a killed helper had half removed is cleared by the next start" {
	mkdir -m 700 /run/ces/1234567890
	mkfifo -m 600 /run/ces/1234567890/stop
	inside -- true
	[ ! -e /run/ces/1234567890 ]
	gone
}

# Fills the file system at DIRECTORY, whose pages then have no room left.
fill() { cat /dev/zero > "$1"/filler 2> /dev/null || true; }

@test "when the store's disk is full, runs and pulls that fail leave no file in the store" {
	for d in $store/runs $store/staging; do
		mount -t tmpfs -o "mode=700,size=64k,uid=$(stat -c %u "$d"),gid=$(stat -c %g "$d")$(lab_label_option "$d")" ces-full "$d"
	done
	fill $store/staging
	for i in 1 2 3; do
		run --separate-stderr pull alice $open/tools:1
		echo "$stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"No space left"* ]]
	done
	[ "$(ls -A $store/staging)" = filler ]
	eventually umount $store/staging
	fill $store/runs
	for i in 1 2 3; do
		run --separate-stderr inside -- true
		echo "$stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"No space left"* ]]
	done
	[ "$(ls -A $store/runs)" = filler ]
	eventually umount $store/runs
	gone
}

@test "what a helper was writing when it was killed is cleared by the next start, but not what another writes" {
	start_run
	n=$(ces alice ps -q)
	touch $store/runs/"$n".77 $store/runs/1234567890.77
	inside -- true
	[ "$(ls $store/runs)" = "$n"$'\n'"$n.77" ]
	rm $store/runs/"$n".77
	kill -TERM $client
	wait $client || true
	gone
}

# (that of a killed helper is named so, and is not locked)
@test "an entry that was never made is cleared after a minute, also if the clock was ahead when it was begun" {
	mkdir -m 700 /run/ces/.new-000000000{1,2,3}
	touch -d '-2 minutes' /run/ces/.new-0000000001
	touch -d '+1 year' /run/ces/.new-0000000002
	ces alice run -q $open/tools:1 true
	[ "$(ls -d /run/ces/.new-*)" = /run/ces/.new-0000000003 ]
	rmdir /run/ces/.new-0000000003
}

@test "when fifty runs start at once, all succeed" {
	lab_policy '.defaults.limits.runs = 100'
	pids=()
	for i in {1..50}; do
		inside -- sh -c "echo $i > /safe_outputs/n" 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p"; done
	lab_policy
	[ "$(cat /home/alice/outputs_*/n | sort -n | uniq | wc -l)" -eq 50 ]
	gone
}

@test "more runs than the policy allows are refused" {
	lab_policy '.defaults.limits.runs = 1'
	start_run
	run --separate-stderr ces alice run $open/tools:1 true
	kill -TERM $client
	wait $client || true
	lab_policy
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "*run* ]]
	gone
}

@test "when the helper is killed after it recorded the end, the journal has no second end" {
	local run
	start_run 'echo up; sleep 1; exit 3'
	run=$(cd /run/ces && echo [0-9]*)
	cp -a /run/ces/"$run" $lab/entry
	wait $client || true
	# what is there if the helper is killed a moment before it leaves the register
	cp -a $lab/entry /run/ces/"$run"
	ces alice run -q $open/tools:1 true
	eventually no test -e /run/ces/"$run"
	journal_new -s -e --arg run "$run" 'map(select(.event == "end" and .run == $run)) | length == 1 and .[0].status == 3' > /dev/null
	rm -rf $lab/entry
}
