#!/usr/bin/env bats
# run --wait: waiting in order for a place among one's runs, and for a GPU.

load ../lib/e2e.bash
. tests/lib/lab/fake_gpus.sh

setup_file()
{
	fake_dev
	fake_driver
	one_run
	have alice tools
	pull bob $open/tools:1 -q
}
teardown_file()
{
	fake_end
	lab_policy
}

# Writes the specification with some of the sample's devices.
specify() # FILTER
{
	rm -rf /etc/cdi
	install -d -m 755 /etc/cdi
	jq ".devices |= map(select($1))" "$sample" > /etc/cdi/nvidia.json
}

one_run()
{
	specify '.name == "1" or (.name | startswith("GPU-"))'
	lab_policy '.defaults.gpus.max = 8 | .defaults.limits.runs = 1'
}
setup() { remember; }
teardown()
{
	for u in alice bob carol; do ces $u stop -q --all --time 0 || true; done
	pkill -KILL -x ces-client || true
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun|runc'
	rm -rf /home/*/outputs_* /home/*/.local $lab/out.* $lab/err.* /run/ces/.queue
	one_run
}

# Starts a run in the background, output in $lab/out.N, messages in $lab/err.N.
waits() # N USER [OPTION...] -- COMMAND...
{
	local n=$1 user=$2 options=()
	shift 2
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups --reset-env env -C "/home/$user" --default-signal=INT \
		ces-client run "${options[@]}" $open/tools:1 "$@" > $lab/out.$n 2> $lab/err.$n 3>&- < /dev/null &
	client=$!
}

@test "--wait waits for a place among one's runs, in order, and prints the place in the queue" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	waits 1 alice --wait -- echo one
	eventually grep -q '^ces: waiting, place 1 in the queue: you have 1 run in project nsh-2024-0001 already' $lab/err.1
	one=$client
	waits 2 alice --wait=5m -- sh -c 'cat /safe_data/patients.csv > /safe_outputs/x; echo two'
	two=$client
	eventually grep -q '^ces: waiting, place 2 in the queue' $lab/err.2
	ces alice stop -q "$first"
	wait $one
	wait $two
	[ "$(cat $lab/out.1)" = one ]
	[ "$(cat $lab/out.2)" = two ]
	# (one refusal on record for each run that waited, and for the first, and no more)
	[ "$(journal_new -s '[.[] | select(.outcome == "denied")] | length')" -eq 3 ]
	[ "$(journal_new -s '[.[] | select(.event == "decision" and .outcome == "allowed" and .verb == "run")] | length')" -eq 3 ]
	nothing_left_behind
}

@test "a run without --wait is refused while another waits for the place" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	waits 1 alice --wait -- sleep 1
	eventually grep -q 'waiting, place 1' $lab/err.1
	kill -STOP $client # (its ticket holds)
	ces alice stop -q "$first"
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"1 run is ahead of you: type --wait"* ]]
	kill -CONT $client
	wait $client
}

@test "when the time of --wait=TIME is over, the run is refused, also with -d" {
	ces alice run -q -d $open/tools:1 sleep 600
	for d in '' -d; do
		run --separate-stderr ces alice run $d --wait=3s $open/tools:1 true
		echo "$stderr"
		[ "$status" -eq 125 ]
		[[ ${stderr_lines[0]} == "ces: waiting, place 1 in the queue"* ]]
		[[ $stderr == *"ces: you have 1 run in project nsh-2024-0001 already, and may have 1 at once (rule limits.runs)"* ]]
		[[ $stderr != *"type ces-client run --wait"* ]]
	done
	run --separate-stderr ces alice run --wait=soon $open/tools:1 true
	[[ $stderr == *"type a whole number and a unit, such as --wait=30m"* ]]
	ces alice stop -q "$(ces alice ps -q)"
}

@test "run -d --wait prints the number when its turn has come" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	waits 1 alice -d --wait -- sleep 600
	eventually grep -q 'waiting, place 1' $lab/err.1
	[ ! -s $lab/out.1 ]
	ces alice stop -q "$first"
	wait $client
	[ "$(cat $lab/out.1)" = "$(ces alice ps -q)" ]
	ces alice stop -q "$(ces alice ps -q)"
}

@test "while a detached run that has waited for its place lives, wait and logs -f wait for its end" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	waits 1 alice -d --wait --name later -- sh -c 'echo begun; until [ -e /safe_outputs/go ]; do sleep 0.1; done; exit 7'
	eventually grep -q 'waiting, place 1' $lab/err.1
	ces alice stop -q "$first"
	wait $client
	run=$(ces alice ps -q)
	jq -e '.ended == null and .status == null' /home/alice/.local/state/ces/"$run".json
	ces alice logs -f later > $lab/out.logs 3>&- &
	logs=$!
	ces alice wait later > $lab/out.wait 3>&- &
	waiting=$!
	eventually grep -q begun $lab/out.logs
	as alice touch /home/alice/outputs_"$run"/go
	wait $waiting
	wait $logs
	[ "$(cat $lab/out.wait)" = 7 ]
}

one_client() { [ "$(pgrep -c -x ces-client)" -eq 1 ]; }

@test "Ctrl-C and TERM end the waiting; a client that died does not delay others for long" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	for s in INT TERM; do
		waits 1 alice --wait -- true
		eventually grep -q 'waiting, place' $lab/err.1
		kill -$s $client
		status=0
		wait $client || status=$?
		[ "$status" -eq $((128 + $(kill -l $s))) ]
		# the same for a detached run: nothing goes on in the background
		waits 1 alice -d --wait -- true
		eventually grep -q 'waiting, place' $lab/err.1
		kill -KILL $client
		wait $client || true
		eventually one_client # (the keeper of the first)
		# (the same if the signal comes while the client asks the helper)
		waits 1 alice --wait -- true
		for ((i = 0; i < 1000; i++)); do pgrep -P $client -x 'ces-helper|ces-admit|ces-session' && break; done
		kill -$s $client
		status=0
		wait $client || status=$?
		[ "$status" -ge 125 ]
	done
	waits 1 alice --wait -- echo done
	last=$client
	ces alice stop -q "$first"
	wait $last
	[ "$(cat $lab/out.1)" = done ]
}

@test "while its run waits, stdin is kept for the program" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	(sleep 6; ces alice stop -q "$first") 3>&- &
	run as alice sh -c "seq 20000 | ces-client run -q -i --wait $open/tools:1 sha256sum"
	[ "$status" -eq 0 ]
	[ "$output" = "$(seq 20000 | sha256sum)" ]
}

@test "runs wait for a GPU in order, over users; a run that needs none passes by" {
	lab_policy '.defaults.gpus.max = 8 | .defaults.limits.runs = 5'
	first=$(ces bob run -q -d --gpu=1 $open/tools:1 sleep 600)
	waits 1 alice --gpu=1 --wait -- sleep 2
	one=$client
	eventually grep -q 'waiting, place 1 in the queue: .* 0 are free' $lab/err.1
	waits 2 bob --gpu=1 --wait -- true
	two=$client
	eventually grep -q 'waiting, place 2' $lab/err.2
	ces alice run -q $open/tools:1 true
	ces bob stop -q "$first"
	wait $one
	wait $two
}

two_gpus()
{
	specify '.name == "0:0" or (.name | startswith("GPU-"))'
	lab_policy '.defaults.gpus.max = 8 | .defaults.limits.runs = 5'
}

@test "a run that waits for one device keeps no other device idle" {
	two_gpus
	first=$(ces bob run -q -d --gpu=1 $open/tools:1 sh -c 'echo $NVIDIA_VISIBLE_DEVICES; exec sleep 600')
	logged() { [ -n "$(ces bob logs "$first")" ]; }
	eventually logged
	busy=$(ces bob logs "$first")
	waits 1 alice --gpu="$busy" --wait -- true
	one=$client
	eventually grep -q 'waiting, place 1 in the queue: the device .* is in use by another run' $lab/err.1
	run ces bob run -q --gpu=1 $open/tools:1 sh -c 'echo $NVIDIA_VISIBLE_DEVICES'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" != "$busy" ]
	ces bob stop -q "$first"
	wait $one
}

@test "a run that wants all GPUs that are free has its turn when one is free" {
	two_gpus
	first=$(ces bob run -q -d --gpu=2 $open/tools:1 sleep 600)
	second=$(ces bob run -q -d $open/tools:1 sleep 600)
	waits 1 alice --gpu=all --wait -- sleep 3
	one=$client
	eventually grep -q 'waiting, place 1' $lab/err.1
	kill -STOP $one # (its ticket holds)
	ces bob stop -q "$first"
	run --separate-stderr ces bob run --gpu=1 $open/tools:1 true
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"1 run is ahead of you: type --wait"* ]]
	kill -CONT $one
	wait $one
	ces bob stop -q "$second"
}

@test "a name that is taken, and more GPUs than there are, are refused at once" {
	lab_policy '.defaults.gpus.max = 8 | .defaults.limits.runs = 5'
	first=$(ces alice run -q -d --name x --gpu=1 $open/tools:1 sleep 600)
	run --separate-stderr ces alice run --wait --name x $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: you have a live run named x already; choose another --name" ]]
	run --separate-stderr ces alice run --wait --gpu=2 $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"you asked for 2 of this machine's GPUs, and 0 are free"* && $stderr != *"in the queue"* ]]
	# (the one GPU has two names)
	waits 1 alice --gpu=1 --wait -- true
	eventually grep -q 'waiting, place 1' $lab/err.1
	ces alice stop -q "$first"
	wait $client
}

@test "one project's line delays no run of the user's other project" {
	ces carol pull -q --project nsh-2024-0001 $open/tools:1
	first=$(ces carol run -q -d --project nsh-2024-0001 $open/tools:1 sleep 600)
	waits 1 carol --project nsh-2024-0001 --wait -- true
	eventually grep -q 'waiting, place 1' $lab/err.1
	ces carol pull -q --project nsh-2024-0002 $open/tools:1
	ces carol run -q --project nsh-2024-0002 $open/tools:1 true
	ces carol stop -q "$first"
	wait $client
}

@test "a ticket works for its user alone, and the policy of the moment decides" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	waits 1 alice --wait -- true
	eventually grep -q 'waiting, place 1' $lab/err.1
	# (another user with alice's ticket, which is 1 as the first of this register, is at the end of their own line)
	ces bob run -q -d $open/tools:1 sleep 600
	run --separate-stderr ces bob run --wait=1s $open/tools:1 true
	[[ $stderr == *"waiting, place 1 in the queue: you have 1 run in project nsh-2024-0002"* ]]
	lab_policy '.defaults.limits.runs = 1 | .projects["nsh-2024-0001"].expires = "2024-01-01"'
	status=0
	wait $client || status=$?
	[ "$status" -eq 125 ]
	grep -q 'ended on\|expired\|has ended' $lab/err.1
	one_run
	ces alice stop -q "$first"
	ces bob stop -q "$(ces bob ps -q)"
}

@test "the table of the line is root's alone, and a damaged one is an empty line" {
	first=$(ces alice run -q -d $open/tools:1 sleep 600)
	waits 1 alice --wait -- true
	eventually grep -q 'waiting, place 1' $lab/err.1
	[ "$(stat -c '%U %a' /run/ces/.queue)" = 'root 600' ]
	head -c 100 /dev/urandom > /run/ces/.queue
	ces alice stop -q "$first"
	wait $client
}
