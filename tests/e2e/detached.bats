#!/usr/bin/env bats
# Detached runs, and what is kept of every run: logs, how it ended, and who waits for that.

load ../lib/e2e.bash
load ../lib/lifecycle.bash

keeper_of() { pgrep -u "$1" -xf 'ces-client run -q -d .*'; }

@test "-d prints the run's number and nothing else, and the run goes on" {
	run --separate-stderr ces alice run -d $open/tools:1 sh -c 'sleep 0.3; echo result > /safe_outputs/r; exit 3'
	[ "$status" -eq 0 ]
	[[ $output =~ ^[0-9]{10}$ ]]
	[[ $stderr == "ces: run $output (10m at most), outputs in /home/alice/outputs_$output" ]]
	[ "$(ces alice wait "$output")" = 3 ]
	[ "$(cat /home/alice/outputs_"$output"/r)" = result ]
	nothing_left_behind
}

@test "a detached run that is refused says so at once and leaves nothing" {
	run --separate-stderr ces alice run -d $open/other:1
	refused 'no rule|not in|have not pulled|pull'
	[ ! -e /home/alice/.local/state/ces ] || [ -z "$(ls /home/alice/.local/state/ces)" ]
}

@test "a detached run has no stdin and no terminal" {
	run --separate-stderr ces alice run -dit $open/tools:1 sh -c 'cat; [ -t 0 ] || [ -t 1 ] || echo none'
	[[ $stderr == *"-i and -t have no effect"* ]]
	ces alice wait "$output"
	[ "$(ces alice logs "$output")" = none ]
}

@test "while a run lives, no process shows the value of its -e to others" {
	n=$(detach alice -e ONE=canary-1 --env=TWO=canary-2 -eTHREE=canary-3 -- sh -c 'echo $ONE $TWO $THREE; sleep 60')
	ces alice run -q --name attached -e FOUR=canary-4 $open/tools:1 sh -c 'echo $FOUR; sleep 60' > $lab/up 2>&1 3>&- < /dev/null &
	eventually says alice "$n" 'canary-1 canary-2 canary-3'
	eventually grep -q canary-4 $lab/up
	no grep -al 'c[a]nary' /proc/[0-9]*/cmdline
	[[ $(tr '\0' ' ' < /proc/"$(keeper_of alice)"/cmdline) == "ces-client run -q -d -e ONE= "* ]]
	ces alice stop -q -t 0 "$n" attached
	wait $! || true
}

@test "logs prints stdout and stderr, byte for byte, also after the end" {
	n=$(detach alice -- sh -c 'head -c 300000 /dev/zero; printf "\\377\\033x"; echo err >&2')
	[ "$(ces alice wait "$n")" = 0 ]
	# (there are two pipes: their order is not promised, but no byte is lost, added or moved out of its write)
	ces alice logs "$n" | tr -d '\n' > $lab/whole
	[ "$(grep -ac err $lab/whole)" = 1 ]
	[ "$(LC_ALL=C sed 's/err//' $lab/whole | sha256sum)" = "$( (head -c 300000 /dev/zero; printf '\377\033x') | sha256sum)" ]
	[ "$(stat -c '%U %a' /home/alice/.local/state/ces/"$n".log)" = "alice 600" ]
}

@test "logs -f prints what comes and ends with the run" {
	n=$(detach alice -- sh -c 'echo one; while [ ! -e /safe_outputs/go ]; do sleep 0.05; done; echo two')
	ces alice logs -f "$n" > $lab/follow 3>&- &
	follower=$!
	eventually grep -q one $lab/follow
	no grep -q two $lab/follow
	as alice touch /home/alice/outputs_"$n"/go
	wait $follower
	[ "$(cat $lab/follow)" = $'one\ntwo' ]
}

@test "a command that cannot write stdout fails and says so" {
	n=$(detach alice -- sh -c "$stays")
	eventually says alice "$n" up
	for command in ps "ps -a" images "inspect $n" "inspect $open/tools:1" "logs $n" "logs -f $n" --help --version; do
		ces alice $command > /dev/full 2> $lab/err && status=0 || status=$?
		echo "$command: $status $(cat $lab/err)"
		[ "$status" -eq 125 ]
		[ "$(cat $lab/err)" = "ces: cannot write stdout: No space left on device" ]
	done
	ces alice run -q -d --name unheard $open/tools:1 sh -c "$stays" > /dev/full 2> $lab/err && status=0 || status=$?
	cat $lab/err
	[ "$status" -eq 125 ]
	m=$(ces alice ps -q -f name=unheard)
	[ "$(tail -n 1 $lab/err)" = "ces: run $m goes on: to end it, type ces-client stop $m" ]
	eventually says alice unheard up
	ces alice stop -q unheard
	ces alice wait unheard > /dev/full 2> $lab/err && status=0 || status=$?
	[ "$status" -eq 125 ]
	grep -q 'cannot write stdout' $lab/err
	ces alice logs -f "$n" > $lab/follow 3>&- &
	eventually grep -q up $lab/follow
	ces alice stop -q "$n"
	wait $!
}

# Starts a run that writes BYTES, and logs -f, whose reader goes on reading only then. Prints how many bytes it read.
read_late() # BYTES
{
	local n first
	n=$(detach alice -- sh -c "echo first; while [ ! -e /safe_outputs/go ]; do sleep 0.1; done; head -c $1 /dev/zero
		touch /safe_outputs/done; while [ ! -e /safe_outputs/end ]; do sleep 0.1; done")
	rm -f $lab/slow
	mkfifo $lab/slow
	ces alice logs -f "$n" > $lab/slow 2> $lab/err 3>&- &
	exec 5< $lab/slow
	read -r first <&5
	as alice touch outputs_"$n"/go
	eventually test -e /home/alice/outputs_"$n"/done
	as alice touch outputs_"$n"/end
	ces alice wait "$n" > $lab/waited
	wc -c <&5
	exec 5<&-
	wait $!
}

@test "logs -f with a reader that is slower than the run loses nothing that is kept, and says what is missing" {
	[ "$(read_late 20000000)" -eq 20000000 ]
	[ ! -s $lab/err ]
	[ "$(read_late 40000000)" -lt 40000000 ]
	[[ $(cat $lab/err) == "ces: a part of the log is missing here"* ]]
}

@test "logs --tail shows the last lines, also of two files and of a line without an end" {
	n=$(detach alice -- sh -c 'for i in 1 2 3 4 5; do echo line $i; done; printf end')
	ces alice wait "$n"
	[ "$(ces alice logs --tail 2 "$n")" = $'line 5\nend' ]
	[ "$(ces alice logs -n 99 "$n")" = $'line 1\nline 2\nline 3\nline 4\nline 5\nend' ]
	[ -z "$(ces alice logs --tail 0 "$n")" ]
	[ "$(ces alice logs --tail all "$n")" = "$(ces alice logs "$n")" ]
	log=/home/alice/.local/state/ces/$n.log
	as alice sh -c "printf 'a\nb\nc\n' > $log.1; printf 'd\ne\n' > $log"
	[ "$(ces alice logs --tail 2 "$n")" = $'d\ne' ]
	[ "$(ces alice logs --tail 3 "$n")" = $'c\nd\ne' ]
	run --separate-stderr ces alice logs --tail x "$n"
	refused_by_client 'type a number of lines'
	run --separate-stderr ces alice logs --until 10m "$n"
	refused_by_client 'type --since T'
}

@test "a log is capped: the newest output stays" {
	n=$(detach alice -- sh -c 'head -c 40000000 /dev/zero | tr "\\0" a; echo last')
	[ "$(ces alice wait "$n")" = 0 ]
	[ "$(du -cb /home/alice/.local/state/ces/"$n".log* | tail -n 1 | cut -f1)" -le $((16 << 20)) ]
	[ "$(ces alice logs "$n" | tail -c 5)" = last ]
}

@test "ps -a lists how detached runs ended" {
	n=$(detach alice --name gone -- sh -c 'exit 4')
	ces alice wait "$n"
	ces alice ps --format json | jq -e 'length == 0'
	ces alice ps -a --format json | jq -e --arg n "$n" '.[0] | .run == $n and .state == "ended" and .status == 4 and .name == "gone"'
	[[ $(ces alice ps -a) == *"ended 4 (exit)"* ]]
	[ "$(ces alice wait gone)" = 4 ]
}

@test "a run that fills the home of its user: wait prints its status, and logs says that the log is incomplete" {
	as alice mkdir -p .local/state/ces
	mount -t tmpfs -o size=64k,mode=700,uid="$(id -u alice)" tmpfs /home/alice/.local/state/ces
	n=$(detach alice -- sh -c 'while [ ! -e /safe_outputs/go ]; do sleep 0.1; done; head -c 100000 /dev/zero; exit 6')
	as alice sh -c "cat /dev/zero > .local/state/ces/full 2> /dev/null || :"
	as alice touch outputs_"$n"/go
	run --separate-stderr ces alice wait "$n"
	[ "$status" -eq 0 ]
	[ "$output" = 6 ]
	[[ $(ces alice ps -a) == *"ended 6 (exit)"* ]]
	ces alice logs "$n" 2>&1 > /dev/null | grep 'the log is incomplete'
	umount /home/alice/.local/state/ces
}

@test "run -d and wait report a command that does not exist" {
	run -127 --separate-stderr ces alice run -d --name gone $open/tools:1 /no/such
	[[ $stderr == *'ces: cannot start /no/such'* ]]
	[ "$(ces alice wait gone 2> $lab/err)" = 127 ]
	grep -q 'cannot start /no/such' $lab/err
}

@test "runs whose end was never noted are forgotten like others; a live one is not" {
	local kept=/home/alice/.local/state/ces
	n=$(detach alice -- sleep 60)
	for i in {1000000001..1000000150}; do
		echo "{\"run\":\"$i\",\"started\":1000000000}" > $kept/$i.json
		touch $kept/$i.log $kept/$i.log.1 $kept/$i.times
	done
	chown alice: $kept/*
	[ "$(ces alice ps -a -q | wc -l)" -eq 151 ]
	ces alice run -q $open/tools:1 true
	[ "$(ls $kept/*.json | wc -l)" -eq 101 ]
	[ "$(ls $kept/1000000*.log | wc -l)" -eq 99 ]
	[ -e $kept/"$n".json ]
	[ "$(ces alice ps -q)" = "$n" ]
}

@test "when its keeper dies, a detached run goes on, and ends when it is stopped" {
	n=$(detach alice -- sh -c 'trap "touch /safe_outputs/told; exit 0" TERM; touch /safe_outputs/up; while :; do sleep 0.1; done')
	eventually test -e /home/alice/outputs_"$n"/up
	kill -KILL "$(keeper_of alice)"
	ces alice ps --format json | jq -e --arg n "$n" '.[0].run == $n'
	ces alice stop "$n"
	[ -e /home/alice/outputs_"$n"/told ]
	[[ $(ces alice ps -a) == *" ended "* ]]
	run --separate-stderr ces alice wait "$n"
	[ "$status" -eq 125 ]
	nothing_left_behind
}

@test "wait on an attached run returns at its end" {
	ces alice run -q --name attached $open/tools:1 sh -c 'echo up; while [ ! -e /scratch/end ]; do sleep 0.1; done' \
		> $lab/up 2>&1 3>&- < /dev/null &
	eventually grep -q up $lab/up
	(eventually pgrep -u alice -xf 'ces-client wait attached'; as alice sh -c 'cd scratch_*/scratch; touch end') 3>&- &
	run --separate-stderr ces alice wait attached
	[ "$status" -eq 0 ]
	[ "$output" = 0 ]
	ces alice ps --format json | jq -e 'length == 0'
}

@test "logs NAME does not show an older run while an attached run of that name lives" {
	ces alice wait "$(detach alice --name twice -- echo yesterday)"
	ces alice run -q --name twice $open/tools:1 sh -c "$stays" > $lab/up 2>&1 3>&- < /dev/null &
	eventually grep -q up $lab/up
	run --separate-stderr ces alice logs twice
	[ "$status" -eq 125 ]
	[[ -z $output && $stderr == *"no log of a run twice"* ]]
	ces alice stop -q twice
	wait $!
}

# Kills all processes of the session's cgroup, as systemd-logind does at logout with KillUserProcesses=yes.
@test "when a logout kills the user's processes, a detached run goes on and goes on writing" {
	local root=/sys/fs/cgroup
	[ -d $root/unified ] && root=$root/unified
	session=$root/user.slice/ces-lab.slice/session-ces.scope
	mkdir -p $session
	echo $BASHPID > $session/cgroup.procs
	n=$(detach alice -- sh -c 'trap "touch /safe_outputs/told; exit 0" TERM; touch /safe_outputs/up
		while [ ! -e /safe_outputs/go ]; do sleep 0.1; done
		i=0; while [ $i -lt 40000 ]; do echo "this is no reason to end"; i=$((i + 1)); done; touch /safe_outputs/wrote
		while :; do sleep 0.1; done')
	echo $BASHPID > $root/cgroup.procs
	eventually test -e /home/alice/outputs_"$n"/up
	echo 1 > $session/cgroup.kill
	eventually no keeper_of alice
	as alice touch outputs_"$n"/go # a megabyte that nobody reads
	eventually test -e /home/alice/outputs_"$n"/wrote
	ces alice ps --format json | jq -e --arg n "$n" '.[0].run == $n'
	ces alice stop "$n"
	[ -e /home/alice/outputs_"$n"/told ]
	eventually rmdir $session
	rmdir $root/user.slice/ces-lab.slice
	rmdir --ignore-fail-on-non-empty $root/user.slice
	nothing_left_behind
	[ ! -e $root/ces/helpers ]
}

@test "until its keeper has noted the end, a run is not said to have ended; wait prints the status then" {
	n=$(detach alice -- sh -c 'while [ ! -e /safe_outputs/go ]; do sleep 0.1; done; exit 5')
	keeper=$(keeper_of alice)
	kill -STOP "$keeper"
	as alice touch outputs_"$n"/go
	live() { [ -n "$(ces alice ps -q)" ]; }
	eventually no live
	ces alice wait "$n" > $lab/waited 3>&- &
	waiting=$!
	ces alice logs -f "$n" 3>&- &
	following=$!
	[[ $(ces alice ps -a) == *" running "* ]]
	ces alice inspect "$n" | jq -e '.[0].state == "running" and .[0].status == null'
	sleep 2
	kill -0 $waiting $following
	kill -CONT "$keeper"
	wait $waiting
	wait $following
	[ "$(cat $lab/waited)" = 5 ]
	ces alice inspect "$n" | jq -e '.[0].state == "ended" and .[0].status == 5'
}

# The home is shared by several machines, as on a cluster. Each has a helper of its own.
@test "a run of another machine: it is not said to have ended, and while its keeper has the lock, wait waits" {
	n=$(detach alice -- sh -c 'echo out; exit 5')
	ces alice wait "$n"
	json=/home/alice/.local/state/ces/$n.json
	as alice cp "$json" ended.json
	jq '.host = "node7" | del(.ended, .status, .reason)' /home/alice/ended.json > $lab/live
	cat $lab/live > "$json"
	[[ $(ces alice ps -a) == *" running on node7, or ended there "* ]]
	ces alice ps -a --format json | jq -e '.[0] | .state == "unknown" and .host == "node7" and .status == null'
	ces alice ps -a -q --filter status=ended | no grep .
	ces alice inspect "$n" | jq -e '.[0].state == "unknown" and .[0].host == "node7"'
	for verb in wait "logs -f"; do
		run --separate-stderr ces alice $verb "$n"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: run $n runs on node7, or has ended there: type ces-client $verb $n there" ]]
	done
	[ "$output" = out ]
	as alice flock "$json" sh -c "sleep 2; cat ended.json > $json" 3>&- &
	eventually no as alice flock -n "$json" true
	[[ $(ces alice ps -a) == *" running on node7 "* ]]
	[ "$(ces alice wait "$n")" = 5 ]
	wait $!
}

@test "wait goes on when the policy is invalid for a moment" {
	n=$(detach alice -- sh -c 'while [ ! -e /safe_outputs/go ]; do sleep 0.1; done; exit 5')
	ces alice wait "$n" > $lab/waited 2>&1 3>&- &
	eventually pgrep -u alice -xf "ces-client wait $n"
	# (it has had its first answer)
	eventually bash -c "ls -l /proc/$(pgrep -u alice -xf "ces-client wait $n")/fd | grep -q inotify"
	mv /etc/ces/policy.json $lab/policy.kept
	run ces alice ps
	[ "$status" -eq 125 ]
	sleep 2
	mv $lab/policy.kept /etc/ces/policy.json
	kill -0 $!
	as alice touch outputs_"$n"/go
	wait $!
	[ "$(cat $lab/waited)" = 5 ]
}

@test "a stopped keeper does not delay the end of its run" {
	n=$(detach alice -- sh -c 'trap "exit 0" TERM; echo up; while :; do sleep 0.1; done')
	eventually says alice "$n" up
	kill -STOP "$(keeper_of alice)"
	ces alice stop "$n"
	ces alice ps --format json | jq -e 'length == 0'
	kill -KILL "$(keeper_of alice)"
	nothing_left_behind
}

@test "when the state directory is a user's link to another place, root writes nothing there" {
	as alice mkdir -p /home/alice/.local/state
	as alice ln -s /etc /home/alice/.local/state/ces
	run --separate-stderr ces alice run -d $open/tools:1 true
	no compgen -G '/etc/[0-9]*.log'
}

@test "a client leaves no process for others to reap" {
	# (this reaper reaps only the clients)
	run as alice python3 - $open/tools:1 <<-'PY'
	import ctypes, os, subprocess, sys
	ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
	for arguments in (["run", "-q", sys.argv[1], "true"], ["images", "-q"], ["ps"], ["run", "-q", sys.argv[1], "false"]):
	    for _ in range(3):
	        subprocess.run(["ces-client"] + arguments, stdout=subprocess.DEVNULL)
	try:
	    print("left:", os.waitpid(-1, os.WNOHANG))
	except ChildProcessError:
	    print("none")
	PY
	[ "$output" = none ]
}
