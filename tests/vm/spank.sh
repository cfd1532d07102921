# Checks of Slurm's plugin with many tasks, jobs that start again, and a node that fails; slurm.sh sources this.
# shellcheck shell=bash disable=SC2154 # (tools and others are of slurm.sh)
journal=/var/log/ces/audit.jsonl

# The number of records now, and the records that came AFTER so many.
records() { wc -l < $journal; }
records_after() { tail -n +$(($1 + 1)) $journal | jq -s -e "${@:2}"; } # AFTER JQ-ARGUMENT...

# Fails unless each run has one decision and one end.
each_run_ended_once() # AFTER
{
	records_after "$1" '[.[] | select(.event == "decision" and .verb == "run" and .outcome == "allowed").run] as $began |
		[.[] | select(.event == "end" and .verb != "pull").run] as $ended |
		($began | length) > 0 and ($began | sort | unique) == ($ended | sort) and ($began | unique | length) == ($began | length)'
}

# Whether no run has left a process, a cgroup, an entry in the register, scratch or a mount, and no job a process. (Slurm may
# leave an empty cgroup of a job that was killed.)
nothing_left()
{
	! pgrep -U ada && ! pgrep 'ces-helper|ces-admit|ces-session|crun' && ! squeue --noheader | grep . &&
		! find /run/ces -maxdepth 1 -regextype egrep -regex '.*/[0-9]{10}' | grep . &&
		! find /home/ada -maxdepth 1 -name 'scratch_*' | grep . &&
		! find /sys/fs/cgroup -type d -regextype egrep -regex '.*/[0-9]{10}' | grep . &&
		! find /sys/fs/cgroup -path '*/job_*' -name cgroup.events -exec grep -l 'populated 1' {} + | grep . &&
		! grep -E ' /run/ces/| /home/ada/' /proc/self/mounts
}

without_the_image()
{
	as_ada ces-client rmi -q $tools
	ces-client clean
	rm -rf /home/ada/outputs_*
}

ten_runs_at_once()
{
	jq '.defaults.limits.runs = 10' /etc/ces/policy.json > /tmp/policy.json
	cp /tmp/policy.json /etc/ces/policy.json
}

tasks_up() { [ "$(find /home/ada -path '*/outputs_*/up' | wc -l)" = "$1" ]; }

# The third of four tasks fails.
four_tasks()
{
	local before runs cgroup
	ten_runs_at_once
	without_the_image
	before=$(records)
	batch --ces-image=$tools --mem=400 -- \
		"exec srun --ntasks=4 --overcommit sh -c '$until_go; echo cpus \$(nproc); exit \$((SLURM_PROCID == 2 ? 5 : 0))'"
	patience=180 eventually tasks_up 4 || { cat "$said"; scancel "$job"; return 1; }
	runs=$(find "$(job_cgroups "$job")/step_0" -type d -regextype egrep -regex ".*/ces/$(id -u ada)/[0-9]{10}")
	echo "$runs"
	[ "$(wc -l <<< "$runs")" = 4 ]
	for cgroup in $runs; do [ -n "$(find "$cgroup" -name cgroup.procs -exec cat {} + 2> /dev/null)" ]; done
	[ "$(cat "$(job_cgroups "$job")/memory.max")" = $((400 << 20)) ]
	[ -n "$(cat "$(job_cgroups "$job")/cpuset.cpus")" ]
	touch /safe_data/nsh-2024-0001/go
	becomes "$job" FAILED "$said"
	cat "$said"
	scontrol show job "$job" | grep -w 'ExitCode=5:0'
	[ "$(grep -cx 'cpus 1' "$said")" = 4 ]
	eventually nothing_left
	each_run_ended_once "$before"
	records_after "$before" 'map(select(.event == "decision" and .verb != "inspect").verb) | sort ==
		["pull", "run", "run", "run", "run"]'
	records_after "$before" 'map(select(.event == "end" and .verb != "pull").status) | sort == [0, 0, 0, 5]'
}

jobs_ended() { wc -l < /var/log/slurm/jobcomp.log; }

one_more() { [ "$(jobs_ended)" -gt "$1" ] || ! squeue --noheader | grep .; }

# Waits until no job is there, as long as some job ends every five minutes: the ten that begin at once share one emulated
# processor.
all_jobs_end()
{
	local before=0 now
	while squeue --noheader | grep -q .; do
		now=$(jobs_ended)
		[ "$now" -gt "$before" ] || patience=300 eventually one_more "$before"
		before=$now
		sleep 1
	done
}

# CES_ARRAY tasks, ten at once (check.sh: fewer where the machine is emulated). The ten that begin at once pull once.
array_of_many()
{
	local before
	ten_runs_at_once
	without_the_image
	before=$(records)
	job=$(printf '#!/bin/sh\nexec srun sh -c "exit \\$((SLURM_ARRAY_TASK_ID %% 3))"\n' |
		as_ada sbatch --parsable --array="0-$((CES_ARRAY - 1))%10" --ces-image=$tools --mem=100 --output=/home/ada/many.%a)
	all_jobs_end
	grep -h '^ces: ' /home/ada/many.* | sort | uniq -c
	for ((i = 0; i < CES_ARRAY; i++)); do echo "$i $((i % 3)):0"; done > /tmp/wanted
	sed -nE "s/.* ArrayJobId=$job ArrayTaskId=([0-9]+) .* ExitCode=([0-9:]+).*/\1 \2/p" /var/log/slurm/jobcomp.log |
		sort -n > /tmp/got
	diff /tmp/wanted /tmp/got
	eventually nothing_left
	each_run_ended_once "$before"
	records_after "$before" --argjson n "$CES_ARRAY" \
		'map(select(.event == "end" and .verb != "pull").status) | sort == ([range($n) % 3] | sort)'
	records_after "$before" 'map(select(.event == "decision" and .verb == "pull")) | length == 1'
	rm -f /home/ada/many.*
}

# Four of the first eight tasks have ended, and five of the others run.
array_cancelled()
{
	local before
	ten_runs_at_once
	rm -rf /home/ada/outputs_*
	before=$(records)
	job=$(printf '#!/bin/sh\nexec srun sh -c "[ \\$SLURM_ARRAY_TASK_ID -lt 4 ] || { echo up > /safe_outputs/up; sleep 3000; }"\n' |
		as_ada sbatch --parsable --array=0-29%5 --ces-image=$tools --mem=100 --output=/dev/null)
	patience=180 eventually tasks_up 5 || { scancel "$job"; return 1; }
	scancel "$job"
	eventually nothing_left
	each_run_ended_once "$before"
	records_after "$before" 'map(select(.event == "end")) | length >= 9 and all(.reason != "helper died")'
}

# Submits a job that waits when it begins for the first time, and ends well when it begins again.
begins_twice()
{
	rm -rf /home/ada/outputs_*
	batch --requeue --ces-image=$tools --mem=200 -- "exec srun sh -c 'echo try \$SLURM_RESTART_COUNT
		[ -n \"\$SLURM_RESTART_COUNT\" ] || { $until_go; }; echo result > /safe_outputs/result'"
}

# Waits until the job ends well at its second start. (Slurm alone would wait for two minutes.)
begins_again() # AFTER FIRST-RUN
{
	local before=$1 number=$2
	eventually in_state "$job" PENDING
	eventually nothing_of_it "$number"
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
	scontrol update "jobid=$job" StartTime=now
	becomes "$job" COMPLETED "$said"
	cat "$said"
	grep -x 'try 1' "$said"
	[ "$(cat /home/ada/outputs_*/result)" = result ]
	[ ! -e "/home/ada/outputs_$number/end" ]
	eventually nothing_left
	each_run_ended_once "$before"
	records_after "$before" 'map(select(.event == "end")) | length == 2 and all(.reason != "helper died") and .[1].status == 0'
}

requeued()
{
	local before number
	before=$(records)
	begins_twice
	number=$(started "$said")
	scontrol requeue "$job"
	begins_again "$before" "$number"
}

slurmstepd_killed()
{
	local before number
	before=$(records)
	begins_twice
	number=$(started "$said")
	pkill -KILL -f "slurmstepd: \[$job\.0\]"
	eventually nothing_of_it "$number"
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
	scancel "$job" # (srun waits for a step that Slurm does not know to be over)
	eventually nothing_left
	each_run_ended_once "$before"
	records_after "$before" 'map(select(.event == "end")) | length == 1 and all(.reason != "helper died")'
}

# All that Slurm has on the node is killed at once.
node_failed()
{
	local before number
	before=$(records)
	begins_twice
	number=$(started "$said")
	pkill -KILL -x 'slurmd|slurmstepd' # (and not slurmdbd)
	eventually nothing_of_it "$number"
	scontrol update nodename=node1 state=down reason=crash
	systemctl restart slurmd
	scontrol update nodename=node1 state=resume
	begins_again "$before" "$number"
}

# What a task is given by a variable in place of an option is no more than the user could have typed.
imitated_options()
{
	local option wrong status
	option=_SLURM_SPANK_OPTION_ces_ces_image
	as_ada env $option=$tools srun --mem=200 sh -c 'command -v ces-client || echo inside' > /tmp/out
	[ "$(cat /tmp/out)" = inside ]
	for wrong in "$(printf 'a\nb')" "a 'b' \"c\"" --help "$(head -c 100000 /dev/zero | tr '\0' a)"; do
		as_ada env "$option=$wrong" srun --mem=200 touch /home/ada/ran > /tmp/out 2> /tmp/err && status=0 || status=$?
		head -c 500 /tmp/err
		[ "$status" = 125 ]
		[ ! -e /home/ada/ran ]
	done
	sinfo --noheader --format %t | grep -x idle
	eventually nothing_left
}

# Files that ces-client does not take, or takes as the user's own.
files_of_options()
{
	local wrong
	mkfifo -m 666 /home/ada/fifo
	ln -s settings /home/ada/link
	for wrong in missing / /etc/shadow; do
		in_image --ces-env-file=$wrong true
		[ "$status" = 125 ]
		grep '^ces: ' /tmp/err
	done
	setpriv --reuid=ada --regid=ada --init-groups sh -c 'echo "SETTING=by a pipe" > /home/ada/fifo' &
	in_image --ces-env-file=fifo sh -c 'echo "$SETTING"'
	grep -x 'by a pipe' /tmp/out
	in_image --ces-env-file=link sh -c 'echo "$SETTING"'
	grep -x 'two words' /tmp/out
	in_image --ces-profile=../a/b true
	[ "$status" = 125 ]
	in_image --ces-image=ghcr.io/other/x:1 --ces-image=$tools true # (the last one counts)
	[ "$status" = 0 ]
	eventually nothing_left
}

in_sacct() { sacct --noheader --parsable2 --format=JobID,State,ExitCode | grep -xF "$1"; } # LINE

sacct_knows()
{
	batch --ces-image=$tools --mem=200 -- 'srun sh -c "exit 7"; exec srun true'
	becomes "$job" COMPLETED "$said"
	eventually in_sacct "$job.0|FAILED|7:0" || { sacct; return 1; }
	eventually in_sacct "$job.1|COMPLETED|0:0"
	eventually in_sacct "$job|COMPLETED|0:0"
}

# The second node has a store, a register and a journal of its own, in a mount namespace of its slurmd's.
second_node()
{
	install -d -m 700 /srv/node2/{lib,log,run}
	systemd-run --unit=node2 --property=Delegate=yes --property=KillMode=process \
		--property="BindPaths=/srv/node2/lib:/var/lib/ces /srv/node2/log:/var/log/ces /srv/node2/run:/run/ces" slurmd -D -N node2
	eventually bash -c "sinfo --noheader --nodes=node2 --format %t | grep -x idle" || { journalctl -u node2; return 1; }
}

# Whether the records after so many are of one pull and two runs that ended well.
one_pull_and_two_runs() # LOG AFTER
{
	tail -n +$(($2 + 1)) "$1" | jq -c '[.event, .verb, .outcome, .status]'
	tail -n +$(($2 + 1)) "$1" | jq -s -e 'map(select(.event == "decision" and .outcome == "allowed").verb) | sort == ["pull", "run", "run"]'
	tail -n +$(($2 + 1)) "$1" | jq -s -e 'map(select(.event == "end" and .verb == "run").status) == [0, 0]'
}

two_nodes()
{
	local before
	mkdir -p /srv/images
	cp -r build/images/tools/. /srv/images
	jq --arg name $tools '.manifests[0].annotations["org.opencontainers.image.ref.name"] = $name' build/images/tools/index.json \
		> /srv/images/index.json
	chown -R root:root /srv/images
	chmod -R go-w,o+rX /srv/images
	kill "$(cat $lab/open.pid)"
	without_the_image
	jq '.registries["ghcr.io"] = {endpoint: "oci:/srv/images"}' /etc/ces/policy.json > /tmp/policy.json
	cp /tmp/policy.json /etc/ces/policy.json
	second_node
	before=$(records)
	as_ada srun --nodes=2 --ntasks=4 --overcommit --mem=200 --ces-image=$tools sh -c 'echo "node $SLURM_NODEID"' > /tmp/out 2> /tmp/err || true
	cat /tmp/out /tmp/err
	[ "$(sort /tmp/out | uniq -c | tr -s ' ')" = $' 2 node 0\n 2 node 1' ]
	one_pull_and_two_runs $journal "$before"
	one_pull_and_two_runs /srv/node2/log/audit.jsonl 0
	systemctl stop node2
}

plugin_removed()
{
	rpm_ -e ces-slurm
	[ -z "$(find /etc/slurm /usr -name '*ces_spank*' -o -name ces-slurm -o -path '*plugstack.conf.d/ces.conf')" ]
	srun --help > /tmp/out
	no grep -e --ces- /tmp/out
	[ "$(as_ada srun --mem=200 echo here)" = here ]
}
