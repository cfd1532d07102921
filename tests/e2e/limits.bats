#!/usr/bin/env bats
# Each limit works on cgroup v1, v2 and both. A run that reaches a limit ends or gets no more, CES says so, and nothing is
# left.

load ../lib/e2e.bash

limits_policy() { lab_policy '.defaults.limits += {memory: "96M", pids: 48, shm: "256M", writable_layer: "16M"}'; }

setup_file()
{
	limits_policy
	have alice tools threads
	install -m 755 "${B:-build}/tests/hog_driver" /safe_data/nsh-2024-0001/hog
}
teardown_file() { rm -f /safe_data/nsh-2024-0001/hog; }
setup() { remember; }
teardown()
{
	rm -rf /home/*/outputs_*
	limits_policy
	[ -z "${client:-}" ] || kill -KILL "$client" 2> /dev/null || true
}

# Prints a file of the cgroup of the only live run, in the hierarchy that has it; empty if none has it. It looks for the
# run's number, because cgroups are the machine's own and another lab may be there.
setting() # FILE
{
	local found
	found=$(find /sys/fs/cgroup -path "*/$(run_number)/$1" -print -quit)
	[ -z "$found" ] || cat "$found"
}

run_number() { find /run/ces -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n'; }

# Starts a run of alice's that makes a file when it is up, and then stays. Sets $client to the pid of ces-client.
start_run() # [OPTION...] -- COMMAND...
{
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	rm -f $lab/up
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q "${options[@]}" $open/tools:1 "$@" > $lab/up 2> $lab/err 3>&- < /dev/null &
	client=$!
	eventually test -s $lab/up
}

ends()
{
	kill -TERM $client
	wait $client || true
	client=
	nothing_left_behind
}

at_the_memory_limit()
{
	echo "status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 137 ]
	[[ $output != *"took it all"* ]]
	[[ $stderr == *"ces: killed at the memory limit of 96 MiB (peak "*"MiB); no more is allowed (--memory up to 96 MiB)"* ]]
	journal_new -s -e '.[-1] | .reason == "memory limit" and .peak_memory > 60000000 and .peak_memory <= 100663296' > /dev/null
	nothing_left_behind
}

# bats test_tags=cgroup
@test "when a program takes memory, it ends at the limit" {
	run --separate-stderr ces alice run $open/tools:1 /safe_data/hog heap 400
	at_the_memory_limit
}

# bats test_tags=cgroup
@test "when a memfd takes memory, the run ends at the limit" {
	run --separate-stderr ces alice run $open/tools:1 /safe_data/hog memfd 400
	at_the_memory_limit
}

# bats test_tags=cgroup
@test "when files in /dev/shm take memory, the run ends at the limit" {
	run --separate-stderr ces alice run $open/tools:1 dd if=/dev/zero of=/dev/shm/x bs=1M count=200
	at_the_memory_limit
}

# bats test_tags=cgroup
@test "when files in a tmpfs of the user's own take memory, the run ends at the limit" {
	run --separate-stderr ces alice run --mount type=tmpfs,destination=/a,size=64M \
		--mount type=tmpfs,destination=/b,size=64M $open/tools:1 \
		sh -c 'dd if=/dev/zero of=/a/x bs=1M count=60; exec dd if=/dev/zero of=/b/x bs=1M count=60'
	at_the_memory_limit
}

# bats test_tags=cgroup
@test "a run whose helper process is killed at the memory limit says why" {
	run --separate-stderr ces alice run $open/tools:1 sh -c '/safe_data/hog heap 400; exit 3'
	echo "$stderr"
	[ "$status" -eq 3 ]
	[[ $stderr == *"ces: "*"memory limit of 96 MiB"* ]]
	journal_new -s -e '.[-1].reason == "exit"' > /dev/null
	nothing_left_behind
}

@test "a larger --memory is granted up to the policy's limit" {
	run --separate-stderr ces alice run --memory 32M $open/tools:1 /safe_data/hog heap 60
	[ "$status" -eq 137 ]
	[[ $stderr == *"limit of 32 MiB (peak "*"; ask for more with --memory, up to 96 MiB"* ]]
	run ces alice run -q --memory 96M $open/tools:1 /safe_data/hog heap 60
	[ "$output" = "took it all" ]
	nothing_left_behind
}

# bats test_tags=cgroup
@test "a fork bomb stays within the allowed processes, and the message says so" {
	# (in the background: a shell that cannot fork gives up, and must not take the run along)
	start_run --time 20s -- sh -c 'echo up; f() { f & f & wait; }; f & exec sleep 600'
	sleep 1
	most=$(setting pids.peak)
	now=$(setting pids.current)
	ends
	[ "${most:-0}" -le 48 ]
	[ "$now" -le 48 ]
	run --separate-stderr ces alice run $open/tools:1 sh -c 'for i in $(seq 60); do sleep 20 & done; wait'
	echo "$stderr"
	[ "$status" -ne 0 ]
	[[ $stderr == *"ces: "*"limit of 48 processes"* ]]
	nothing_left_behind
}

# bats test_tags=cgroup
@test "a busy loop gets the cpu time of its run and no more" {
	start=${EPOCHREALTIME/./}
	ces alice run -q --cpus 0.2 --time 4s $open/tools:1 sh -c 'while :; do :; done' || true
	wall=$((${EPOCHREALTIME/./} - start))
	used=$(journal_new -s '.[-1].cpu_us')
	echo "$used us of $wall us"
	[ "$used" -gt 100000 ]
	[ "$used" -lt $((wall / 5 + 200000)) ]
}

@test "the time limit ends a program that ignores TERM" {
	SECONDS=0
	run --separate-stderr ces alice run --time 1s $open/tools:1 sh -c 'trap "" TERM; while :; do sleep 0.1; done'
	[ "$status" -eq 137 ]
	[[ $stderr == *"ces: ended at the time limit of 1s"* ]]
	[ $SECONDS -lt 40 ]
	journal_new -s -e '.[-1].reason == "time limit"' > /dev/null
	nothing_left_behind
}

@test "when the writable layer is full, the write fails, and nothing else" {
	run inside -- sh -c 'exec 2>&1; dd if=/dev/zero of=/big bs=1M count=40; ls /etc > /dev/null && echo still here; df -m / | tail -n 1'
	echo "$output"
	[[ $output == *"No space left"*"still here"* ]]
	run inside -- sh -c 'exec 2>&1; i=0; while echo > /f$i; do i=$((i+1)); done; echo after $i'
	[[ $output == *"No space left"*"after "* ]]
	nothing_left_behind
}

@test "when /dev/shm is full, the write fails, at the size that was asked for" {
	run inside --shm-size 8M -- sh -c 'exec 2>&1; dd if=/dev/zero of=/dev/shm/x bs=1M count=40; wc -c < /dev/shm/x'
	echo "$output"
	[[ $output == *"No space left"* ]]
	[ "${lines[-1]}" -eq 8388608 ]
	nothing_left_behind
}

@test "when a program leaves a daemon behind, the daemon ends with it" {
	run inside -- sh -c 'for i in 1 2 3; do (trap "" TERM HUP INT; setsid sh -c "(sleep 600 &)" &) & done; sleep 0.2; echo done'
	[ "$output" = done ]
	eventually no pgrep -xf 'sleep 600'
	nothing_left_behind
}

@test "the time limit ends a run that prints at full speed, and its reader gets all output until then" {
	run --separate-stderr bash -c "setpriv --reuid=alice --regid=alice --init-groups --reset-env \
		ces-client run --time 2s $open/tools:1 yes | sort -u"
	[ "$output" = y ] || [ "${#lines[@]}" -le 2 ]
	[[ $stderr == *"time limit of 2s"* ]]
	nothing_left_behind
}

# bats test_tags=cgroup
@test "the limits are those of the run's own cgroup, with swap in them" {
	start_run --memory 64M --cpus 0.5 -- sh -c 'echo up; exec sleep 600'
	memory="$(setting memory.max)/$(setting memory.swap.max) $(setting memory.limit_in_bytes)/$(setting memory.memsw.limit_in_bytes)"
	cpu="$(setting cpu.max) $(setting cpu.cfs_quota_us)/$(setting cpu.cfs_period_us)"
	pids=$(setting pids.max)
	ends
	echo "$memory, $cpu, $pids"
	[[ $memory =~ ^67108864/0?\ |/67108864$|\ 67108864/$ ]]
	[[ $cpu == *"50000 100000"* || $cpu == *50000/100000* ]]
	[ "$pids" = 48 ]
}

# bats test_tags=cgroup
@test "without a wish a run has the policy's limits" {
	start_run -- sh -c 'echo up; exec sleep 600'
	memory="$(setting memory.max)$(setting memory.limit_in_bytes)"
	cpu="$(setting cpu.max) $(setting cpu.cfs_quota_us)/$(setting cpu.cfs_period_us)"
	pids=$(setting pids.max)
	ends
	[ "$memory" = 100663296 ]
	[[ $cpu == *"100000 100000"* || $cpu == *100000/100000* ]]
	[ "$pids" = 48 ]
	run inside -- sh -c 'df -m /dev/shm / | awk "{ print \$2 }"'
	[ "${lines[1]}" -eq 256 ]
	[ "${lines[2]}" -eq 16 ]
}

@test "a wish above the policy is refused with the allowed figure, and the rule" {
	for wish in '--memory 97M:memory: 97 MiB is more than the 96 MiB that is allowed .*limits.memory' \
		'--cpus 1.001:cpus: 1.001 is more than the 1 that is allowed .*limits.cpus' \
		'--time 601s:time: 10m1s is more than the 10m that is allowed .*limits.time' \
		'--shm-size 257M:shared memory: 257 MiB is more than the 256 MiB that is allowed .*limits.shm' \
		'--memory 1023T:memory: 1023 TiB is more than the 96 MiB that is allowed .*limits.memory' \
		'--mount type=tmpfs,destination=/a,size=97M:memory: 97 MiB is more than the 96 MiB that is allowed .*limits.memory' \
		'--gpu:this project may not use a GPU; leave out --gpu .*gpus.max'; do
		remember
		# shellcheck disable=SC2086 # an option and its value
		run --separate-stderr ces alice run ${wish%%:*} $open/tools:1 true
		refused "${wish#*:}"
	done
}

@test "a size that is zero, negative, too large for a number, without a unit or absurd is refused with what to type" {
	for wish in 'memory 0' 'memory 0G' 'memory -1' 'memory -1G' 'memory 512' 'memory 99999999999999999999G' 'memory 18446744073709551616' \
		'memory 16777216T' 'memory 1e3' 'memory 2Q' 'memory 1.5G' 'memory 0x10M' 'memory 1G1' 'shm-size 0M' 'shm-size 64' 'shm-size -64M' \
		'shm-size 9999999P' 'cpus 0' 'cpus 0.0' 'cpus -1' 'cpus 0.0001' 'cpus 1e9' 'cpus nan' 'cpus 99999' 'cpus 4,5' \
		'time 0' 'time 0s' 'time -5s' 'time 5' 'time 999999999999999d' 'time 1h30'; do
		# shellcheck disable=SC2086 # an option and its value
		run --separate-stderr ces alice run --$wish $open/tools:1 true
		echo "$wish: $status, $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: --${wish%% *} ${wish#* }: "*"type "* ]]
		run --separate-stderr ces alice run "--${wish/ /=}" $open/tools:1 true
		[ "$status" -eq 125 ]
	done
	run --separate-stderr ces alice run --memory '' $open/tools:1 true
	[ "$status" -eq 125 ]
	nothing_left_behind
	[ "$(journal_lines)" -eq "$before_lines" ]
}

# bats test_tags=cgroup
@test "a size too small to start in is reported as a limit" {
	run --separate-stderr ces alice run --memory 4k $open/tools:1 true
	echo "$status $stderr"
	[ "$status" -eq 137 ]
	[[ $stderr == *"ces: killed at the memory limit of 4 KiB (peak "*"ask for more with --memory, up to 96 MiB"* ]]
	nothing_left_behind
}

# bats test_tags=cgroup
@test "pages of files that a program reads count within its memory, and do not kill it" {
	truncate -s 220M $lab/disk
	mkfs.ext4 -q -F $lab/disk
	mkdir /safe_data/nsh-2024-0001/disk
	mount -o loop $lab/disk /safe_data/nsh-2024-0001/disk
	dd if=/dev/zero of=/safe_data/nsh-2024-0001/disk/big bs=1M count=160 2> /dev/null
	chmod 755 /safe_data/nsh-2024-0001/disk
	[ ! -e /sys/fs/selinux/enforce ] || chcon -R -t ces_data_t /safe_data/nsh-2024-0001/disk
	sync
	run --separate-stderr inside -- sh -c 'cat /safe_data/disk/big /safe_data/disk/big | wc -c'
	umount /safe_data/nsh-2024-0001/disk
	rmdir /safe_data/nsh-2024-0001/disk
	rm $lab/disk
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" -eq 335544320 ]
	[ -z "$stderr" ]
	journal_new -s -e '.[-1] | .reason == "exit" and .peak_memory <= 100663296' > /dev/null
	nothing_left_behind
}

@test "the runs of each user in each project are counted, and the message has the figure" {
	lab_policy '.defaults.limits.runs = 1'
	pull carol $open/tools:1 -q
	start_run -- sh -c 'echo up; exec sleep 600'
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"you have 1 run in project nsh-2024-0001 already, and may have 1 at once"*"limits.runs"* ]]
	[[ $stderr == *$'\n'"ces: type ces-client run --wait ... to wait for a place, or ces-client stop RUN to end one of yours" ]]
	[[ $stderr != *"ask your"* ]]
	for p in 1 2; do
		run ces carol run -q --project nsh-2024-000$p $open/tools:1 echo mine
		[ "$output" = mine ]
	done
	ends
	run inside -- echo free
	[ "$output" = free ]
}

# Starts N runs of alice's at once. Prints how many got a place. Those that got one wait until the others are refused.
starts() # N
{
	local i
	rm -f $lab/start.*
	for ((i = 0; i < $1; i++)); do
		(ces alice run -q $open/tools:1 sh -c 'echo up; exec sleep 600' > $lab/start.$i 2>&1 || true) 3>&- < /dev/null &
	done
	eventually all_answered "$1"
	grep -lx up $lab/start.* | wc -l
	pkill -TERM -u alice -x ces-client
	wait
}

all_answered() # N
{
	[ "$(find $lab -name 'start.*' -size +0 | wc -l)" -eq "$1" ]
}

# bats test_tags=cgroup
@test "of many starts for the last places, as many succeed as there are places, and after a crash again" {
	lab_policy '.defaults.limits.runs = 2'
	[ "$(starts 10)" -eq 2 ]
	nothing_left_behind
	for i in 1 2; do
		start_run -- sh -c 'echo up; exec sleep 600'
		pkill -KILL -x -P $client 'ces-helper|ces-admit|ces-session'
		wait $client || true
	done
	[ "$(starts 10)" -eq 2 ]
	nothing_left_behind
}

@test "OMP_NUM_THREADS is the number of cpus, unless the image or the user sets it" {
	run inside --cpus 0.5 -- sh -c 'echo $OMP_NUM_THREADS'
	[ "$output" = 1 ]
	lab_policy '.defaults.limits += {memory: "96M", pids: 48, shm: "256M", writable_layer: "16M", cpus: 6}'
	run inside --cpus 2.5 -- sh -c 'echo $OMP_NUM_THREADS'
	[ "$output" = 3 ]
	run inside -- sh -c 'echo $OMP_NUM_THREADS'
	[ "$output" = 6 ]
	run inside -e OMP_NUM_THREADS=5 -- sh -c 'echo $OMP_NUM_THREADS'
	[ "$output" = 5 ]
	from=threads run inside -- sh -c 'echo $OMP_NUM_THREADS'
	[ "$output" = 12 ]
}

# bats test_tags=cgroup
@test "a device that was not granted cannot be opened, whatever node there is" {
	start_run -- sh -c 'echo up; exec sleep 600'
	# (root, who may do everything else, enters the cgroup of the device program)
	cgroup=$(find /sys/fs/cgroup -path "*/$(run_number)/cgroup.kill" -print -quit)
	mknod /dev/shm/zero c 1 5
	run bash -c "echo \$BASHPID > ${cgroup%/*}/cgroup.procs && exec 4< /dev/zero && head -c 1 <&4 > /dev/null && echo zero
		head -c 1 /dev/kmsg; mknod /dev/shm/mem c 1 1 || echo no node"
	echo "$output"
	rm -f /dev/shm/zero
	ends
	[[ $output == zero* ]]
	[[ $output == *"kmsg"*"Operation not permitted"* ]]
	[[ $output == *"no node" ]]
}
