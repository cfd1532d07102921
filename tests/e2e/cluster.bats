#!/usr/bin/env bats
# Kubernetes' own client accepts the job that `ces-run k8s` writes: no key outside its schema, no value of another type, no
# missing key. (`kubectl` would ask a server for that schema.)

load ../lib/e2e.bash
load ../lib/compat.bash

setup_file()
{
	lab_policy '.kubernetes = {"namespace": "nsh-gpu", "data_claim": "pvc-nsh-{project}-shared", "outputs_claim": "pvc-nsh-{project}-users",
		"queue": "short", "pull_secret": "tre-registry", "gpu_product": "NVIDIA-H200"}
		| .defaults.gpus.max = 2 | .defaults.limits += {"memory": "64G", "cpus": 8, "time": "12h", "shm": "4G"} | .defaults.network.proxy = "http://10.20.0.5:3128"'
	install -o alice -g alice -d /home/alice/work
	cat > $lab/job.py <<- 'END'
	import sys, yaml
	from kubernetes.client import ApiClient, V1Job

	def texts(value):
	    """The client takes a number for a quantity, and writes it as text."""
	    if isinstance(value, dict):
	        return {k: texts(v) for k, v in value.items()}
	    return [texts(v) for v in value] if isinstance(value, list) else str(value)

	job = yaml.safe_load(sys.stdin)
	client = ApiClient()
	again = client.sanitize_for_serialization(client._ApiClient__deserialize(job, "V1Job"))
	# (the client writes no empty object: an emptyDir is one)
	same = texts(again) == texts(job) or sys.exit("not a Job of Kubernetes':\n%s\n%s" % (job, again))
	END
}
setup() { remember; }

is_job() { /usr/bin/python3 $lab/job.py; }

@test "Kubernetes' client takes every job that ces-run k8s writes" {
	printf -- '--shm-size 1G\n--time 2h\n' > /home/alice/work/opts
	printf 'A=1\nB=two words: {}\n' > /home/alice/work/env
	for words in "" "--gpu=2" "-c 2 --memory 8G --name Train_1" "--env-file work/env" "--opt-file work/opts"; do
		# shellcheck disable=SC2086 # (words)
		run --separate-stderr as alice ces-run k8s $words $image/tools:1 python 'a b' ': {'
		echo "$words: status $status, $stderr, $output"
		[ "$status" -eq 0 ]
		is_job <<< "$output"
	done
	nothing_left_behind
}

@test "a job that Kubernetes would refuse is reported" {
	as alice ces-run k8s $image/tools:1 > $lab/job.yaml
	is_job < $lab/job.yaml
	for change in 's/backoffLimit/backOffLimit/' 's/^    spec:/    spec:\n      hostsNetwork: true/' 's/mountPath/mountpath/'; do
		sed "$change" $lab/job.yaml > $lab/other.yaml
		no cmp -s $lab/job.yaml $lab/other.yaml
		no is_job < $lab/other.yaml
	done
}
