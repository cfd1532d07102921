#!/usr/bin/env bats
# Runs that go on while their user does other things: listing, naming, stopping.

load ../lib/e2e.bash
load ../lib/lifecycle.bash

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
