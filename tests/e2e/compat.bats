#!/usr/bin/env bats
# Today's commands: everything in the guides still works, or is refused with what to type instead.

load ../lib/e2e.bash
load ../lib/compat.bash

setup_file()
{
	lab_policy '.defaults.network.publish = ["8787"]'
	have alice tools entry cmd
	install -o alice -g alice -d /home/alice/work
}
setup() { remember; }
teardown() { rm -rf /home/*/outputs_* /home/alice/work/*; }

# Prints what ces-run would ask for, one item on a line.
asked() # WORD...
{
	run --separate-stderr as alice ces-run --verbose --dry-run "$@"
	echo "status $status, stderr: $stderr"
	[ "$status" -eq 0 ]
}

kubernetes='.kubernetes = {"namespace": "nsh-gpu", "data_claim": "pvc-nsh-{project}-shared", "outputs_claim": "pvc-nsh-{project}-users"}'

manifest() # WORD...; JSON of the manifest in $output
{
	lab_policy "$kubernetes | ${change:-.}"
	run --separate-stderr as alice ces-run k8s "$@"
	lab_policy '.defaults.network.publish = ["8787"]'
	echo "status $status, stderr: $stderr, stdout: $output"
}

as_json()
{
	/usr/bin/python3 -c 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'
}

@test "ces-pull USER TOKEN IMAGE pulls, warns of the token, and does not print it" {
	run --separate-stderr as alice ces-pull $registry_user $registry_token $image/tools:1
	echo "$stderr"
	[ "$status" -eq 0 ]
	[[ $stderr == *"others can read the token on your command line"* ]]
	[[ $stderr != *"$registry_token"* ]]
	run ces alice images
	[[ $output == *"$image/tools:1"* ]]
	ces alice rmi $image/tools:1
}

@test "every name and runtime word of a pull works" {
	for how in "ces-pull podman" "ces-pull apptainer" ces-pm-pull ces-app-pull; do
		run --separate-stderr as alice $how $registry_user $registry_token $image/entry:1
		echo "$how: $stderr"
		[ "$status" -eq 0 ]
	done
	run --separate-stderr as alice ces-pull k8s $registry_user $registry_token $image/entry:1
	[ "$status" -eq 0 ]
	[[ $stderr == *"the cluster pulls the image"* ]]
	ces alice rmi $image/entry:1
}

@test "a login of \"\" \"\", or anonymous, is no login" {
	for login in "'' ''" anonymous "anonymous ''" "anonymous anonymous" ""; do
		run --separate-stderr as alice sh -c "ces-pull $login $open/cmd:1"
		echo "$login: $stderr"
		[ "$status" -eq 0 ]
		[[ $stderr != *"command line"* ]]
	done
	run --separate-stderr as alice ces-pull "" "" $image/cmd:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"wants a login"* ]]
}

@test "a token typed as a word leaves the process title at once" {
	as alice ces-pull $registry_user ghp_SecretWord123 bad.tre.test/bad-manifest-stall/x:good 2> /dev/null 3>&- &
	eventually pgrep -u alice -x ces-pull
	pid=$(pgrep -u alice -x ces-pull)
	no grep -aq SecretWord /proc/"$pid"/cmdline
	no grep -aq SecretWord /proc/"$pid"/environ
	for other in $(pgrep ces-); do no grep -aq SecretWord /proc/"$other"/cmdline; done
	kill "$pid"
	wait $! || true
}

@test "a token without a user, and too many words, are refused with what to type" {
	run --separate-stderr as alice ces-pull "" token $open/cmd:1
	client_refused 'user name'
	run --separate-stderr as alice ces-pull a b c d e
	client_refused 'type ces-pull .*USER \[TOKEN\]\] IMAGE'
	run --separate-stderr as alice ces-pull
	client_refused 'type ces-pull'
}

@test "ces-run runs, under every name and runtime word" {
	for how in ces-run "ces-run podman" "ces-run apptainer" ces-pm-run ces-dk-run; do
		run --separate-stderr as alice $how $open/tools:1 id -u
		echo "$how: $output $stderr"
		[ "$status" -eq 0 ]
		case $how in
		*apptainer) [ "$output" = 4401 ] ;;
		*) [ "$output" = 0 ] ;;
		esac
	done
}

@test "ces-gpu-run asks for a GPU" {
	run --separate-stderr as alice ces-gpu-run $open/tools:1 true
	client_refused 'GPU|gpu'
}

@test "ces-run without options asks for nothing: the policy's limits hold" {
	asked $open/tools:1
	[[ $stderr != *cpus:* && $stderr != *memory:* ]]
	[[ $output == *"1 cpus, 512 MiB memory"* ]]
}

@test "every option is accepted as --x=v and as --x v" {
	asked --cores=1 --memory=1 --name=n1 $open/tools:1 || true
	for form in "--cores=0.5 --name=n1 --project=nsh-2024-0001 --time=5m" "--cores 0.5 --name n1 --project nsh-2024-0001 --time 5m" \
		"-c 0.5 -n n1 --project nsh-2024-0001 --time 5m"; do
		asked $form $open/tools:1
		[[ $stderr == *"cpus: 0.5"* && $stderr == *"name: n1"* && $stderr == *"time: 5m"* ]]
	done
	for form in "--memory=512M" "-m 512M" "--memory 256M"; do
		asked $form $open/tools:1
		[[ $stderr == *"memory: "* ]]
	done
	asked --cores all $open/tools:1
	[[ $stderr != *cpus:* ]]
}

@test "-m is in GB, and a value above the policy is denied" {
	run --separate-stderr as alice ces-run -m 4 $open/tools:1 true
	client_refused 'memory'
	[[ $stderr == *"4 GiB"* ]]
}

@test "env-file, arg-file and opt-file are read from files and from pipes" {
	file env <<< 'A="from the file"'
	file args <<< "sh -c 'echo \$A; pwd'"
	file opts <<< '-w /safe_outputs'
	run as alice ces-run -q --env-file work/env --arg-file=work/args --opt-file work/opts $open/tools:1
	echo "$output"
	[ "${lines[0]}" = "from the file" ]
	[ "${lines[1]}" = /safe_outputs ]
	run as alice bash -c "ces-run -q --env-file <(echo B=piped) --opt-file <(echo -w /scratch) --arg-file <(echo env) $open/tools:1"
	[[ $output == *B=piped* ]]
}

@test "every directive of the guides is accepted in an opt-file" {
	lab_policy '.defaults.network.publish = ["8787", "5432"] | .defaults.binds = ["~"]'
	mkdir -p /home/alice/work/pgdata /home/alice/s3
	chown alice: /home/alice/work/pgdata /home/alice/s3
	file opts <<- 'END'
	# several options on a line, and one a line
	-p 18787:8787 -it -e K=V
	-p 15432:5432
	-v ./pgdata:/var/lib/postgresql
	--mount type=bind,source=/home/alice/s3,destination=/s3
	--bind /home/alice/s3:/s4
	--mount type=tmpfs,destination=/run
	--mount type=tmpfs,destination=/var/lib/rstudio-server
	--network=none --rm --pull=never --http-proxy=false
	--name pg --cpus 0.5 --memory 128m
	END
	run --separate-stderr as alice sh -c "cd work && ces-run -v --dry-run --opt-file opts $open/tools:1"
	lab_policy '.defaults.network.publish = ["8787"]'
	rm -r /home/alice/s3
	echo "$stderr"
	[ "$status" -eq 0 ]
	for line in "port: 18787:8787" "port: 15432:5432" "directory: /home/alice/work/pgdata at /var/lib/postgresql" \
		"directory: /home/alice/s3 at /s3" "directory: /home/alice/s3 at /s4" "memory at: /run" \
		"memory at: /var/lib/rstudio-server" "setting: K" "name: pg" "cpus: 0.5" "memory: 128 MiB"; do
		[[ $stderr == *"ces: $line"* ]] || { echo "missing: $line"; false; }
	done
}

@test "the command line wins over the opt-file" {
	file opts <<< '--name fromfile --memory 64M'
	asked --opt-file work/opts --name typed $open/tools:1
	[[ $stderr == *"name: typed"* && $stderr == *"memory: 64 MiB"* ]]
}

@test "every other directive is refused by name, with its alternative" {
	while IFS='|' read -r directive word; do
		file opts <<< "$directive"
		run --separate-stderr as alice ces-run --opt-file work/opts $open/tools:1 true
		echo "$directive"
		client_refused "^ces: work/opts: .*${directive%%[ =]*}"
		[[ $stderr =~ $word ]]
	done <<- 'END'
	--privileged|leave it out
	--cap-add SYS_ADMIN|leave it out
	--cap-drop ALL|leave it out
	--security-opt seccomp=unconfined|leave it out
	--device /dev/fuse|--gpu=N
	--network=host|leave it out
	--pid=host|leave it out
	--userns=keep-id|leave it out
	--user 0|leave it out
	--tmpfs /run|--mount type=tmpfs
	--pids-limit 5|the policy sets it
	--nv|--gpu=N
	--restart always|leave it out
	--publish-all|-p HOST:CONTAINER
	-p 0.0.0.0:18787:8787|loopback only
	-p 8000-8010:8000-8010|two port numbers
	-v volume:/data|no named volumes
	--bind volume:/data|no named volumes
	-v $DATA/s3:/s3|write the full path
	--memory 4|needs a unit
	--env-host|-e NAME
	--pull=always|ces-client pull
	--rm=false|leave it out
	--opt-file other|does not work inside
	--unheard-of|lists the options
	END
}

@test "an opt-file that is too large, a directory, not text or not closed is refused" {
	head -c 10000000 /dev/zero | tr '\0' x | file big
	run --separate-stderr as alice ces-run --opt-file work/big $open/tools:1
	client_refused 'cannot read work/big: File too large'
	run --separate-stderr as alice bash -c "ces-run --opt-file <(head -c 10000000 /dev/zero | tr '\0' x) $open/tools:1"
	client_refused 'File too large'
	printf 'a\0b' | file nul
	run --separate-stderr as alice ces-run --opt-file work/nul $open/tools:1
	client_refused 'not a text file'
	file quote <<< "-e 'A=b"
	run --separate-stderr as alice ces-run --opt-file work/quote $open/tools:1
	client_refused "not closed"
	run --separate-stderr as alice ces-run --opt-file work $open/tools:1
	client_refused 'Is a directory'
	run --separate-stderr as alice ces-run --opt-file missing $open/tools:1
	client_refused 'cannot open missing: No such file'
}

@test "an impossible name of a setting is refused" {
	for bad in '=value' 'A B=c' $'A\tB=c' $'A\x01=c'; do
		file env <<< "$bad"
		run --separate-stderr as alice ces-run --env-file work/env $open/tools:1
		client_refused 'line 1: .*is not a variable'
	done
}

@test "an impossible name of a run is refused" {
	for bad in a/b .. "$(head -c 4096 /dev/zero | tr '\0' n)" '' 'a b'; do
		run --separate-stderr as alice ces-run --name "$bad" $open/tools:1
		client_refused 'name'
	done
}

@test "an option of podman's on ces-run itself is refused with where it belongs" {
	run --separate-stderr as alice ces-run -p 18787:8787 $open/tools:1
	client_refused 'opt-file'
	run --separate-stderr as alice ces-run -v /data:/data $open/tools:1
	client_refused "'/data:/data' is not an image: .*opt-file"
	run --separate-stderr as alice ces-run --privileged $open/tools:1
	client_refused 'leave it out'
	run --separate-stderr as alice ces-run --memroy 4 $open/tools:1
	client_refused 'did you mean --memory'
	run --separate-stderr as alice ces-run -q podman $open/tools:1
	client_refused 'before the options'
}

@test "--version and --help work under every name" {
	for name in ces-pull ces-run ces-pm-pull ces-pm-run ces-dk-run ces-app-pull ces-gpu-run; do
		run --separate-stderr as alice $name --version
		[ "$status" -eq 0 ]
		[[ $output == "$name "[0-9]* ]]
		run --separate-stderr as alice $name -h
		[ "$status" -eq 0 ]
		[[ $output == "Usage: $name "* ]]
	done
}

@test "--verbose prints the names of settings and never their values" {
	file env <<< 'PASSWORD=hunter2'
	run --separate-stderr as alice ces-run --debug --dry-run --env-file work/env $open/tools:1
	[ "$status" -eq 0 ]
	[[ $stderr == *"setting: PASSWORD"* ]]
	[[ $stderr == *"helper: $helper"* ]]
	[[ $stderr != *hunter2* ]]
}

@test "apptainer and singularity run --help list the options that they have" {
	for name in apptainer singularity; do
		run --separate-stderr as alice env PATH=/usr/libexec/ces/compat:/usr/bin:/bin $name run --help
		[ "$status" -eq 0 ]
		[[ $output == "Usage: $name run [OPTION...] FILE.sif [ARG...]"* && $output == *"--bind SRC"* && $output == *"--cpus N"* ]]
		[[ $output != *--cores* && $output != *k8s* ]]
	done
}

@test "apptainer's own letters never take a word that follows them, and get advice" {
	local words advice
	while IFS='|' read -r words advice; do
		# shellcheck disable=SC2086 # (the words of a command)
		run --separate-stderr as alice /usr/libexec/ces/compat/apptainer $words
		echo "$words: $stderr"
		client_refused "$advice"
	done <<- EOT
		run -e $open/tools:1 env|-e is --cleanenv .*already so: leave it out
		run --env NAME $open/tools:1 env|--env NAME=VALUE
		run -c $open/tools:1 env|-c is not for CES: already so
		run -C $open/tools:1 env|-C is not for CES: already so
		run --cleanenv $open/tools:1 env|already so
		run -B ./x:/x $open/tools:1 env|type --bind SRC:DST
		run --privileged $open/tools:1 env|leave it out
	EOT
	run --separate-stderr as alice /usr/libexec/ces/compat/apptainer run --env A=1,B=2 -q $open/tools:1 sh -c 'echo $A$B'
	[ "$output" = 12 ]
	file opts <<< '-e HOME'
	run --separate-stderr as alice /usr/libexec/ces/compat/apptainer run --opt-file work/opts -q $open/tools:1 sh -c 'echo $HOME'
	[ "$output" = /home/alice ]
	run --separate-stderr as alice /usr/libexec/ces/compat/apptainer --version
	[ "$status" -eq 0 ]
	[[ $output == "apptainer "[0-9]* ]]
	run --separate-stderr as alice /usr/libexec/ces/compat/apptainer --help
	[ "$status" -eq 0 ]
	[[ $output == "Usage: apptainer run [OPTION...] FILE.sif"* ]]
}

@test "k8s prints a job as the cluster wants it" {
	manifest --name Train_1 -c 1 --env-file /dev/null $image/tools:1 python 'a b' '$(HOME)'
	[ "$status" -eq 0 ]
	job=$(as_json <<< "$output")
	jq -e '.apiVersion == "batch/v1" and .kind == "Job"
		and .metadata.generateName == "train-1-" and .metadata.namespace == "nsh-gpu"
		and .metadata.labels == {"kueue.x-k8s.io/queue-name": "nsh-gpu-user-queue"}
		and .spec.backoffLimit == 1 and .spec.ttlSecondsAfterFinished == 1800' <<< "$job"
	pod=$(jq .spec.template.spec <<< "$job")
	jq -e '.restartPolicy == "Never" and .securityContext.runAsUser == 4401
		and .securityContext.runAsGroup == 4411 and .securityContext.fsGroup == 4411
		and .securityContext.runAsNonRoot' <<< "$pod"
	jq -e '.containers[0] | .image == "ghcr-proxy.tre.test:5000/epcced/tools:1"
		and .args == ["python", "a b", "$$(HOME)"]
		and .resources.requests == {"cpu": "1", "memory": "536870912"} and .resources.limits == .resources.requests' <<< "$pod"
	jq -e '.containers[0].volumeMounts | any(.mountPath == "/safe_data" and .readOnly)
		and any(.mountPath == "/safe_outputs") and any(.mountPath == "/scratch") and any(.mountPath == "/dev/shm")' <<< "$pod"
	jq -e '.volumes | any(.persistentVolumeClaim.claimName == "pvc-nsh-nsh-2024-0001-shared" and .persistentVolumeClaim.readOnly)
		and any(.persistentVolumeClaim.claimName == "pvc-nsh-nsh-2024-0001-users")
		and any(.name == "scratch" and .emptyDir == {}) and any(.name == "shm" and .emptyDir.medium == "Memory")' <<< "$pod"
	nothing_left_behind
}

@test "k8s: a GPU is under limits, and the memory without a wish is 4 GB" {
	change='.defaults.gpus.max = 2 | .defaults.limits.memory = "64G"' manifest --gpu=2 $image/tools:1
	job=$(as_json <<< "$output")
	jq -e '.spec.template.spec.containers[0].resources
		| .limits["nvidia.com/gpu"] == 2 and .limits.memory == "4Gi" and (.requests | has("nvidia.com/gpu") | not)' <<< "$job"
}

@test "k8s: test_nsh-2024-0000 of project 2024-0000 gets the claim pvc-nsh-2024-0000-users-test, and the label shsuser" {
	useradd -M -u 4409 -d /home/alice -G nsh-2024-0001 test_nsh-2024-0000
	lab_policy "$kubernetes"' | .kubernetes.outputs_claim = "pvc-nsh-{project}-users-{user_first}" | .kubernetes.data_claim = "{user_first}-x-{project}"
		| .projects["2024-0000"] = .projects["nsh-2024-0001"] | del(.projects["nsh-2024-0001"])'
	run --separate-stderr setpriv --reuid=4409 --regid=4409 --init-groups ces-run k8s $image/tools:1
	[ "$status" -eq 0 ]
	as_json <<< "$output" | jq -e '.spec.template | .metadata.labels == {shsuser: "test_nsh-2024-0000"}
		and any(.spec.volumes[]; .persistentVolumeClaim.claimName == "pvc-nsh-2024-0000-users-test")
		and any(.spec.volumes[]; .persistentVolumeClaim.claimName == "test-x-2024-0000")'
	# a name without '_' is its own first part
	run --separate-stderr as alice ces-run k8s $image/tools:1
	as_json <<< "$output" | jq -e 'any(.spec.template.spec.volumes[]; .persistentVolumeClaim.claimName == "pvc-nsh-2024-0000-users-alice")'
	userdel test_nsh-2024-0000
	lab_policy '.defaults.network.publish = ["8787"]'
}

@test "k8s: each project's job goes to the project's own namespace and queue" {
	lab_policy "$kubernetes"' | .kubernetes.namespace = "{project}-ns"'
	for who in alice:1 bob:2; do
		run --separate-stderr as ${who%:*} ces-run k8s $image/tools:1
		[ "$status" -eq 0 ]
		as_json <<< "$output" | jq -e --arg ns nsh-2024-000${who#*:}-ns '.metadata
			| .namespace == $ns and .labels["kueue.x-k8s.io/queue-name"] == $ns + "-user-queue"'
	done
	lab_policy "$kubernetes"' | .kubernetes += {namespace: "gpu", queue: "{project}-{user}"}'
	run --separate-stderr as bob ces-run k8s $image/tools:1
	as_json <<< "$output" | jq -e '.metadata.namespace == "gpu" and .metadata.labels["kueue.x-k8s.io/queue-name"] == "nsh-2024-0002-bob"'
	lab_policy '.defaults.network.publish = ["8787"]'
}

@test "k8s: a namespace or queue that no cluster can have is refused" {
	local key
	for key in namespace queue; do
		change='.kubernetes = {queue: "q"} + .kubernetes | .kubernetes.'$key' = "a" * 56 + "-{project}"' manifest $image/tools:1
		[ "$status" -eq 125 ]
		[ -z "$output" ]
		[[ $stderr == *"a-nsh-2024-0001 is not a name that a cluster can have"* ]]
	done
	lab_policy "$kubernetes"' | .kubernetes.namespace = "x-{project}" | .projects["a.b"] = .projects["nsh-2024-0001"] | del(.projects["nsh-2024-0001"])'
	run --separate-stderr as alice ces-run k8s $image/tools:1
	lab_policy '.defaults.network.publish = ["8787"]'
	[ "$status" -eq 125 ]
	[[ $stderr == *"x-a.b is not a name that a cluster can have"* ]]
}

@test "k8s: a job counts its own cores, not the node's" {
	threads() { as_json <<< "$output" | jq -r '.spec.template.spec.containers[0].env[] | select(.name == "OMP_NUM_THREADS").value'; }
	change='.defaults.limits.cpus = 8' manifest -c 3 $image/tools:1
	[ "$(threads)" = 3 ]
	change='.defaults.limits.cpus = 8' manifest -c 1.5 $image/tools:1
	[ "$(threads)" = 2 ]
	printf 'OMP_NUM_THREADS=7\n' | file env
	manifest --env-file work/env $image/tools:1
	[ "$(threads)" = 7 ]
}

@test "k8s: no job is made of an image whose signatures the policy wants, since no cluster checks them" {
	change='.projects[].images[0].signed_by = ["keys/lab.pub"]' manifest $image/tools:1
	[ "$status" -eq 125 ]
	[ -z "$output" ]
	[[ $stderr == *'demands signatures of this image, which the cluster does not check'* ]]
}

@test "k8s: a job with GPUs runs on nodes of the policy's product, another anywhere" {
	local product=NVIDIA-A100-SXM4-40GB-MIG-1g.5gb
	change='.defaults.gpus.max = 2 | .kubernetes.gpu_product = "'$product'"' manifest --gpu=1 $image/tools:1
	as_json <<< "$output" | jq -e --arg p $product '.spec.template.spec.nodeSelector == {"nvidia.com/gpu.product": $p}'
	change='.defaults.gpus.max = 2 | .kubernetes.gpu_product = "'$product'"' manifest $image/tools:1
	as_json <<< "$output" | jq -e '.spec.template.spec | has("nodeSelector") | not'
	change='.kubernetes.gpu_product = "A100\", \"x"' manifest --gpu=1 $image/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *'kubernetes.gpu_product must be the value of a label'* ]]
}

@test "k8s: the policy's proxy is in the job's environment, over what the caller says" {
	printf 'https_proxy=http://other:1\nKEPT=1\n' > /home/alice/work/env
	change='.defaults.network.proxy = "http://proxy.tre.test:8118"' manifest --env-file work/env $image/tools:1
	[ "$status" -eq 0 ]
	as_json <<< "$output" | jq -e '.spec.template.spec.containers[0].env | map({key: .name, value}) | from_entries
		| .http_proxy == "http://proxy.tre.test:8118" and .https_proxy == .http_proxy and .HTTPS_PROXY == .http_proxy
		and (.no_proxy | contains("localhost")) and .KEPT == "1"'
	manifest --env-file work/env $image/tools:1
	as_json <<< "$output" | jq -e '.spec.template.spec.containers[0].env | map(.name) | index("http_proxy") == null'
}

@test "k8s: all keys of the policy's cluster are used, and a claim that no cluster can have is refused" {
	change='.kubernetes += {queue: "short", pull_secret: "tre-registry"}' manifest $image/tools:1
	as_json <<< "$output" | jq -e '.metadata.labels == {"kueue.x-k8s.io/queue-name": "short"}
		and .spec.template.spec.imagePullSecrets == [{"name": "tre-registry"}]'
	change='.kubernetes.data_claim = ("a" * 60 + ".") * 3 + "b" * 50 + "{project}{project}"' manifest $image/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *'is not a name that a cluster can have'* ]]
	change='.kubernetes.claim = "x"' manifest $image/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *'kubernetes.claim is not a key'* ]]
}

@test "k8s: -o writes a file that only its owner reads" {
	manifest -o work/job.yaml $image/tools:1
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(stat -c '%U %a' /home/alice/work/job.yaml)" = "alice 600" ]
	grep -q '^kind: Job$' /home/alice/work/job.yaml
	manifest -o /nowhere/job.yaml $image/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: cannot write /nowhere/job.yaml"* ]]
}

@test "k8s: --dry-run says what would be done, and writes nothing" {
	file job.yaml <<< precious
	manifest --dry-run -o work/job.yaml $image/tools:1
	[ "$status" -eq 0 ]
	[ "$output" = "image $image/tools:1, allowed by projects.nsh-2024-0001.images[0]
a job for it would be written to work/job.yaml; nothing was written" ]
	[ "$(cat /home/alice/work/job.yaml)" = precious ]
	manifest --dry-run ghcr.io/other/x:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"denied: "* ]]
}

@test "k8s: what a job does not need is named, and the job is written" {
	for option in -d -i -it --wait; do
		file opts <<< "$option"
		manifest --opt-file work/opts $image/tools:1
		[ "$status" -eq 0 ]
		[[ $stderr == *"k8s: -d, -i, -t and --wait have no effect"* && $output == *"kind: Job"* ]]
	done
	manifest $image/tools:1
	[[ $stderr != *"no effect"* ]]
}

@test "k8s: no value can add a line to the manifest" {
	printf 'B=tab\there "quoted" \\ back\xc3\xa9 # no comment: {}\n' > /home/alice/work/env
	manifest --env-file work/env $image/tools:1 $'x"\n      hostNetwork: true' ': {' '- a'
	[ "$status" -eq 0 ]
	job=$(as_json <<< "$output")
	jq -e '.spec.template.spec | has("hostNetwork") | not' <<< "$job"
	jq -e '.spec.template.spec.containers[0].args == ["x\"\n      hostNetwork: true", ": {", "- a"]' <<< "$job"
	jq -e '.spec.template.spec.containers[0].env | any(.name == "B" and .value == "tab\there \"quoted\" \\ backé # no comment: {}")' <<< "$job"
	printf 'C=\xff\n' > /home/alice/work/env
	manifest --env-file work/env $image/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *UTF-8* ]]
}

@test "k8s: a wish that the policy denies, or that a job cannot express, is refused" {
	manifest ghcr.io/other/x:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"denied: "*"rule projects.nsh-2024-0001.images"* ]]
	file opts <<< '-p 18787:8787'
	manifest --opt-file work/opts $image/tools:1
	[[ $stderr == *"-p has no meaning"* ]]
	file opts <<< '-v /home/alice:/x'
	manifest --opt-file work/opts $image/tools:1
	[[ $stderr == *"leave -v"* ]]
	file opts <<< '--display'
	lab_policy "$kubernetes"
	run --separate-stderr as alice env DISPLAY=:7 ces-run k8s --opt-file work/opts $image/tools:1
	lab_policy '.defaults.network.publish = ["8787"]'
	[ "$status" -eq 125 ]
	[[ $stderr == *"leave --display out"* ]]
	run --separate-stderr as alice ces-run k8s $image/tools:1
	client_refused 'no Kubernetes cluster'
}
