#!/usr/bin/env bats
# Runs that go on while their user does other things: listing, naming, stopping, detaching, logs.

load ../lib/e2e.bash

setup_file()
{
	lab_policy
	have alice tools
	have carol tools
	pull bob $open/tools:1 -q
}
setup() { remember; }
teardown()
{
	local u
	for u in alice bob carol; do
		for r in $(ces $u ps --format json | jq -r '.[].run'); do ces $u stop -q "$r" || true; done
	done
	umount -q /home/alice/.local/state/ces || true
	rm -rf /home/*/outputs_* /home/*/.local
}

# Starts a detached run of USER. Prints its number.
detach() # USER [OPTION...] -- COMMAND...
{
	local user=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	ces "$user" run -q -d "${options[@]}" "$open/tools:1" "$@"
}

# A shell that ends at once on TERM.
stays='trap "exit 0" TERM; echo up; while :; do sleep 0.1; done'

says() { [[ $(ces "$1" logs "$2") == *"$3"* ]]; }
# Fails unless the client itself refused `run --separate-stderr ...`, without the helper.
refused_by_client() # PATTERN
{
	echo "status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "* && $stderr =~ $1 ]]
	[ -z "$output" ]
}
keeper_of() { pgrep -u "$1" -xf 'ces-client run -q -d .*'; }

@test "ps lists a live run with its name, image and outputs, and no longer after its end" {
	n=$(detach alice --name trial -- sh -c "$stays")
	[[ $n =~ ^[0-9]{10}$ ]]
	run ces alice ps
	[[ ${lines[0]} == "RUN "*NAME*IMAGE*PROJECT*STARTED*STATUS*OUTPUTS ]]
	[[ ${lines[1]} == "$n  trial"*"$open/tools:1"*"nsh-2024-0001"*running*"/home/alice/outputs_$n" ]]
	ces alice ps --format json | jq -e --arg n "$n" 'length == 1 and .[0].run == $n and .[0].name == "trial"
		and .[0].state == "running" and .[0].project == "nsh-2024-0001"'
	ces alice stop "$n"
	ces alice ps --format json | jq -e 'length == 0'
	nothing_left_behind
}

@test "inspect shows a live run by number and by name" {
	n=$(detach alice --name trial -- sh -c "$stays")
	ces alice inspect "$n" | jq -e --arg n "$n" '.[0].run == $n and (.[0].digest | startswith("sha256:"))'
	[ "$(ces alice inspect trial)" = "$(ces alice inspect "$n")" ]
}

@test "stop asks first: a program that handles TERM ends in its own way" {
	n=$(detach alice -- sh -c 'trap "echo bye; exit 7" TERM; echo up; while :; do sleep 0.1; done')
	eventually says alice "$n" up
	run ces alice stop "$n"
	[ "$status" -eq 0 ]
	[ "$(ces alice wait "$n")" = 7 ]
	[ "$(ces alice logs "$n")" = $'up\nbye' ]
	journal_new -s -e --arg n "$n" 'map(select(.event == "end" and .run == $n)) | length == 1 and .[0].reason == "stopped" and .[0].status == 7'
	nothing_left_behind
}

# systemd-logind does this at a logout, and a batch system at the end of a job.
@test "when the system sends TERM or HUP to a run's processes, the run ends whole: files handed over, scratch gone, an end on record" {
	for signal in TERM HUP; do
		remember
		ces alice run -q --name attached $open/tools:1 sh -c \
			'trap "exit 7" TERM; mkdir /safe_outputs/d; echo 1 > /safe_outputs/d/f; chown -R 1000 /safe_outputs/d; echo up; while :; do sleep 0.1; done' \
			> $lab/up 2>&1 3>&- < /dev/null &
		eventually grep -q up $lab/up
		pkill -$signal -x 'ces-helper|ces-admit|ces-session'
		wait $! && status=0 || status=$?
		[ "$status" -eq 7 ]
		run find /home/alice/outputs_* -mindepth 1 -not -user alice
		[ -z "$output" ]
		[ -z "$(ls -d /home/alice/scratch_* 2> /dev/null)" ]
		journal_new -s -e 'map(select(.event == "end")) | length == 1 and .[0].reason == "stopped" and .[0].status == 7'
		nothing_left_behind
		rm -rf /home/alice/outputs_*
	done
}

@test "a signal by which a batch system warns a program does not end the helper" {
	n=$(detach alice -- sh -c "$stays")
	eventually says alice "$n" up
	for signal in USR1 USR2 XCPU CONT PWR RTMIN; do pkill -$signal -x 'ces-helper|ces-admit|ces-session'; done
	ces alice ps --format json | jq -e 'length == 1'
	ces alice stop "$n"
	nothing_left_behind
}

@test "stop ends an attached run too, by its name" {
	ces alice run -q --name attached $open/tools:1 sh -c "$stays" > $lab/up 2>&1 3>&- < /dev/null &
	client=$!
	eventually grep -q up $lab/up
	ces alice stop attached
	wait $client
	nothing_left_behind
}

@test "a program that ignores TERM is killed after the grace" {
	n=$(detach alice -- sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done')
	eventually says alice "$n" up
	SECONDS=0
	ces alice stop "$n"
	[ $SECONDS -ge 9 ]
	[ "$(ces alice wait "$n")" = 137 ]
	nothing_left_behind
}

@test "stop --time sets the grace, 0 kills at once, and a second stop may shorten it" {
	n=$(detach alice -- sh -c "trap '' TERM; echo up; while :; do sleep 0.1; done")
	eventually says alice "$n" up
	ces alice stop --time 1h "$n" 2> /dev/null 3>&- &
	eventually pgrep -u alice -xf "ces-client stop --time 1h $n"
	run --separate-stderr ces alice stop -t 0 "$n"
	[ "$status" -eq 0 ]
	wait $!
	[[ $(ces alice ps -a) == *"ended 137 (stopped)"* ]]
	for t in -1 10x 1.5 7200 2h 99999999999999999999 ''; do
		run --separate-stderr ces alice stop --time "$t" "$n"
		refused_by_client 'type a number of seconds, 0 to 3600'
	done
	nothing_left_behind
}

@test "several runs are stopped and waited for by one command; ps -q gives their numbers" {
	detach alice --name one -- sh -c "$stays"
	detach alice --name two -- sh -c "$stays"
	mapfile -t numbers < <(ces alice ps -q)
	[ ${#numbers[@]} -eq 2 ]
	[[ ${numbers[0]} =~ ^[0-9]{10}$ ]]
	eventually says alice one up
	eventually says alice two up
	run --separate-stderr ces alice stop one nobody two
	[ "$status" -eq 125 ]
	[[ $stderr == *"run one has ended"*"no live run nobody"*"run two has ended"* ]]
	[ "$(ces alice wait "${numbers[@]}")" = $'0\n0' ]
	[ -z "$(ces alice ps -q)" ]
}

@test "ps lists the newest run first" {
	first=$(detach alice -- true)
	ces alice wait "$first"
	started=$(ces alice inspect "$first" | jq '.[0].started | fromdate')
	eventually bash -c "[ \$(date +%s) -gt $started ]" # a listing counts in seconds
	second=$(detach alice -- true)
	ces alice wait "$second"
	[ "$(ces alice ps -a -q)" = "$second"$'\n'"$first" ]
}

@test "inspect shows how a detached run ended, and says that a removed one is not known" {
	n=$(detach alice --name gone -- sh -c 'exit 3')
	ces alice wait "$n"
	ces alice inspect gone | jq -e --arg n "$n" '.[0] | .run == $n and .state == "ended" and .status == 3 and .reason == "exit"'
	rm /home/alice/.local/state/ces/"$n".*
	for verb in inspect logs wait stop; do
		run --separate-stderr ces alice $verb "$n"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "*"$n"*"ces-client ps"* && -z $output ]]
	done
}

@test "a name belongs to one live run of a user, and is free again at its end" {
	n=$(detach alice --name trial -- sh -c "$stays")
	run --separate-stderr ces alice run --name trial $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"you have a live run named trial already"* ]]
	ces alice stop trial
	run ces alice run -q --name trial $open/tools:1 true
	[ "$status" -eq 0 ]
	nothing_left_behind
}

@test "of many starts with one name, exactly one succeeds" {
	starts=()
	for i in 1 2 3 4; do
		detach alice --name one -- sh -c "$stays" > $lab/n.$i 2> $lab/e.$i 3>&- &
		starts+=($!)
	done
	for i in "${starts[@]}"; do wait "$i" || true; done
	[ "$(cat $lab/n.? | wc -l)" -eq 1 ]
	[ "$(cat $lab/e.? | grep -c 'live run named one')" -eq 3 ]
}

@test "a name of 128 characters, as Open OnDemand makes, is accepted" {
	name=ood-$(printf 'x%.0s' {1..124})
	n=$(detach alice --name "$name" -- sh -c "$stays")
	[ "$(ces alice ps --format json | jq -r '.[].name')" = "$name" ]
	[ "$(ces alice inspect "$name" | jq -r ".[0].run")" = "$n" ]
	ces alice stop -q "$name"
	[ "$(ces alice ps -a --format json | jq -r '.[0].name')" = "$name" ]
	run --separate-stderr ces alice run --name "${name}x" $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"name"* ]]
}

@test "a name that could be a path or a number is refused" {
	for n in a/b .. . -x 0123456789 '' "$(printf 'x%.0s' {1..4096})"; do
		run --separate-stderr ces alice run --name="$n" $open/tools:1 true
		echo "$n: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "* ]]
	done
	for n in ../1 /etc 0000000000; do
		run --separate-stderr ces alice stop "$n"
		[ "$status" -eq 125 ]
	done
}

@test "another user's run is treated as missing: it is not listed, shown, waited for, read or stopped" {
	n=$(detach alice --name trial -- sh -c "$stays")
	ces bob ps -a --format json | jq -e 'length == 0'
	for verb in stop inspect wait logs; do
		for r in "$n" trial; do
			run --separate-stderr ces bob $verb "$r"
			[ "$status" -eq 125 ]
			said=${stderr//$r/RUN}
			run --separate-stderr ces bob $verb "${r/$n/0000000001}x"
			[ "$status" -eq 125 ]
			[ "$said" = "${stderr//${r/$n/0000000001}x/RUN}" ]
		done
	done
	m=$(detach bob --name trial -- sh -c "$stays")
	ces bob stop trial
	ces alice ps --format json | jq -e --arg n "$n" '.[0].run == $n'
	no as bob cat /home/alice/.local/state/ces/"$n".log
}

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

@test "stop --all ends every run of the caller's, and nobody else's" {
	for n in 1 2; do detach alice -- sh -c "$stays"; done
	other=$(detach bob -- sh -c "$stays")
	run --separate-stderr ces alice stop --all -t 5
	echo "$stderr"
	[ "$status" -eq 0 ]
	[ "$(ces alice ps --format json)" = "[]" ]
	[ "$(ces bob ps -q)" = "$other" ]
	ces alice stop -a # (none is left to end)
	run --separate-stderr ces alice stop --all "$other"
	[ "$status" -eq 125 ]
	[[ $stderr == *"leave out '$other'"* ]]
	ces bob stop -q "$other"
}

@test "image ls, image inspect, container ls, container logs ... and images --digests are accepted, as podman writes them" {
	[ "$(ces alice image ls --format json)" = "$(ces alice images --format json)" ]
	[ "$(ces alice image inspect $open/tools:1)" = "$(ces alice inspect $open/tools:1)" ]
	digest=$(ces alice inspect $open/tools:1 | jq -r '.[0].digest')
	[[ $(ces alice images --digests | cat) == *"$digest"* ]]
	[[ $(ces alice images | cat) != *"$digest"* ]]
	n=$(detach alice -- sh -c 'echo written; sleep 60')
	eventually says alice "$n" written
	[ "$(ces alice container ls -q)" = "$n" ]
	[ "$(ces alice container logs "$n")" = written ]
	ces alice container stop -q -t 0 "$n"
	for line in "image" "image build ." "container exec x sh"; do
		run --separate-stderr ces alice $line
		echo "$line: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"type one of these after it: ls, "* ]]
	done
}
