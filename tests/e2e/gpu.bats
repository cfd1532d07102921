#!/usr/bin/env bats
# GPUs: which GPUs a run gets, and which files of their driver. The driver is a fake (tests/lib/lab/fake_gpus.sh).

load ../lib/e2e.bash
. tests/lib/lab/fake_gpus.sh

uuid=GPU-b2a97e34-51c8-4f6d-a0e9-77d3c4586f12 # of GPU 1
spec=/etc/cdi/nvidia.json
allowed='No such device or address' # a device that nobody serves

# Writes the specification, changed by a jq filter.
specify() # [FILTER]
{
	rm -rf /etc/cdi
	install -d -m 755 /etc/cdi
	jq "${1:-.}" "$sample" > $spec
	chmod 644 $spec
}

gpu_policy() # [FILTER]
{
	lab_policy ".defaults.gpus.max = 8 | .defaults.limits.runs = 20 | ${1:-.}"
}

# Gives bob a file system that can be frozen. (The other /dev has no loop devices.)
make_disk()
{
	truncate -s 16M $lab/disk
	mkfs.ext4 -q -F $lab/disk
	mkdir /home/bob/results
	mount -o loop $lab/disk /home/bob/results
	chown bob:bob /home/bob/results
}

setup_file()
{
	make_disk
	fake_dev
	fake_driver
	specify
	gpu_policy
	have alice tools cuda
	pull bob $open/tools:1 -q
}

teardown_file()
{
	fake_end
	umount /home/bob/results
	rmdir /home/bob/results
	lab_policy
}

setup() { remember; }
teardown()
{
	rm -rf /home/*/outputs_*
	[ -z "${clients[*]:-}" ] || kill -KILL "${clients[@]}" 2> /dev/null || true
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun|runc'
	specify
	gpu_policy
}

clients=()
# Starts a run of USER's in the background that prints its devices and stays. Its output is in $lab/up.N.
hold() # N USER [OPTION...]
{
	local n=$1 user=$2
	shift 2
	rm -f $lab/up.$n $lab/err.$n
	setpriv --reuid=$user --regid=$user --init-groups --reset-env env -C /home/$user ces-client run -q "$@" $open/tools:1 sh -c 'echo $NVIDIA_VISIBLE_DEVICES; exec sleep 600' \
		> $lab/up.$n 2> $lab/err.$n 3>&- < /dev/null &
	clients[n]=$!
}

held() { eventually test -s "$lab/up.$1"; }

# Opens a node of the host from the cgroup of alice's one run, and prints the answer.
in_run() # MODE(<, > or <>) NODE
{
	local group
	group=$(find /sys/fs/cgroup -path "*/ces/4401/$(find /run/ces -name '[0-9]*' -printf '%f' -quit)/cgroup.kill" -printf '%h\n')
	bash -c "echo \$\$ > $group/cgroup.procs; exec 4$1 $2" 2>&1 || true
}

# bats test_tags=device-program
@test "without --gpu there is no GPU, whatever the image says" {
	from=cuda run inside -- sh -c 'ls -R /dev; env'
	[ "$status" -eq 0 ]
	[[ $output != *nvidia* && $output != *render* ]]
	[[ $output == *NVIDIA_VISIBLE_DEVICES=void* && $output != *CAPABILITIES=all* && $output != *ces-gpu* ]]
}

# bats test_tags=device-program
@test "a GPU comes with its nodes and those of its driver, and no others" {
	run inside --gpu -- sh -c 'cd /dev; find . -type c | grep -E "nvidia|dri|kfd" | sort'
	[ "$output" = "./dri/renderD129
./nvidia-modeset
./nvidia-uvm
./nvidia-uvm-tools
./nvidia1
./nvidiactl" ]
	run inside --gpu -- sh -c 'exec 2>&1; stat -c %t:%T:%a /dev/nvidia1 /dev/dri/renderD129; true <> /dev/nvidia1; mknod /tmp/n c 195 2'
	[[ ${lines[0]} == c3:1:666 && ${lines[1]} == e2:81:666 && ${lines[2]} == *"$allowed"* ]]
	[[ ${lines[3]} == *"not permitted"* ]]
}

# bats test_tags=device-program
@test "a slice of a GPU comes with its parent and its two capabilities, for reading" {
	run inside --gpu=0:1 -- sh -c 'exec 2>&1; cd /dev; find . -type c -name "nvidia*[0-9]" | sort
		true < nvidia-caps/nvidia-cap21; true > nvidia-caps/nvidia-cap21'
	[ "${lines[*]:0:3}" = "./nvidia-caps/nvidia-cap21 ./nvidia-caps/nvidia-cap22 ./nvidia0" ]
	[[ ${lines[3]} == *"$allowed"* ]]
	[[ ${lines[4]} == *"not permitted"* ]]
}

# bats test_tags=device-program
@test "the neighbour's GPU cannot be opened, even by a node of its number" {
	hold 1 alice --gpu=1
	held 1
	run in_run '<>' /dev/nvidia1
	[[ $output == *"$allowed"* ]]
	for n in nvidia0 nvidia2 nvidia-caps/nvidia-cap12 nvidia-caps/nvidia-cap1 dri/card2 mem; do
		run in_run '<>' /dev/$n
		[[ $output == *"not permitted"* ]] || { echo "$n: $output"; false; }
	done
}

@test "the driver's programs and libraries work under their plain names, and no file of the image is in their way" {
	from=cuda run inside --gpu -- sh -c 'nvidia-smi hello; LD_PRELOAD=libcuda.so.1 /opt/lib/ld-linux* /opt/true
		cd /usr/lib/ces-gpu/usr/lib64; for l in libcuda.so libcuda.so.1 libnvidia-nvvm.so.4; do readlink $l; done; echo $LD_LIBRARY_PATH'
	[ "${lines[0]}" = "the driver says hello" ]
	[ "${lines[1]}" = "libcuda is here" ]
	[ "${lines[*]:2:3}" = "libcuda.so.1 libcuda.so.$driver libnvidia-nvvm.so.$driver" ]
	[ "${lines[5]}" = /usr/lib/ces-gpu/usr/lib64:/opt/lib ]
	from=tools run inside --gpu -- sh -c 'nvidia-smi hello'
	[ "$output" = "the driver says hello" ]
}

@test "the driver's files cannot be changed from inside" {
	run --separate-stderr inside --gpu -- sh -c 'echo x >> /usr/lib/ces-gpu/usr/bin/nvidia-smi; echo x > /usr/lib/ces-gpu/usr/lib64/new
		rm /usr/lib/ces-gpu/usr/bin/nvidia-smi; mount -o remount,rw /usr/lib/ces-gpu; chmod 777 /usr/lib/ces-gpu/usr; echo end'
	[ "$output" = end ]
	[ "${#stderr_lines[@]}" -eq 5 ]
	run inside --gpu -- sh -c 'grep -c /usr/lib/ces-gpu /proc/self/mountinfo; grep /usr/lib/ces-gpu /proc/self/mountinfo | grep -v " ro,nosuid,nodev"'
	[ "$output" = 18 ]
	[ "$(cat /usr/bin/nvidia-smi)" = "$(printf '#!/bin/sh\necho the driver says $1\n')" ]
	nothing_left_behind
}

@test "no hook runs, and no service's socket is inside" {
	run inside --gpu -- sh -c 'find / -path /proc -prune -o -type s -print -o -name "*persistenced*" -print | sort'
	[ "$status" -eq 0 ]
	[ "$output" = "$(printf '/usr/bin/nvidia-persistenced\n/usr/lib/ces-gpu/usr/bin/nvidia-persistenced')" ]
	[ ! -e $lab/hook-ran ]
}

@test "the container's environment, the journal and explain name the granted devices" {
	from=cuda run inside --gpu=2 -- sh -c 'echo $NVIDIA_VISIBLE_DEVICES $NVIDIA_DRIVER_CAPABILITIES'
	[ "$output" = "1,0:0 compute,utility" ]
	[ "$(journal_new -c 'select(.event == "decision") | [.gpus, .devices]')" = '[2,["nvidia.com/gpu=1","nvidia.com/gpu=0:0"]]' ]
	run ces alice explain run --gpu=2 $open/tools:1
	[[ $output == *"GPUs: 2"* ]]
}

@test "when the machine has fewer GPUs than are allowed, --dry-run says so" {
	run ces alice run --gpu=1 --dry-run $open/tools:1
	[ "$status" -eq 0 ]
	no grep -q 'would be refused' <<< "$output"
	specify '.devices |= map(select(.name == "1" or (.name | startswith("GPU-"))))'
	run ces alice run --gpu=2 --dry-run $open/tools:1
	echo "$output"
	[ "$status" -eq 125 ]
	[[ $output == *"ces: the run would be refused: this machine has 1 of the GPUs that are allowed, and 2 are asked for"* ]]
	# (CES does not guess about a file that alice may not read)
	chmod 600 $spec
	run ces alice run --gpu=2 --dry-run $open/tools:1
	[ "$status" -eq 0 ]
	rm -rf /etc/cdi
	run ces alice run --gpu=all --dry-run $open/tools:1
	[ "$status" -eq 125 ]
	[[ $output == *"this machine has 0 of the GPUs"* ]]
}

@test "the caller cannot set the variables of GPU drivers" {
	run --separate-stderr inside --gpu -e NVIDIA_VISIBLE_DEVICES=all -- true
	refused 'NVIDIA_VISIBLE_DEVICES: CES sets this itself'
}

@test "a device counts once, under any of its names, and all means every GPU there is" {
	run --separate-stderr inside --gpu=4 -- true
	refused "you asked for 4 of this machine's GPUs, and 3 are free"
	run inside --gpu=all -- sh -c 'echo $NVIDIA_VISIBLE_DEVICES'
	[ "$output" = 1,0:0,0:1 ]
}

@test "more than the policy allows, a name outside its list and an unknown name are refused" {
	gpu_policy '.defaults.gpus = {max: 1, devices: ["1", "0:0"]}'
	run --separate-stderr inside --gpu=2 -- true
	refused 'GPUs are more than the 1 that are allowed'
	remember
	run --separate-stderr inside --gpu=0:1 -- true
	refused '0:1 is not one that may be used'
	remember
	run --separate-stderr inside --gpu=-1 -- true
	refused 'a number'
	gpu_policy
	remember
	run --separate-stderr inside --gpu=GPU-00000000-0000 -- true
	refused 'no device GPU-00000000-0000'
}

@test "when many runs ask for GPUs at once, each GPU goes to one run" {
	local i
	# (all runs wait at one lock and pass it together)
	flock --no-fork /run/ces sleep 60 3>&- &
	clients[0]=$!
	for i in 1 2 3 4 5 6 7; do hold $i "$([ $((i % 2)) = 0 ] && echo alice || echo bob)" --gpu; done
	waiting() { [ "$(pgrep -x 'ces-helper|ces-admit|ces-session' | xargs -I{} find /proc/{}/fd -lname /run/ces | wc -l)" -ge 7 ]; }
	eventually waiting
	kill ${clients[0]}
	for i in 1 2 3 4 5 6 7; do eventually grep -q . $lab/up.$i $lab/err.$i; done
	cat $lab/up.? $lab/err.?
	[ "$(cat $lab/up.? | sort)" = "$(printf '0:0\n0:1\n1')" ]
	[ "$(cat $lab/err.? | grep -c "you asked for 1 of this machine's GPUs, and 0 are free")" -eq 4 ]
}

@test "a GPU in use is refused by any of its names; a slice in use does not block the other slices" {
	hold 1 bob --gpu=1
	hold 2 bob --gpu=0:0
	held 1
	held 2
	remember
	run --separate-stderr inside --gpu=$uuid -- true
	refused 'in use by another run'
	[[ $stderr != *bob* && $stderr != *4402* ]]
	specify '.devices += [{name: "whole", containerEdits: {deviceNodes: [{path: "/dev/nvidia0"}]}}]'
	remember
	run --separate-stderr inside --gpu=whole -- true
	refused 'in use by another run'
	run inside --gpu=MIG-e47d1b05-82a4-5c19-b7f3-6d90a1c25e48 -- true
	[ "$status" -eq 0 ]
}

# bats test_tags=device-program
@test "after a crash the GPUs of a killed helper can be had again" {
	for who in alice bob; do
		hold 1 $who --gpu=1
		held 1
		kill -KILL "$(pgrep -P ${clients[1]} -x 'ces-helper|ces-admit|ces-session')"
		who=alice run inside --gpu=$uuid -- sh -c 'echo $NVIDIA_VISIBLE_DEVICES'
		[ "$output" = $uuid ]
	done
	eventually test -z "$(ls /run/ces)"
}

# (a process that waits for a frozen file system, as others wait in a driver, does not end when it is killed)
@test "while a process of a killed helper's run cannot end, nobody else gets its GPU" {
	gpu_policy '.defaults.outputs = {source: "~/results"}'
	setpriv --reuid=bob --regid=bob --init-groups --reset-env env -C /home/bob ces-client run -q --gpu=1 $open/tools:1 \
		sh -c 'while :; do echo x > /safe_outputs/up; done' 3>&- < /dev/null &
	clients[1]=$!
	eventually test -e /home/bob/results/up
	fsfreeze -f /home/bob/results
	kill -KILL "$(pgrep -P ${clients[1]} -x 'ces-helper|ces-admit|ces-session')"
	run --separate-stderr inside --gpu=$uuid -- true
	fsfreeze -u /home/bob/results
	gpu_policy
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"in use by another run"* ]]
	had() { [ "$(inside --gpu=$uuid -- sh -c 'echo $NVIDIA_VISIBLE_DEVICES')" = $uuid ]; }
	eventually had
	cleared() { [ -z "$(ls /run/ces)" ]; }
	eventually cleared
}

@test "GPUs that are not exclusive are shared evenly, but not with a run that has one alone" {
	gpu_policy '.defaults.gpus.exclusive = false | .defaults.gpus.devices = ["1", "0:0"]
		| .projects["nsh-2024-0002"].gpus.exclusive = true'
	for i in 1 2 3; do
		hold $i alice --gpu
		held $i
	done
	cat $lab/up.[123]
	[ "$(cat $lab/up.[123] | tr '\n' ' ')" = "1 0:0 1 " ]
	remember
	who=bob run --separate-stderr inside --gpu -- true
	refused '0 are free'
}

in_job() # as inside
{
	(echo "$BASHPID" > $group/tasks && inside "$@")
}

# bats test_tags=cgroup-v1
@test "in a job, a run gets only the devices that the job may open" {
	group=/sys/fs/cgroup/devices/ces-job-$BASHPID
	mkdir -p $group
	remember
	echo 'c 195:1 rwm' > $group/devices.deny
	run --separate-stderr in_job --gpu=$uuid -- true
	refused 'not open to your job'
	run in_job --gpu -- sh -c 'echo $NVIDIA_VISIBLE_DEVICES'
	[ "$output" = 0:0 ]
	eventually rmdir $group
}

# bats test_tags=device-program
@test "in a job whose devices a program limits, a run gets only the devices that the job may open" {
	group=/sys/fs/cgroup
	[ "$(stat -fc %T $group)" = cgroup2fs ] || group=$group/unified
	group=$group/ces-job-$BASHPID
	mkdir -p $group
	remember
	"${B:-build}/tests/deny_driver" $group 195 1
	run --separate-stderr in_program_job --gpu=$uuid -- true
	refused 'not open to your job'
	run in_program_job --gpu=2 -- sh -c 'echo $NVIDIA_VISIBLE_DEVICES'
	eventually rmdir $group
	echo "$output"
	[ "$output" = 0:0,0:1 ]
}

in_program_job()
{
	(echo "$BASHPID" > $group/cgroup.procs && inside "$@")
}

# A run with the changed specification is refused.
bad() # PATTERN FILTER
{
	specify "$2"
	remember
	run --separate-stderr inside --gpu=3 -- true
	refused "$1" || { echo "not refused as it should: $2"; return 1; }
}

@test "a node that differs from its specification, or that no container may have, is refused" {
	local one='.devices[0:2][].containerEdits.deviceNodes[0]' all='.containerEdits.deviceNodes'
	bad 'nvidia1 is device 195:1, and the specification says 195:7' "($one).minor = 7"
	bad 'nvidia-uvm is device 507:0, and the specification says 511:0' "${all}[2].major = 511"
	bad 'nvidia-link is not a character device|symbolic' "($one) = {path: \"/dev/nvidia-link\"}"
	bad 'nvidia-file is not a character device' "($one) = {path: \"/dev/nvidia-file\"}"
	bad 'nvidia9: No such file' "($one) = {path: \"/dev/nvidia9\"}"
	bad '/dev/sda is not a device that CES gives' "$all += [{path: \"/dev/sda\"}]"
	bad '/dev/sda is not a character device' "$all += [{path: \"/dev/nvidia-x\", hostPath: \"/dev/sda\"}]"
	bad '/dev/mem .1:1. is not a device that CES gives' "$all += [{path: \"/dev/nvidia-x\", hostPath: \"/dev/mem\"}]"
	bad '/dev/null is not a device that CES gives' "$all += [{path: \"/dev/null\", hostPath: \"/dev/nvidia2\"}]"
	bad 'not a device that CES gives' "$all += [{path: \"/etc/nvidia\"}]"
	bad 'nvidia-x is not a device that CES gives' "$all += [{path: \"/dev/nvidia-x\", type: \"b\"}]"
	bad 'nvidia-cap1 .237:1. is not a device that CES gives' "$all += [{path: \"/dev/nvidia-caps/nvidia-cap1\"}]"
	bad 'card2 .226:2. is not a device that CES gives' "$all += [{path: \"/dev/dri/x\", hostPath: \"/dev/dri/card2\"}]"
}

@test "a driver file that is a link, that others may write, or that goes to a forbidden place is refused" {
	local add='.containerEdits.mounts += [{hostPath: "%s", containerPath: "%s"}]' f to
	install -m 755 /dev/null /usr/lib64/libgood.so.1
	ln -sf /etc/shadow /usr/lib64/libbad.so.1
	install -m 666 /dev/null /usr/lib64/libopen.so.1
	install -o alice /dev/null /usr/lib64/libalice.so.1
	mkfifo -m 644 /usr/lib64/libfifo.so.1
	for f in bad:'a symbolic link' open:"not root's alone" alice:"not root's alone" fifo:'neither a file' gone:'No such file'; do
		bad "lib${f%%:*}.so.1, a file of the GPU's driver: ${f#*:}" \
			"$(printf "$add" /usr/lib64/lib${f%%:*}.so.1 /usr/lib64/lib${f%%:*}.so.1)"
	done
	for to in /usr /usr/lib64 /etc/passwd /etc/ld.so.preload /proc/x /sys/x /safe_data/x /bin/sh /root/x /lib64/x.so \
		/usr/lib/ces-gpu/x; do
		bad 'does not put anything there' "$(printf "$add" /usr/lib64/libgood.so.1 $to)"
	done
	for to in libc.so::/etc/x ::/usr/lib64/x.so no-colons x::relative x::/usr/../etc/x; do
		bad 'not a link that CES makes' ".containerEdits.hooks[0].args += [\"--link\", \"$to\"]"
	done
	rm -f /usr/lib64/lib{good,bad,open,alice,fifo}.so.1
}

@test "a specification that others could write, or that CES does not understand, is refused" {
	bad 'is not a key that CES knows' '.containerEdits.netDevices = []'
	bad 'is not a key that CES knows' '.devices[0].containerEdits.deviceNodes[0].extra = 1'
	bad 'cdiVersion must be' '.cdiVersion = "9.9.9"'
	bad 'two devices have the name 1' '.devices += [.devices[0]]'
	bad 'at most 512' '.containerEdits.mounts = [range(600) | {hostPath: "/usr/x", containerPath: "/usr/x"}]'
	bad 'no specification of the kind nvidia.com/gpu' '.kind = "nvidia.com/other"'
	bad 'no specification of the kind nvidia.com/gpu' '.kind = "vendor.com/net" | .containerEdits.netDevices = []'
	tampered "chmod 666 $spec" 'writable by others'
	tampered "chmod 777 /etc/cdi" 'writable by others'
	tampered "chown alice $spec" 'not owned by root'
	tampered "mv $spec /srv/x.json; ln -s /srv/x.json $spec" 'symbolic link'
	tampered "rm $spec; mkfifo $spec" 'not a regular file'
	tampered "truncate -s 100 $spec" 'has no end'
	tampered "printf '{\"a\":%.0s' {1..40} > $spec" 'nested too deeply'
	tampered "sed -i '0,/\"kind\"/s//\"kind\": \"a.b\\/c\", \"kind\"/' $spec" 'written twice'
	tampered "rm $spec" 'no specification'
	tampered "rm -r /etc/cdi; ln -s /home/alice /etc/cdi" 'symbolic|Too many levels'
}

tampered() # COMMAND PATTERN
{
	specify
	bash -c "$1"
	remember
	run --separate-stderr inside --gpu=1 -- true
	refused "$2" || { echo "not refused as it should: $1"; return 1; }
}

@test "a GPU of another maker is granted in the same way" {
	rm -r /etc/cdi
	install -d -m 755 /etc/cdi
	mknod -m 666 /dev/kfd c 511 0
	jq -n '{cdiVersion: "0.6.0", kind: "amd.com/gpu", devices: [129, 130 | {name: "\(. - 129)", containerEdits:
		{deviceNodes: [{path: "/dev/kfd"}, {path: "/dev/dri/card2"}, {path: "/dev/dri/renderD\(.)"}]}}]}' > /etc/cdi/amd.json
	mknod -m 666 /dev/dri/renderD130 c 226 130
	hold 1 bob --gpu
	held 1
	run inside --gpu -- sh -c 'cd /dev; find kfd dri -type c'
	[ "$output" = "$(printf 'kfd\ndri/renderD130')" ]
	rm /dev/kfd /dev/dri/renderD130
}
