#!/bin/bash
# Tests CES from its package on a cluster of one node (site.sh): Debian's Slurm, with munge, systemd and cgroup v2;
# task/cgroup holds jobs to their memory and devices. `make vm-slurm`.
# shellcheck source=tests/vm/site.sh
. "$(dirname "${BASH_SOURCE[0]}")/site.sh"

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
	SlurmdSpoolDir=/var/spool/slurmd
	SlurmctldPidFile=/run/slurmctld.pid
	SlurmdPidFile=/run/slurmd.pid
	ProctrackType=proctrack/cgroup
	TaskPlugin=task/cgroup
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core_Memory
	GresTypes=gpu
	MessageTimeout=60
	NodeName=node1 CPUs=1 RealMemory=1500 Gres=gpu:2
	PartitionName=all Nodes=ALL Default=YES OverSubscribe=FORCE:8
	EOF
	printf 'CgroupPlugin=cgroup/v2\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nConstrainDevices=yes\n' > /etc/slurm/cgroup.conf
	printf 'NodeName=node1 Name=gpu File=/dev/nvidia[0-1]\n' > /etc/slurm/gres.conf
	install -d -o slurm -g slurm /var/spool/slurmctld
	systemctl start dbus.socket munge slurmctld slurmd
	eventually bash -c "sinfo --noheader --format %t | grep -x idle" || { tail -n 30 /var/log/slurm/*.log; return 1; }
}

# Makes devices without a driver: an open that is allowed fails with ENXIO, one that is not with EPERM.
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

# Submits a batch job of these lines; its number is in $job, and its output in $said.
batch() # OPTION... -- LINES
{
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	rm -f /safe_data/nsh-2024-0001/go /home/ada/outputs_*/up
	job=$(printf '#!/bin/sh\n%s\n' "$2" | as_ada sbatch --parsable --output=/home/ada/job.%j "${options[@]}")
	said=/home/ada/job.$job
}

# Waits until the job's run is up: its number is in $number.
started()
{
	eventually bash -c 'ls /home/ada/outputs_*/up' || { cat "$said"; return 1; }
	number=$(ls /home/ada/outputs_*/up)
	number=${number%/up} number=${number##*_}
}

in_state() { scontrol show job "$job" | grep -w "JobState=$1"; }

job_cgroups() { find /sys/fs/cgroup -type d -name "job_$job"; }

below_its_job()
{
	batch --mem=200 -- "ces-client run -q $tools sh -c '$until_go'"
	started
	cat "/proc/$(long_pid)/cgroup"
	grep -E "slurmstepd.scope/job_$job/step_batch/user/ces/$(id -u ada)/$number(/|$)" "/proc/$(long_pid)/cgroup"
	[ "$(cat "$(job_cgroups)/memory.max")" = $((200 << 20)) ]
	ends_well
	eventually in_state COMPLETED
	eventually test -z "$(job_cgroups)"
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

# Where ces-client is the job's own process (srun, or exec in a script), the end of the job waits for the end of the
# run.
cancelled()
{
	batch --mem=200 -- "exec ces-client run -q $tools sh -c '$until_go'"
	started
	scancel "$job"
	eventually in_state CANCELLED
	eventually nothing_of_it
	eventually no pgrep -U ada
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
	eventually bash -c "! find /sys/fs/cgroup -type d -name job_$job | grep ."
	[ ! -d "/home/ada/scratch_$number" ]
	ces-policy audit list --run "$number" | tail -n 1 | grep -v 'helper died'
}

# A warning before the end (sbatch --signal) reaches the program: it writes what it has and goes on.
warned()
{
	batch --mem=200 -- "exec srun ces-client run -q $tools sh -c 'trap \"echo warned\" USR1; $until_go'"
	started
	scancel --signal=USR1 "$job"
	eventually grep -x warned "$said"
	ends_well
	eventually in_state COMPLETED
}

# Slurm ends a script before the client: then it kills what is left at once.
script_cancelled()
{
	batch --mem=200 -- "ces-client run -q $tools sh -c '$until_go'; true"
	started
	scancel "$job"
	eventually in_state CANCELLED
	gone_with_its_job
}

gone_with_its_job()
{
	eventually no pgrep -U ada
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
	systemctl start ces-janitor.service
	nothing_of_it
	ces-policy audit list --run "$number"
}

# Slurm kills what a job leaves behind, CES's own process too. Only directories are left, and the janitor clears them.
detached()
{
	batch --mem=200 -- "ces-client run -d $tools sh -c '$until_go'; until [ -e outputs_*/up ]; do sleep 0.2; done"
	started
	eventually in_state COMPLETED
	gone_with_its_job
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

# Makes a job of a form of Open OnDemand's, as the dashboard does (tests/lib/ondemand.rb), in this Slurm.
from_portal() # CONTAINER-ARGUMENTS; sets job and said
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
	eventually in_state COMPLETED || { cat "$said"; return 1; }
	cat "$said"
	tail -n 1 "$said" | grep -E 'exit status 0'
	grep -x result /home/ada/outputs_*/r
	rm -r /home/ada/outputs_*
	from_portal 'sh -c "exit 7"'
	eventually in_state FAILED || { cat "$said"; return 1; }
	cat "$said"
	tail -n 1 "$said" | grep -E 'exit status 7'
	scontrol show job "$job" | grep -w 'ExitCode=7:0'
}

# The plugin: srun and sbatch have the option --ces-image.
plugin()
{
	install -D -m 755 build/ces_spank.so /usr/libexec/ces/ces_spank.so
	echo 'required /usr/libexec/ces/ces_spank.so' > /etc/slurm/plugstack.conf
	systemctl restart slurmd
	eventually bash -c "sinfo --noheader --format %t | grep -x idle"
	srun --help | grep -e --ces-image
	# (a task has no token: the site's registry asks for none)
	jq '.registries["ghcr.io"].credentials = "none"' /etc/ces/policy.json > /tmp/policy.json
	cp /tmp/policy.json /etc/ces/policy.json
}

# srun with the option, as ada; output in /tmp/out and /tmp/err, status in $status.
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

# The layers are fetched once for all tasks of a step, and not again for the next. (Each pull reads the small documents.)
pulled_once()
{
	as_ada ces-client rmi -q $tools
	ces-client clean
	local before
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

# A script's steps take its option over; the script itself runs on the node.
batch_with_option()
{
	batch --ces-image=$tools --mem=200 -- "echo \"script \$(command -v ces-client || echo inside)\"; srun sh -c 'echo step \$(command -v ces-client || echo inside)'; srun sh -c 'exit 3'"
	eventually in_state FAILED || { cat "$said"; return 1; }
	cat "$said"
	grep -x 'script .*/ces-client' "$said"
	grep -x 'step inside' "$said"
	scontrol show job "$job" | grep -w 'ExitCode=3:0'
}

step_cancelled()
{
	batch --ces-image=$tools --mem=200 -- "exec srun sh -c '$until_go'"
	started
	scancel "$job"
	eventually in_state CANCELLED
	eventually nothing_of_it
	eventually no pgrep -U ada
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
}

# Six jobs, three at once.
job_array()
{
	rm -f /home/ada/array.*
	job=$(printf '#!/bin/sh\nsrun sh -c "echo task \\$SLURM_ARRAY_TASK_ID; exit \\$((\\$SLURM_ARRAY_TASK_ID %% 2))"\n' |
		as_ada sbatch --parsable --array=0-5%3 --ces-image=$tools --mem=100 --output=/home/ada/array.%a)
	eventually bash -c "! squeue --noheader | grep ." || eventually bash -c "! squeue --noheader | grep ." || eventually bash -c "! squeue --noheader | grep ."
	cat /home/ada/array.*
	for n in $(seq 0 5); do grep -x "task $n" "/home/ada/array.$n"; done
	[ -z "$(find /home/ada -name 'scratch_*')" ]
	no pgrep -x 'ces-helper|ces-admit|ces-session|crun'
}

# A wrong word gets a line that says what to type, before there is a job.
wrong_options()
{
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
echo 1..18
check "from nothing to a first run, by the lines of ces(7)" first_run
check "a cluster of one node" cluster
check "a run in a batch job is in a cgroup below the job's, and the job ends with it" below_its_job
check "a run as a job's step: its output and its status are the step's" step
check "a run in a job has the memory of the job and no more, and the message says so" memory
check "scancel ends a run whole, and nothing of it or of the job is left" cancelled
check "a warning that the job asked for reaches the program, and ends nothing" warned
check "scancel of a script that dies first: no process is left, and the janitor clears the rest" script_cancelled
check "a detached run ends with the job that started it" detached
check "a run gets the GPUs that the job may open and no others" devices
check "a form of Open OnDemand becomes a job, which ends as its program does" portal
check "with the plugin srun has an option for an image" plugin
check "each task of a step runs in a container: ranks, status, stdin, settings" tasks_in_containers
check "four tasks of a step fetch their image once" pulled_once
check "steps take over the option of their batch script, which runs on the node" batch_with_option
check "scancel ends a step in a container whole" step_cancelled
check "a job array runs each task in a container, and leaves no scratch" job_array
check "a wrong option is refused before there is a job, or by CES with its reason" wrong_options
finish
