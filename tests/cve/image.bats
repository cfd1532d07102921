#!/usr/bin/env bats
# Tries on CES the escapes that an image achieved on other engines (tests/cve/README.md): by its configuration, by files in
# the places where a runtime makes or mounts something, and by its effect on the files of a driver.

load ../lib/e2e.bash
load cve.bash

setup_file()
{
	cve_begin
	have alice tools
}
teardown_file() { cve_end; }
setup() { remember_host; }
teardown()
{
	[ -z "${gpus:-}" ] || fake_end
	rm -rf /home/*/outputs_* /home/alice/work /etc/cdi
	cve_policy
}

# Gives this machine fake GPUs until the end of the test.
with_gpus()
{
	. tests/lib/lab/fake_gpus.sh
	fake_dev
	fake_driver
	install -D -m 644 "$sample" /etc/cdi/nvidia.json
	gpus=1
}

# Fails unless the image runs and its program prints the pattern. `untouched` checks that nothing reached the host.
harmless() # PATTERN TAG [OPTION...] -- COMMAND...
{
	local pattern=$1
	shift
	run hostile "$@"
	echo "$1: $status $output"
	[ "$status" -eq 0 ]
	[[ $output =~ $pattern ]]
}

# (CES itself saw no deviation either)
untouched_and_proven()
{
	untouched
	journal_new -s -e 'map(select(.event == "proof")) | length > 0 and all(.outcome == "as planned")' > /dev/null
}

@test "CVE-2026-94603: annotations in index, manifest, descriptors, configuration and labels reach no runtime" {
	for tag in annotated annotated-index; do
		recorded $tag
		# one constant annotation, which carries CES's own filter to the runtime that takes it
		case $(basename "${CES_TEST_RUNTIME:-crun}") in
		crun) jq -e '.annotations | keys == ["run.oci.seccomp_bpf_data"] and (.[] | length > 1000)' <<< "$config" ;;
		*) jq -e 'has("annotations") | not' <<< "$config" ;;
		esac > /dev/null
		jq -e '(has("hooks") or (.linux | has("resources"))) | not' <<< "$config"
		no grep -E 'canary|krun|unconfined|io\.podman|io\.k8s|decoy|criu' <<< "$config"
		run hostile $tag -- grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
		[ "$output" = $'NoNewPrivs:\t1\nSeccomp:\t2' ]
		[ ! -e $decoy/hook ]
	done
	untouched
}

@test "CVE-2026-53492: devices that annotations or labels of the image ask for (CDI) are not there" {
	with_gpus
	cve_policy '.defaults.gpus.max = 8'
	status=0
	output=$(hostile annotated -- sh -c 'ls /dev | grep nvidia; ls /usr/lib/ces-gpu; echo "NV $NVIDIA_VISIBLE_DEVICES"' 2>&1) || status=$?
	granted=$(hostile annotated --gpu -- sh -c 'ls /dev | grep -c nvidia' 2>&1)
	echo "$status $output; with --gpu $granted"
	[ "$granted" -gt 0 ]
	[[ $output == *"/usr/lib/ces-gpu: No such file"* ]]
	grep -qx 'NV void' <<< "$output"
	no grep -q '^nvidia' <<< "$output"
}

@test "CVE-2026-57231: an entry of Env without \"=\", or \"*\", is refused and takes nothing from the caller's environment" {
	for tag in name star glob empty no-name space newline; do
		pull_refused env-$tag '"Env" has an entry that is not NAME=value'
	done
	all_refused
}

@test "CVE-2026-55686: a working directory behind a link of the image's is made in the container, or nowhere" {
	for tag in absolute up proc fd outputs scratch; do
		status=0
		output=$(hostile workdir-$tag -- sh -c 'pwd; echo > f' 2>&1) || status=$?
		echo "$tag: $status $output"
		# the directory of the link's name is the host's, and not in the container: a runtime makes one there,
		# or says that it cannot
		[ "$status" -ne 0 ] || [[ $output =~ ^(/way|/safe_outputs|/scratch|$decoy|/proc/.*)/made$ ]]
		[ ! -e $decoy/made ]
	done
	# (files made in outputs are the user's, whatever user the image names)
	[ -z "$(find /home -name made ! -user alice)" ]
	[ -z "$(find /srv /etc /tmp /var/tmp /run /safe_data $store/staging /home/bob -name made)" ]
	rm -rf /home/alice/outputs_*
	untouched
}

@test "CVE-2026-46680: a number that is too large for a user or group is refused, and is no name, even if the image's files call it root" {
	for i in {0..4}; do
		pull_refused user-$i "the image's user [0-9]+ is not from 0 to"
		pull_refused group-$i "the image's group [0-9]+ is not from 0 to"
	done
	all_refused
}

@test "CVE-2026-50195: an image that names another one, in annotations, labels and configuration, is not taken for that one" {
	pull alice $bad:good -q
	before_images=$(ces alice images --format json | jq -c 'sort_by(.reference) | map([.reference, .digest])')
	hostile named -- true
	[ "$(ces alice images --format json | jq -c --arg r "$bad:named" 'map(select(.reference != $r)) | sort_by(.reference) | map([.reference, .digest])')" = "$before_images" ]
	ces alice rmi -q $bad:good
	run ces alice run -q $bad:good true
	[ "$status" -eq 125 ]
	[[ $output == *"you have no image $bad:good"* ]]
	run ces bob run -q $bad:named true
	[ "$status" -eq 125 ]
	ces alice rmi -q $bad:named
}

@test "CVE-2026-41579, CVE-2026-47766: when /dev of the image is a link, the runtime changes nothing behind it" {
	for tag in dev-absolute dev-up; do
		harmless '^d.*1, *3.*x$' $tag -- sh -c 'ls -ld /dev; ls -lL /dev/null; ls /srv; echo > /dev/null; echo x'
		[ "$(cat $decoy/ptmx)" = "the host's" ]
	done
	untouched_and_proven
}

@test "CVE-2026-88264: when /dev/console of the image is a link, no file is made behind it, with a terminal or without" {
	rm $decoy/console
	before_host=$(host)
	for tag in dev-links dev-pattern; do
		harmless '^plain' $tag -- sh -c 'echo plain; test ! -L /dev/console'
		for more in '' --read-only; do
			run as alice script -qec "ces-client run -q -i -t $more $bad:$tag \
				sh -c 'tty; ls -l /dev/console; echo x > /dev/console'" /dev/null
			echo "$output"
			[ "$status" -eq 0 ]
			[[ $output == *" 136,"*"/dev/console"* ]]
			no grep -q -- '->' <<< "$output"
		done
	done
	[ ! -e $decoy/console ]
	untouched_and_proven
}

@test "CVE-2026-88265: when /dev/null of the image is a link, the program's streams do not lead there" {
	for tag in dev-links dev-pattern; do
		harmless '^/dev/null 1:3$' $tag -- sh -c 'exec < /dev/null; echo gone > /dev/null
			echo "$(readlink /proc/self/fd/0) $(stat -Lc %t:%T /dev/null)"'
		# the caller closed stdin, and asked for it or not: the program gets the null device, or a pipe of the
		# runtime's that has ended
		for more in '' -i; do
			run as alice bash -c "ces-client run -q $more $bad:$tag sh -c 'cat; readlink /proc/self/fd/0' <&-"
			echo "$tag $more: $output"
			[[ $output =~ ^(/dev/null|pipe:.*)$ ]]
		done
		[ "$(cat $decoy/null)" = "the host's" ]
	done
	untouched_and_proven
}

# Succeeds if every path that must be hidden, and exists, is empty and a mount of its own.
hidden='for p in /proc/acpi /proc/asound /proc/interrupts /proc/kallsyms /proc/kcore /proc/keys /proc/key-users /proc/latency_stats \
	/proc/sched_debug /proc/scsi /proc/timer_list /proc/kpagecount /proc/kpageflags /proc/sysrq-trigger \
	/sys/devices/virtual/powercap /sys/dev/block /sys/firmware /sys/fs/cgroup /sys/fs/selinux /sys/kernel/debug /sys/kernel/security; do
	[ -e $p ] || continue
	n=$((n + 1))
	if [ -d $p ]; then [ -z "$(ls -A $p)" ] || echo "$p has files"; else [ "$(head -c 1 $p | wc -c)" = 0 ] || echo "$p can be read"; fi
	awk -v p=$p "\$5 == p { found = 1 } END { exit !found }" /proc/self/mountinfo || echo "$p is not a mount"
	umount $p 2> /dev/null && echo "$p came off"
	(echo x > $p) 2> /dev/null && [ ! -c $p ] && echo "$p was written"
done
echo "$n hidden"'

@test "CVE-2025-31133: a masked path is hidden by the kernel's null device, not the image's: nothing behind a link is written" {
	for tag in dev-pattern dev-links proc-tree good; do
		harmless '^[1-9][0-9]* hidden$' $tag -- sh -c "$hidden"
		run hostile $tag -- sh -c 'for p in core_pattern modprobe sysrq; do echo canary > /proc/sys/kernel/$p && echo wrote $p; done
			echo c > /proc/sysrq-trigger; echo b > /dev/null; true'
		no grep wrote <<< "$output"
	done
	untouched_and_proven
}

@test "CVE-2025-52565: /dev/console is bound on a file of CES's own, and a run's output there reaches its terminal alone" {
	for tag in dev-pattern dev-links; do
		run as alice script -qec "ces-client run -q -i -t $bad:$tag \
			sh -c 'echo to the terminal > /dev/console; grep \" /dev/console \" /proc/self/mountinfo'" /dev/null
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"to the terminal"*" /dev/console "*devpts* ]]
		untouched
	done
}

@test "CVE-2025-52881, CVE-2026-115521: when the image brings a /proc, as a tree or a link, the runtime writes no settings to it" {
	for tag in proc-tree proc-link; do
		harmless 'proc /proc proc.*1$' $tag -- sh -c 'grep "^proc /proc " /proc/mounts | tail -n 1; grep -c . /proc/self/comm'
		# the kernel's own /proc shows no_new_privs, filter, limits and label
		run hostile $tag -- grep -E '^(Seccomp|NoNewPrivs|CapBnd):' /proc/self/status
		[ "$output" = $'CapBnd:\t00000000000004fb\nNoNewPrivs:\t1\nSeccomp:\t2' ]
		run hostile $tag -- cat /proc/sys/user/max_user_namespaces
		[ "$output" = 0 ]
	done
	untouched_and_proven
}

@test "CVE-2026-115521: with --read-only nothing of the root can be written, whatever the image has at /proc" {
	for tag in proc-tree proc-link good; do
		harmless '^closed$' $tag --read-only -- sh -c 'for d in / /bin /etc /root /home /srv /var /usr /tmp; do
			(echo x > $d/new) 2> /dev/null && echo $d; (echo x > /etc/hosts) 2> /dev/null && echo hosts; chmod 700 $d 2> /dev/null && echo chmod $d
			mkdir $d/newer 2> /dev/null && echo mkdir $d; done
			mount -o remount,rw / 2> /dev/null && echo remounted; awk "\$5 == \"/\" && \$6 !~ /^ro/" /proc/self/mountinfo; echo closed'
		[ "$output" = closed ]
	done
	untouched_and_proven
}

@test "GHSA-pxhw-h44j-8pfx (CVE-2026-87766): when CES makes something in the new root, it follows no link of the image's" {
	as alice mkdir -p work
	cve_policy '.defaults.binds = ["~"]'
	echo mine > /home/alice/work/f
	harmless '^mine$' opt-link -v ./work:/opt/kernel/deep --mount type=tmpfs,destination=/mnt/kernel/deeper,size=1M \
		-v ./work/f:/etc/hostname.d/f -- sh -c 'cat /opt/kernel/deep/f; touch /mnt/kernel/deeper/x /safe_outputs/x /scratch/x /tmp/x
			echo x >> /etc/hosts; echo x >> /etc/resolv.conf; echo x >> /etc/hostname'
	[ ! -e $decoy/kernel/deep ]
	[ ! -e $decoy/hosts ]
	untouched_and_proven
}

@test "CVE-2025-23266: LD_PRELOAD of an image reaches no process but the image's own, with a GPU and without" {
	with_gpus
	CES_TEST_RUNTIME=$recorder/$(basename "${CES_TEST_RUNTIME:-/usr/bin/crun}") cve_policy '.defaults.gpus.max = 8'
	for more in --gpu ''; do
		status=0
		stderr=$(hostile driver $more -- true 2>&1) || status=$?
		echo "$status $stderr"
		[ "$status" -eq 0 ]
		environment=$(sed -n '/^#environment$/,/^#config$/p' <<< "$stderr" | grep -v '^#' | cut -d= -f1 | sort)
		[ -n "$environment" ]
		no grep -vxE 'PATH|LC_ALL|PWD' <<< "$environment"
		config=$(sed -n '/^#config$/,/^#end$/p' <<< "$stderr" | grep -v '^#')
		jq -e 'has("hooks") | not' <<< "$config"
		jq -e '.process.env | any(. == "NVIDIA_VISIBLE_DEVICES=all") | not' <<< "$config"
		[ ! -e $lab/hook-ran ]
	done
}

@test "CVE-2025-23267: links of the image's in the driver's places are not followed: nothing is made or read behind them" {
	with_gpus
	cve_policy '.defaults.gpus.max = 8'
	files=$(host)
	status=0
	output=$(hostile driver --gpu -- sh -c 'nvidia-smi hello; ls -A /usr/lib/ces-gpu/usr/lib64 | grep -c cuda; test ! -L /usr/lib/ces-gpu
		touch /usr/lib/ces-gpu/x /usr/lib/ces-gpu/usr/lib64/x; cat /usr/lib64/libcuda.so.1' 2>&1) || status=$?
	echo "$status $output"
	[[ $output == *"the driver says hello"*[1-9]* ]]
	no grep "the host's" <<< "$output"
	diff <(echo "$files") <(host)
}
