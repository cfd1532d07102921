#!/usr/bin/env bats
# The place of a run's cgroup: below the caller's batch job, whose limits and devices then apply to the run; in the cgroup
# that systemd delegated to CES; or in one of CES's own. Also the total for all runs of one user. The jobs are fakes: cgroups
# with the names that Slurm makes, with a shell in each. On cgroup v1, hybrid and v2.

load ../lib/e2e.bash

groups=/sys/fs/cgroup
v2=$groups # v2 alone
[ "$(stat -fc %T $groups)" = cgroup2fs ] || v2=$groups/unified
has_v1() { [ $v2 != $groups ]; }

# Prints the directory of the hierarchy that has the controller.
hierarchy() # CONTROLLER
{
	if has_v1 && [ -d $groups/"$1" ]; then echo $groups/"$1"; else echo $v2; fi
}

setup_file()
{
	lab_policy '.defaults.limits += {memory: "128M", pids: 48, cpus: 1} | .defaults.limits.runs = 8'
	have alice tools
	pull carol $open/tools:1 -q
	install -m 755 "${B:-build}/tests/hog_driver" /safe_data/nsh-2024-0001/hog
}
teardown_file() { rm -f /safe_data/nsh-2024-0001/hog; lab_policy; }
setup() { remember; made=(); }
teardown()
{
	local d
	[ -z "${clients[*]:-}" ] || kill -KILL "${clients[@]}" 2> /dev/null || true
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun|runc'
	for ((d = ${#made[@]} - 1; d >= 0; d--)); do
		find "${made[d]}" -depth -type d -exec rmdir {} + 2> /dev/null || true
	done
	rm -rf /home/*/outputs_*
	lab_policy '.defaults.limits += {memory: "128M", pids: 48, cpus: 1} | .defaults.limits.runs = 8'
}

# Makes a cgroup, with its parents. The end of the test removes the new ones.
make() # DIRECTORY
{
	local up=$1
	while [ ! -d "$(dirname "$up")" ]; do up=$(dirname "$up"); done
	[ -d "$1" ] || made+=("$up")
	mkdir -p "$1"
}

# On v2 every level must pass a controller on.
pass_on() # DIRECTORY: to its children, and all above to theirs
{
	local at=$v2 part
	for part in '' $(tr / ' ' <<< "${1#"$v2"}"); do
		at=$at/$part
		echo '+memory +pids +cpu' > "$at/cgroup.subtree_control"
	done
}

# Makes a job as Slurm does, with 64 MiB and all devices except one. Sets $job to its cgroup in the hierarchy of memory, and
# $places to the cgroup of a process of the job in each hierarchy.
slurm()
{
	local h
	places=()
	if has_v1; then
		for h in memory cpu cpuacct pids devices; do
			[ -d $groups/$h ] || continue
			make $groups/$h/slurm/uid_4401/job_77/step_0
			places+=("$groups/$h/slurm/uid_4401/job_77/step_0")
		done
		job=$groups/memory/slurm/uid_4401/job_77
		echo 64M > $job/memory.limit_in_bytes
	else
		make $v2/system.slice/slurmstepd.scope/job_77/step_0/user/task_0
		job=$v2/system.slice/slurmstepd.scope/job_77
		pass_on $job/step_0/user
		places=("$job/step_0/user/task_0")
		echo 64M > $job/memory.max
		echo 0 > $job/memory.swap.max
	fi
}

# Runs COMMAND as the user, in the cgroups of $places.
in_places() # USER COMMAND...
{
	local user=$1
	shift
	(
		for p in "${places[@]}"; do echo $BASHPID > "$p/cgroup.procs"; done
		as "$user" "$@"
	)
}

run_numbers() { find /run/ces -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n'; }

# Prints the cgroups of the only live run, one a line.
where()
{
	find $groups -path "*/ces/*/$(run_numbers)" -type d | grep -v '^/sys/fs/cgroup/[a-z]*,' | sed "s:/$(run_numbers)$::" | sort
}

clients=()
# Starts a run in the background, in the cgroups of $places (none: those of the test). The run makes a file when it is up,
# and stays. With $command it starts that instead.
hold() # N USER [OPTION...]
{
	local n=$1 user=$2
	shift 2
	rm -f $lab/up.$n $lab/err.$n
	(
		for p in "${places[@]}"; do echo $BASHPID > "$p/cgroup.procs"; done
		exec setpriv --reuid=$user --regid=$user --init-groups --reset-env env -C /home/$user \
			ces-client run -q "$@" $open/tools:1 sh -c "${command:-echo up; exec sleep 600}"
	) > $lab/up.$n 2> $lab/err.$n 3>&- < /dev/null &
	clients[n]=$!
	eventually test -s $lab/up.$n
}

end() # N
{
	kill -TERM "${clients[$1]}"
	wait "${clients[$1]}" || true
	unset "clients[$1]"
}

places=()

# bats test_tags=cgroup
@test "a run is in a cgroup of CES's own, of its user and of itself, and both go with it" {
	hold 1 alice
	at=$(where)
	end 1
	echo "$at"
	[ "$(grep -c "/ces/4401$" <<< "$at")" -ge 1 ]
	no grep -v "^$groups/[a-z]*/*ces/4401$" <<< "$at"
	nothing_left_behind
	[ -z "$(find $groups -path '*/ces/4401*')" ]
}

# bats test_tags=cgroup
@test "in a Slurm job a run is below the job, in every hierarchy that is the job's" {
	slurm
	hold 1 alice
	at=$(where)
	end 1
	echo "$at"
	if has_v1; then
		for h in memory cpu pids; do
			[ ! -d $groups/$h ] || grep -qx "$groups/$h/slurm/uid_4401/job_77/step_0/ces/4401" <<< "$at"
		done
		grep -qx "$v2/ces/4401" <<< "$at"
	else
		[ "$at" = "$job/step_0/user/ces/4401" ]
	fi
	nothing_left_behind
	[ -z "$(find $groups -path '*/ces/4401*')" ]
}

# bats test_tags=cgroup
@test "in a Slurm job the job's memory limit holds for a run, and the message names it" {
	slurm
	run --separate-stderr in_places alice ces-client run $open/tools:1 /safe_data/hog heap 100
	echo "$status $output $stderr"
	[ "$status" -eq 137 ]
	[[ $output != *"took it all"* ]]
	[[ $stderr == *"ces: killed at a memory limit of your batch job (peak of this run "*"ask for more when you submit it"* ]]
	journal_new -s -e '.[-1] | .reason == "memory limit" and .peak_memory < 67200000' > /dev/null
	nothing_left_behind
	run in_places alice ces-client run -q $open/tools:1 /safe_data/hog heap 40
	[ "$output" = "took it all" ]
}

# bats test_tags=cgroup
@test "in a Slurm job the job's cpu limit holds for a run" {
	slurm
	if has_v1; then
		echo 20000 > $groups/cpu/slurm/uid_4401/job_77/cpu.cfs_quota_us
	else
		echo '20000 100000' > $job/cpu.max
	fi
	start=${EPOCHREALTIME/./}
	in_places alice ces-client run -q --cpus 1 --time 4s $open/tools:1 sh -c 'while :; do :; done' || true
	wall=$((${EPOCHREALTIME/./} - start))
	used=$(journal_new -s '.[-1].cpu_us')
	echo "$used us of $wall us"
	[ "$used" -gt 100000 ]
	[ "$used" -lt $((wall / 5 + 300000)) ]
}

# bats test_tags=cgroup
@test "in a Slurm job the job's devices hold for a run" {
	slurm
	if has_v1 && [ -d $groups/devices ]; then
		echo 'c 1:5 rw' > $groups/devices/slurm/uid_4401/job_77/devices.deny
	else
		"${B:-build}/tests/deny_driver" $job 1 5
	fi
	run in_places alice ces-client run -q $open/tools:1 sh -c 'head -c 1 /dev/urandom | wc -c; head -c 1 /dev/zero'
	echo "$output"
	[ "$(grep -cx 1 <<< "$output")" = 1 ] # two streams, in either order
	[[ $output == */dev/zero*"not permitted"* ]]
}

# bats test_tags=cgroup
@test "in a Slurm job that has more, the run's own limits hold" {
	slurm
	run --separate-stderr in_places alice ces-client run --memory 32M $open/tools:1 /safe_data/hog heap 60
	[ "$status" -eq 137 ]
	[[ $stderr == *"ces: killed at the memory limit of 32 MiB (peak "*"; ask for more with --memory, up to 128 MiB"* ]]
}

@test "environment variables that name a Slurm job are not believed" {
	slurm
	places=()
	SLURM_JOB_ID=77 hold 1 alice -e SLURM_JOB_ID=77
	at=$(where)
	end 1
	no grep job_77 <<< "$at"
}

# bats test_tags=cgroup
@test "a cgroup that is the user's own is no Slurm job, whatever its name" {
	slurm
	chown 4401 "$job"
	hold 1 alice
	at=$(where)
	end 1
	echo "$at"
	no grep "^$job" <<< "$at"
	chown 0 "$job"
	chmod 777 "$(dirname "$job")"
	hold 2 alice
	at=$(where)
	end 2
	no grep "^$job" <<< "$at"
}

# bats test_tags=cgroup
@test "when an older Slurm gave the step to the user, the run is below the job, not the step" {
	slurm
	chown 4401 "$job/step_0"
	hold 1 alice
	at=$(where)
	end 1
	grep -x "$job/ces/4401" <<< "$at"
	no grep "^$job/step_0" <<< "$at"
	nothing_left_behind
}

# bats test_tags=cgroup
@test "when a helper was killed in a Slurm job, the next start clears its run out of the job" {
	slurm
	hold 1 alice
	kill -KILL "$(pgrep -P "${clients[1]}" -x 'ces-helper|ces-admit|ces-session')"
	wait "${clients[1]}" || true
	clients=()
	[ -n "$(find $job -path '*/ces/4401/*' -type d)" ]
	places=()
	inside -- true
	[ -z "$(find $job -name ces -type d)" ]
	nothing_left_behind
}

# bats test_tags=cgroup
@test "where systemd has delegated the cgroup of ces.service, runs are in it" {
	for h in $v2 $groups/{memory,cpu,pids}; do
		[ ! -d $h/cgroup.procs ] && [ -e $h/cgroup.procs ] || continue
		make $h/system.slice/ces.service
	done
	hold 1 alice
	at=$(where)
	end 1
	echo "$at"
	no grep -v "/system.slice/ces.service/ces/4401$" <<< "$at"
	nothing_left_behind
	[ -d $v2/system.slice/ces.service ]
	slurm
	hold 2 alice
	at=$(where)
	end 2
	echo "$at"
	grep "^$job" <<< "$at"
}

# bats test_tags=cgroup
@test "where the policy names a cgroup, runs are in it" {
	lab_policy '.host.cgroup_parent = "/research.slice/runs"'
	for h in $v2 $groups/{memory,cpu,pids}; do
		[ -e $h/cgroup.procs ] || continue
		make $h/research.slice/runs
	done
	slurm
	hold 1 alice
	at=$(where)
	end 1
	echo "$at"
	no grep -v "/research.slice/runs/ces/4401$" <<< "$at"
	nothing_left_behind
	[ -d $v2/research.slice/runs ]
}

# Limits all runs of alice's together below what one run alone may have.
total() # JSON of user_limits
{
	lab_policy ".defaults.limits += {memory: \"128M\", pids: 80, cpus: 1, shm: \"256M\"} | .defaults.limits.runs = 8 | .host.user_limits = $1"
}

# bats test_tags=cgroup
@test "all runs of a user together stay within their total of memory, and the message names it" {
	total '{memory: "150M"}'
	command='dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2> /dev/null; echo up; exec sleep 600' hold 1 alice
	run --separate-stderr ces alice run $open/tools:1 /safe_data/hog heap 100
	echo "$status $stderr"
	[ "$status" -eq 137 ]
	[[ $stderr == *"ces: killed at the memory limit of 150 MiB for all your runs together (peak of this one "*"end another, or ask for less with --memory"* ]]
	kill -0 "${clients[1]}"
	end 1
	run ces alice run -q $open/tools:1 /safe_data/hog heap 100
	[ "$output" = "took it all" ]
	nothing_left_behind
}

# bats test_tags=cgroup
@test "all runs of a user together stay within their total of processes, and the message names it" {
	# (the rest is enough for runc, which starts some twenty threads)
	total '{pids: 100}'
	command='for i in $(seq 55); do sleep 600 & done; echo up; wait' hold 1 alice
	run --separate-stderr ces alice run $open/tools:1 sh -c 'for i in $(seq 58); do sleep 20 & done; wait'
	echo "$status $stderr"
	[ "$status" -ne 0 ]
	[[ $stderr == *"ces: the limit of 100 processes for all your runs together was reached"* ]]
	end 1
	nothing_left_behind
}

# bats test_tags=cgroup
@test "all runs of a user together stay within their total of cpus" {
	total '{cpus: 0.3}'
	start=${EPOCHREALTIME/./}
	for i in 1 2; do
		ces alice run -q --time 4s $open/tools:1 sh -c 'while :; do :; done' 3>&- &
		clients[i]=$!
	done
	wait "${clients[@]}" || true
	clients=()
	wall=$((${EPOCHREALTIME/./} - start))
	used=$(journal_new -s 'map(.cpu_us // 0) | add')
	echo "$used us of $wall us"
	[ "$used" -gt 200000 ]
	[ "$used" -lt $((wall * 3 / 10 + 400000)) ]
}

@test "another user has a total of their own" {
	total '{memory: "120M"}'
	command='dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2> /dev/null; echo up; exec sleep 600' hold 1 alice
	run ces carol run -q --project nsh-2024-0001 $open/tools:1 /safe_data/hog heap 100
	[ "$output" = "took it all" ]
	end 1
}

@test "a total that the policy no longer has is lifted, though a run that began under it lives" {
	total '{memory: "150M"}'
	command='dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2> /dev/null; echo up; exec sleep 600' hold 1 alice
	total '{}'
	run ces alice run -q $open/tools:1 /safe_data/hog heap 100
	[ "$output" = "took it all" ]
	end 1
}

@test "a wish above the total is refused, and without a wish a run gets no more" {
	total '{memory: "100M", cpus: 0.5}'
	run --separate-stderr ces alice run --memory 128M $open/tools:1 true
	refused "memory: 128 MiB is more than the 100 MiB that is allowed.*host.user_limits.memory"
	run --separate-stderr ces alice run $open/tools:1 /safe_data/hog heap 120
	[ "$status" -eq 137 ]
	[[ $stderr == *"memory limit of 100 MiB "* ]]
	run ces alice explain run $open/tools:1
	[[ $output == *"limits: 0.5 cpus, 100 MiB memory"*"all your runs together: 100 MiB memory"* ]]
}

@test "the number of a user's runs in all projects together is limited" {
	total '{runs: 2}'
	hold 1 carol --project nsh-2024-0001
	hold 2 carol --project nsh-2024-0002
	run --separate-stderr ces carol run --project nsh-2024-0001 $open/tools:1 true
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"you have 2 runs already, and may have 2 at once"* ]]
	run ces alice run -q $open/tools:1 echo fine
	[ "$output" = fine ]
	end 1
	run ces carol run -q --project nsh-2024-0001 $open/tools:1 echo fine
	[ "$output" = fine ]
	end 2
	nothing_left_behind
}

# bats test_tags=cgroup
@test "a host whose cgroup cannot limit a run refuses it" {
	[ $v2 = $groups ] || return 0 # a rule of v2: a cgroup with processes in it has no controllers for children
	make $v2/full
	lab_policy '.host.cgroup_parent = "/full"'
	sleep 600 3>&- &
	clients[9]=$!
	echo $! > $v2/full/cgroup.procs
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	echo "$stderr"
	[[ $stderr == *"limit of the cgroup"* ]]
	kill "${clients[9]}"
}
