#!/usr/bin/env bats
# Several users of one machine at once. Each finds only their own things.

load ../lib/e2e.bash

setup_file()
{
	lab_policy '.defaults.network = { "publish": ["8080"] } | .defaults.limits.runs = 3'
	for u in alice bob carol; do have $u tools; done
}
teardown_file() { lab_policy; }
setup() { remember; }
teardown()
{
	local u r
	for u in alice bob carol; do
		for r in $(ces $u ps --format json | jq -r '.[].run'); do ces $u stop -q --time 0 "$r" || true; done
	done
	rm -rf /home/*/outputs_* /home/*/.local
}

start() # USER COMMAND [OPTION...]: a detached run; its number in $n
{
	local user=$1 command=$2
	shift 2
	n=$(ces "$user" run -q -d "$@" $open/tools:1 sh -c "trap 'exit 0' TERM; $command; touch /safe_outputs/up; while :; do sleep 0.1; done")
	eventually test -e "/home/$user/outputs_$n/up"
}

# A user must name their project if they have more than one: carol has two.
declare -gA project=([alice]=nsh-2024-0001 [bob]=nsh-2024-0002 [carol]=nsh-2024-0001)

@test "when several users give runs one name at once, each has their own" {
	for u in alice bob carol; do
		start $u "echo of $u" --name service --project ${project[$u]}
		eval "$u=$n"
	done
	for u in alice bob carol; do
		[ "$(ces $u ps --format json | jq -r '.[] | "\(.run) \(.name)"')" = "${!u} service" ]
		[ "$(ces $u inspect service | jq -r ".[0].run")" = "${!u}" ]
		[ "$(ces $u logs service)" = "of $u" ]
	done
	ces bob stop -q service
	[ "$(ces bob ps --format json)" = "[]" ]
	[ "$(ces alice ps --format json | jq length)" = 1 ]
	[ "$(ces carol ps --format json | jq length)" = 1 ]
}

@test "a run's number is of no use to another user" {
	start alice 'echo secret' --name mine
	for verb in inspect logs wait stop; do
		for run in "$n" mine; do
			run --separate-stderr ces bob $verb "$run"
			echo "$verb $run: $status $output $stderr"
			[ "$status" -eq 125 ]
			[ -z "$output" ]
			[ "$(sed "s/$run/1234567890/g" <<< "$stderr")" = "$(ces bob $verb 1234567890 2>&1)" ] || [ "$run" = mine ]
		done
	done
	[ "$(ces alice ps --format json | jq length)" = 1 ]
	for f in ps "ps -a" images; do no grep -q -e "$n" -e secret <<< "$(ces bob $f 2>&1)"; done
}

@test "an image that a user removed or never pulled is absent for them, whatever others have" {
	have alice cmd
	run --separate-stderr ces bob run -q $open/cmd:1
	[ "$status" -eq 125 ]
	no grep -q cmd <<< "$(ces bob images)"
	run --separate-stderr ces bob inspect $open/cmd:1
	[ "$status" -eq 125 ]
	run --separate-stderr ces bob rmi $open/cmd:1
	[ "$status" -eq 125 ]
	[ "$(ces alice run -q $open/cmd:1)" = "only cmd" ]
}

@test "logs, outputs and scratch are their owner's alone" {
	start alice 'echo in the log; echo in a file > /safe_outputs/f; echo x > /scratch/f'
	eventually sh -c "find /home/alice/.local/state/ces -type f | xargs grep -q 'in the log'"
	for p in "/home/alice/outputs_$n" "/home/alice/scratch_$n" /home/alice/.local/state/ces; do
		[ "$(stat -c %U "$p")" = alice ]
		no as bob ls "$p"
	done
	# (also if everybody can enter a home)
	chmod 711 /home/alice
	while read -r f; do no as bob cat "$f" < /dev/null; done < <(find /home/alice/.local/state/ces -type f)
	chmod 700 /home/alice
}

@test "containers of two users in one project share the data and nothing else" {
	start alice 'echo x > /dev/shm/canary; echo x > /tmp/canary; nc -ll -p 8080 -e echo reached & true'
	eventually sh -c "[ $(ces alice ps --format json | jq length) = 1 ]"
	run ces carol run -q --project nsh-2024-0001 $open/tools:1 sh -c '
		ls /dev/shm /tmp /scratch /safe_outputs; nc -w 2 127.0.0.1 8080 < /dev/null 2> /dev/null; ps -o comm | grep -c "^nc$"
		ls /safe_data; ipcs 2> /dev/null | grep -c canary; wc -l < /proc/net/unix'
	echo "$output"
	[[ $output != *canary* && $output != *reached* ]]
	[[ $output == *patients.csv* ]]
	[ "${lines[-1]}" -le 1 ]
}

@test "one port of the machine is one user's; each reaches their own" {
	answer() { [ "$(as "$1" timeout 5 bash -c 'exec 3<> /dev/tcp/127.0.0.1/$0 && read -r line <&3 && echo "$line"' "$2" 2> /dev/null)" = "$3" ]; }
	start alice 'nc -ll -p 8080 -e echo of alice & true' -p 18090:8080
	start bob 'nc -ll -p 8080 -e echo of bob & true' -p 18091:8080
	eventually answer alice 18090 "of alice"
	eventually answer bob 18091 "of bob"
	no answer alice 18091 "of bob"
	no answer bob 18090 "of alice"
	run --separate-stderr ces bob run -q -p 18090:8080 $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"port 18090 of this machine is in use"* && $stderr != *alice* ]]
}

@test "one user's runs do not use up another's places" {
	for i in 1 2 3; do start alice true; done
	run --separate-stderr ces alice run -q $open/tools:1 true
	[ "$status" -eq 125 ]
	[ "$(ces bob run -q $open/tools:1 echo fine)" = fine ]
	[ "$(ces carol run -q --project nsh-2024-0001 $open/tools:1 echo fine)" = fine ]
}

@test "when several users start many runs at once, each has its own answer, and files of its own" {
	local pids=()
	for u in alice bob carol; do
		for i in 1 2 3; do
			ces $u run -q --project ${project[$u]} $open/tools:1 sh -c "echo $u > /safe_outputs/who; echo $u $i" > $lab/answer.$u.$i 2>&1 3>&- &
			pids+=($!)
		done
	done
	for p in "${pids[@]}"; do wait "$p"; done
	for u in alice bob carol; do
		for i in 1 2 3; do [ "$(cat $lab/answer.$u.$i)" = "$u $i" ]; done
		[ "$(cat /home/$u/outputs_*/who | sort | uniq -c | tr -s ' ')" = " 3 $u" ]
		[ -z "$(find /home/$u/outputs_* ! -user $u)" ]
	done
	nothing_left_behind
}

@test "a machine with users, groups and a CES of the lab's names and numbers makes room for the lab, and for nothing else" {
	etc=$BATS_TEST_TMPDIR
	mkdir "$etc/ces" "$etc/cdi"
	printf '%s\n' root:x:0:0::/root:/bin/sh alice:x:5000:5000::/home/alice:/bin/sh zoe:x:4402:5001::/home/zoe:/bin/sh \
		malice:x:5002:5002::/home/malice:/bin/sh ces-fetch:x:5003:5003::/home/ces-fetch:/bin/sh ces:x:5004:5004::/home/ces:/bin/sh > "$etc/passwd"
	printf '%s:!:1::::::\n' root alice zoe malice ces-fetch ces > "$etc/shadow"
	printf '%s\n' root:x:0: alice:x:5000: nsh-2024-0001:x:700:malice other:x:4411: ces-unpack:x:5005:ces,ces-fetch sudo:x:27:alice,malice,zoe users:x:100:zoe \
		plugdev:x:46:malice,zoe,alice > "$etc/group"
	(lab_forget "$etc")
	[ "$(cut -d: -f1 "$etc/passwd" | paste -sd' ')" = "root malice ces" ]
	[ "$(cut -d: -f1 "$etc/shadow" | paste -sd' ')" = "root malice ces" ]
	[ "$(paste -sd' ' "$etc/group")" = "root:x:0: sudo:x:27:malice users:x:100: plugdev:x:46:malice" ]
	[ ! -e "$etc/ces" ]
	[ ! -e "$etc/cdi" ]
}
