#!/bin/bash
# Tests CES from its package on a cluster of one node (site.sh; `make vm-slurm`), and at the end of two. The cluster is
# Debian's Slurm with munge, its accounting in MariaDB, systemd and cgroup v2; task/cgroup confines each job to its memory
# and devices.
#
# A check that submits a job by `batch` or `from_portal` gets its number in $job and the path of its output in $said: these
# two functions set both. `in_image` sets $status. Everything else is an argument.
# shellcheck source=tests/vm/site.sh
. "$(dirname "${BASH_SOURCE[0]}")/site.sh"
# shellcheck source=tests/vm/spank.sh
. tests/vm/spank.sh

# Keeps what becomes of jobs, for sacct.
accounting()
{
	install -o slurm -m 600 /dev/stdin /etc/slurm/slurmdbd.conf <<-EOF
	AuthType=auth/munge
	DbdHost=node1
	SlurmUser=slurm
	StorageType=accounting_storage/mysql
	StorageUser=slurm
	StorageLoc=slurm
	PidFile=/run/slurmdbd.pid
	EOF
	systemctl start mariadb
	mariadb -e 'create database slurm; create user slurm@localhost identified via unix_socket; grant all on slurm.* to slurm@localhost'
	systemctl start slurmdbd
	eventually sacctmgr --noheader list cluster || { journalctl -u slurmdbd; return 1; }
	sacctmgr --immediate add cluster ces
}

cluster()
{
	hostname node1
	echo '127.0.0.1 node1' >> /etc/hosts
	mknod -m 666 /dev/nvidia0 c 195 0
	mknod -m 666 /dev/nvidia1 c 195 1
	cat > /etc/slurm/slurm.conf <<-EOF
	ClusterName=ces
	SlurmctldHost=node1
	SlurmUser=slurm
	StateSaveLocation=/var/spool/slurmctld
	SlurmdSpoolDir=/var/spool/slurmd.%n
	SlurmctldPidFile=/run/slurmctld.pid
	SlurmdPidFile=/run/slurmd.%n.pid
	ProctrackType=proctrack/cgroup
	TaskPlugin=task/cgroup
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core_Memory
	GresTypes=gpu
	JobCompType=jobcomp/filetxt
	JobCompLoc=/var/log/slurm/jobcomp.log
	AccountingStorageType=accounting_storage/slurmdbd
	AccountingStorageHost=node1
	MessageTimeout=60
	NodeName=node1 CPUs=1 RealMemory=1500 Gres=gpu:2
	NodeName=node2 NodeHostname=node1 Port=17002 CPUs=1 RealMemory=1000
	PartitionName=all Nodes=ALL Default=YES OverSubscribe=FORCE:10
	EOF
	printf 'CgroupPlugin=cgroup/v2\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nConstrainDevices=yes\nConstrainCores=yes\n' > /etc/slurm/cgroup.conf
	printf 'NodeName=node1 Name=gpu File=/dev/nvidia[0-1]\n' > /etc/slurm/gres.conf
	install -d -o slurm -g slurm /var/spool/slurmctld
	systemctl start dbus.socket munge
	accounting
	systemctl start slurmctld slurmd
	eventually bash -c "sinfo --noheader --format %t | grep -x idle" || { tail -n 30 /var/log/slurm/*.log; return 1; }
}

# Makes devices without a driver: an open that is allowed fails with ENXIO, and one that is denied fails with EPERM.
gpus()
{
	{ printf 'Character devices:\n195 nvidia\n'; tail -n +2 /proc/devices; } > /tmp/devices
	mount --bind /tmp/devices /proc/devices
	install -d -m 755 /etc/cdi
	jq -n '{cdiVersion: "0.5.0", kind: "nvidia.com/gpu", devices: [range(2) |
		{name: "\(.)", containerEdits: {deviceNodes: [{path: "/dev/nvidia\(.)"}]}}]}' > /etc/cdi/nvidia.json
	jq '.defaults.gpus.max = 2' /etc/ces/policy.json > /tmp/policy.json
	cp /tmp/policy.json /etc/ces/policy.json
}

tools=ghcr.io/epcced/tools:1

# Submits a batch job of these lines. Sets $job and $said.
batch() # OPTION... -- LINES
{
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	rm -f /safe_data/nsh-2024-0001/go /home/ada/outputs_*/up
	job=$(printf '#!/bin/sh\n%s\n' "$2" | as_ada sbatch --parsable --output=/home/ada/job.%j "${options[@]}")
	said=/home/ada/job.$job
}

# Waits until the run of the last job is up, and prints the run's number.
started() # OUTPUT-OF-THE-JOB
{
	local up
	eventually bash -c 'ls /home/ada/outputs_*/up' >&2 || { cat "$1" >&2; return 1; }
	up=$(ls /home/ada/outputs_*/up)
	up=${up%/up}
	echo "${up##*_}"
}

in_state() { scontrol show job "$1" | grep -w "JobState=$2"; } # JOB STATE

job_cgroups() { find /sys/fs/cgroup -type d -name "job_$1"; } # JOB

# Waits until the job is in STATE; if it never is, prints the job's output.
becomes() # JOB STATE OUTPUT-OF-THE-JOB
{
	eventually in_state "$1" "$2" || { cat "$3"; return 1; }
}

nothing_of_ada_runs() # and no program of CES's
{
	eventually no pgrep -U ada
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
}

below_its_job()
{
	local number
	batch --mem=200 -- "ces-client run -q $tools sh -c '$until_go'"
	number=$(started "$said")
	cat "/proc/$(long_pid)/cgroup"
	grep -E "slurmstepd.scope/job_$job/step_batch/user/ces/$(id -u ada)/$number(/|$)" "/proc/$(long_pid)/cgroup"
	[ "$(cat "$(job_cgroups "$job")/memory.max")" = $((200 << 20)) ]
	ends_well "$number"
	eventually in_state "$job" COMPLETED
	eventually test -z "$(job_cgroups "$job")"
}

step()
{
	as_ada srun --mem=200 ces-client run -q $tools cat /proc/self/cgroup > /tmp/said
	cat /tmp/said
	as_ada srun --mem=200 ces-client run -q $tools sh -c 'echo out; echo err >&2; exit 7' > /tmp/out 2> /tmp/err && status=0 || status=$?
	cat /tmp/out /tmp/err
	[ "$status" = 7 ]
	[ "$(cat /tmp/out)" = out ]
	grep -x err /tmp/err
}

memory()
{
	install -m 755 build/tests/hog_driver /safe_data/nsh-2024-0001/hog
	batch --mem=100 -- "ces-client run $tools /safe_data/hog heap 300; echo status \$?"
	eventually grep -q status "$said"
	cat "$said"
	grep 'killed at a memory limit of your batch job' "$said"
	grep -x 'status 137' "$said"
	tail -n 1 /var/log/ces/audit.jsonl | jq -e '.reason == "memory limit" and .peak_memory < 105000000'
	batch --mem=400 -- "ces-client run -q $tools /safe_data/hog heap 300; echo status \$?"
	eventually grep -q status "$said"
	cat "$said"
	grep -x 'took it all' "$said"
}

# If ces-client is the job's own process (srun, or exec in a script), the end of the job waits for the end of the run.
cancelled()
{
	local number
	batch --mem=200 -- "exec ces-client run -q $tools sh -c '$until_go'"
	number=$(started "$said")
	scancel "$job"
	eventually in_state "$job" CANCELLED
	eventually nothing_of_it "$number"
	nothing_of_ada_runs
	eventually bash -c "! find /sys/fs/cgroup -type d -name job_$job | grep ."
	[ ! -d "/home/ada/scratch_$number" ]
	ces-policy audit list --run "$number" | tail -n 1 | grep -v 'helper died'
}

# A warning before the end (sbatch --signal) reaches the program, which writes its results and goes on.
warned()
{
	local number
	batch --mem=200 -- "exec srun ces-client run -q $tools sh -c 'trap \"echo warned\" USR1; $until_go'"
	number=$(started "$said")
	scancel --signal=USR1 "$job"
	eventually grep -x warned "$said"
	ends_well "$number"
	eventually in_state "$job" COMPLETED
}

# Slurm ends a script before the client. Then it kills at once what is left.
script_cancelled()
{
	local number
	batch --mem=200 -- "ces-client run -q $tools sh -c '$until_go'; true"
	number=$(started "$said")
	scancel "$job"
	eventually in_state "$job" CANCELLED
	gone_with_its_job "$number"
}

gone_with_its_job() # NUMBER
{
	nothing_of_ada_runs
	systemctl start ces-janitor.service
	nothing_of_it "$1"
	ces-policy audit list --run "$1"
}

# Slurm kills every process that a job leaves behind, also CES's own. Only directories are left, which the janitor removes.
detached()
{
	local number
	batch --mem=200 -- "ces-client run -d $tools sh -c '$until_go'; until [ -e outputs_*/up ]; do sleep 0.2; done"
	number=$(started "$said")
	eventually in_state "$job" COMPLETED
	gone_with_its_job "$number"
}

# Lists the devices that a run in a job gets, and those that it does not.
devices()
{
	gpus
	batch --gres=gpu:1 --mem=200 -- "env | grep CUDA; ces-client run -q --gpu $tools sh -c 'echo gets \$NVIDIA_VISIBLE_DEVICES; ls /dev'
		CUDA_VISIBLE_DEVICES=0,1 ces-client run -q --gpu=1 $tools true; echo status \$?
		CUDA_VISIBLE_DEVICES=0,1 ces-client run -q --gpu=2 $tools true; echo end \$?"
	eventually grep -q '^end' "$said"
	cat "$said"
	grep -x 'gets 0' "$said"
	grep -x 'end 125' "$said"
	no grep nvidia1 "$said"
	batch --mem=200 -- "ces-client run -q --gpu $tools true; echo end \$?"
	eventually grep -q '^end' "$said"
	cat "$said"
	grep -x 'end 125' "$said"
	batch --gres=gpu:2 --mem=200 -- "ces-client run -q --gpu=2 $tools sh -c 'echo gets \$NVIDIA_VISIBLE_DEVICES'; echo end \$?"
	eventually grep -q '^end' "$said"
	cat "$said"
	grep -x 'gets 0,1' "$said"
	umount /proc/devices
}

# Submits to this Slurm the job of a form of Open OnDemand, as the dashboard does (tests/lib/ondemand.rb). Sets $job and
# $said.
from_portal() # CONTAINER-ARGUMENTS
{
	local dir options values
	dir=/home/ada/ondemand/data/sys/dashboard/batch_connect/sys/batch_container_app/output/$RANDOM
	values=$(jq -n --arg image $tools --arg arguments "$1" --arg token "$(cat /home/ada/token)" '{image: $image,
		registry_user: "ada", registry_token: $token, container_arguments: $arguments, cores: "1", memory: "1"}')
	as_ada /usr/bin/ruby "$CES_TOP/tests/lib/ondemand.rb" stage batch_container_app "$dir" <<< "$values"
	mapfile -t options < <(as_ada /usr/bin/ruby "$CES_TOP/tests/lib/ondemand.rb" submit batch_container_app "$dir" <<< "$values" |
		jq -r '.script | .native[], "--job-name=" + .job_name, "--time=" + (.wall_time / 60 | tostring)')
	said=$dir/output.log
	job=$(as_ada sbatch --parsable --output="$said" "${options[@]}" "$CES_TOP/tests/lib/batch_connect.sh" "$dir")
}

portal()
{
	rpm_ -i "$(find build/vm-rpm -name 'ces-ondemand-*.rpm' -not -name '*.next.*')"
	sed -i 's/^clusters: .*/clusters: [node1]/' /etc/ces/ondemand.yml
	from_portal 'sh -c "echo result > /safe_outputs/r"'
	becomes "$job" COMPLETED "$said"
	cat "$said"
	tail -n 1 "$said" | grep -E 'exit status 0'
	grep -x result /home/ada/outputs_*/r
	rm -r /home/ada/outputs_*
	from_portal 'sh -c "exit 7"'
	becomes "$job" FAILED "$said"
	cat "$said"
	tail -n 1 "$said" | grep -E 'exit status 7'
	scontrol show job "$job" | grep -w 'ExitCode=7:0'
}

# Installs the package ces-slurm: srun and sbatch then have the option --ces-image. (Debian's plugstack.conf includes the
# package's line.)
plugin()
{
	rpm_ -i "$(find build/vm-rpm -name 'ces-slurm-*.rpm' -not -name '*.next.*')"
	systemctl restart slurmd
	eventually bash -c "sinfo --noheader --format %t | grep -x idle"
	srun --help | grep -e --ces-image
	# (a task has no token: the site's registry asks for none)
	jq '.registries["ghcr.io"].credentials = "none"' /etc/ces/policy.json > /tmp/policy.json
	cp /tmp/policy.json /etc/ces/policy.json
}

# Runs srun with the option, as ada. Its output is in /tmp/out and /tmp/err. Sets $status.
in_image() # WORD...
{
	as_ada srun --mem=200 --ces-image=$tools "$@" > /tmp/out 2> /tmp/err < /dev/null && status=0 || status=$?
	echo "status $status"
	cat /tmp/out /tmp/err
}

tasks_in_containers()
{
	in_image sh -c 'echo "rank $SLURM_PROCID of $SLURM_NTASKS"; ls /safe_data; exit 7'
	[ "$status" = 7 ]
	grep -x 'rank 0 of 1' /tmp/out
	in_image --ntasks=2 --overcommit sh -c 'echo "rank $SLURM_PROCID of $SLURM_NTASKS"'
	[ "$status" = 0 ]
	[ "$(sort /tmp/out)" = $'rank 0 of 2\nrank 1 of 2' ]
	as_ada srun --mem=200 --ces-image=$tools sh -c 'cat; echo end' <<< input > /tmp/out
	[ "$(cat /tmp/out)" = $'input\nend' ]
	echo 'SETTING=two words' > /home/ada/settings
	in_image --ces-env-file=settings sh -c 'echo "$SETTING"'
	grep -x 'two words' /tmp/out
}

# All tasks of a step fetch the layers once, and the next step does not fetch them again. (Each pull reads the small
# documents.)
pulled_once()
{
	local before after
	as_ada ces-client rmi -q $tools
	ces-client clean
	before=$(blobs)
	in_image --ntasks=4 --overcommit true
	[ "$status" = 0 ]
	after=$(blobs)
	as_ada ces-client rmi -q $tools
	ces-client clean
	as_ada ces-client pull -q $tools
	[ $((after - before)) = $(($(blobs) - after)) ]
	after=$(blobs)
	in_image --ntasks=4 --overcommit true
	[ "$(blobs)" = "$after" ]
}

blobs() { awk '/GET \/v2\/.*\/blobs\// && $10 > 100000 { n++ } END { print n + 0 }' $lab/open.log; }

# The steps of a script inherit its option, while the script itself runs on the node.
batch_with_option()
{
	batch --ces-image=$tools --mem=200 -- "echo \"script \$(command -v ces-client || echo inside)\"; srun sh -c 'echo step \$(command -v ces-client || echo inside)'; srun sh -c 'exit 3'"
	becomes "$job" FAILED "$said"
	cat "$said"
	grep -x 'script .*/ces-client' "$said"
	grep -x 'step inside' "$said"
	scontrol show job "$job" | grep -w 'ExitCode=3:0'
}

step_cancelled()
{
	local number
	batch --ces-image=$tools --mem=200 -- "exec srun sh -c '$until_go'"
	number=$(started "$said")
	scancel "$job"
	eventually in_state "$job" CANCELLED
	eventually nothing_of_it "$number"
	nothing_of_ada_runs
}

queue_empties() { eventually bash -c "! squeue --noheader | grep ."; }

# Runs six jobs, three at once.
job_array()
{
	rm -f /home/ada/array.*
	job=$(printf '#!/bin/sh\nsrun sh -c "echo task \\$SLURM_ARRAY_TASK_ID; exit \\$((\\$SLURM_ARRAY_TASK_ID %% 2))"\n' |
		as_ada sbatch --parsable --array=0-5%3 --ces-image=$tools --mem=100 --output=/home/ada/array.%a)
	queue_empties || queue_empties || queue_empties # (three minutes)
	cat /home/ada/array.*
	for n in $(seq 0 5); do grep -x "task $n" "/home/ada/array.$n"; done
	[ -z "$(find /home/ada -name 'scratch_*')" ]
	no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
}

# A wrong option gets a line that says what to type, before there is a job.
wrong_options()
{
	local wrong
	for wrong in --ces-image= "--ces-image=$(printf 'a\nb')" "--ces-image=$(head -c 100000 /dev/zero | tr '\0' a)"; do
		no as_ada srun --mem=200 "$wrong" true > /tmp/out 2> /tmp/err
		head -c 2000 /tmp/err
		grep -e --ces-image /tmp/err
	done
	no as_ada srun --mem=200 --ces-env-file=x true 2> /tmp/err
	grep 'type --ces-image=IMAGE too' /tmp/err
	in_image --ces-env-file="a 'b' \"c\"" true
	[ "$status" = 125 ]
	as_ada srun --mem=200 --ces-image='ghcr.io/other/x:1' true 2> /tmp/err && return 1
	cat /tmp/err
	grep denied /tmp/err
}

site_registry
echo 1..29
check "from nothing to a first run, by the lines of ces(7)" first_run
check "after the start of Slurm the node is idle" cluster
check "a run in a batch job is in a cgroup below the job's, and the job ends with it" below_its_job
check "a run as a step of a job gives the step its output and its status" step
check "a run in a job has the memory of the job and no more, and the message says so" memory
check "after scancel the run has ended whole, and nothing of it or of the job is left" cancelled
check "a warning signal of the job reaches the program and ends nothing" warned
check "when scancel ends the script first, no process is left, and the janitor clears the rest" script_cancelled
check "a detached run ends with the job that started it" detached
check "a run gets the GPUs that the job may open and no others" devices
check "a form of Open OnDemand becomes a job, which ends as its program does" portal
check "with the package ces-slurm srun has an option for an image" plugin
check "each task of a step runs in a container: ranks, status, stdin, settings" tasks_in_containers
check "four tasks of a step fetch their image once" pulled_once
check "steps inherit the option of their batch script, which itself runs on the node" batch_with_option
check "after scancel a step in a container has ended whole" step_cancelled
check "a job array runs each task in a container, and leaves no scratch" job_array
check "a wrong option is refused before there is a job, or by CES with its reason" wrong_options
check "four tasks of a step pull once and run in the job's cgroup; the step has the status of the one that failed" four_tasks
check "each task of an array has its status, one decision and one end, ten at once; one task pulls" array_of_many
check "after scancel of an array half-way nothing is left" array_cancelled
check "after a requeue no run and no scratch of the first start is left, and the job ends well" requeued
check "when slurmstepd is killed, the run of its step ends whole" slurmstepd_killed
check "when a node fails, its runs end, and the job begins again" node_failed
check "the exit status of a step in a container reaches sacct" sacct_knows
check "a variable that imitates the option gives what its user could type" imitated_options
check "a step refuses the files, names and images that ces-client refuses" files_of_options
check "a step on two nodes takes its image from one directory, once a node, without a registry" two_nodes
check "without the package Slurm is as it was" plugin_removed
finish
