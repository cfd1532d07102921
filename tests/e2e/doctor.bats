#!/usr/bin/env bats
# doctor: its findings on fit and unfit machines.

load ../lib/e2e.bash

setup_file() { lab_policy; }
setup() { remember; }
teardown()
{
	umount /usr/libexec/ces 2> /dev/null || true
	umount -l /run/small 2> /dev/null || true
	chown root:root $helper
	chmod 4755 $helper
	chmod 711 /usr/libexec/ces/ces-fetch
	chmod 755 /etc/ces
	rm -rf /run/systemd/system /etc/systemd/system/timers.target.wants/ces-janitor.timer
	rm -rf /usr/local/bin/{crun-old,old}
	lab_policy
}

# Fails unless doctor, run by alice, finds a fault: status 1, this line, and a remedy below it.
unfit() # PATTERN REMEDY
{
	remember # includes what the test has broken
	run --separate-stderr ces alice doctor
	echo "status $status, stderr: $stderr"
	echo "$output"
	[ "$status" -eq 1 ]
	grep -A1 -E "^problem +$1" <<< "$output" | grep -qE "^ +-> .*$2"
	[ "${lines[-1]}" = "this machine is not fit for CES" ]
	nothing_left_behind
}

warned() # PATTERN REMEDY
{
	run --separate-stderr ces "${who:-alice}" doctor
	echo "$output"
	[ "$status" -eq 0 ]
	grep -A1 -E "^warning +$1" <<< "$output" | grep -qE "^ +-> .*$2"
}

@test "on a fit machine the status is 0, every check has an answer, and nothing changes" {
	run --separate-stderr ces alice doctor
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	for check in helper workers policy answer kernel namespaces cgroups selinux runtime ids store directories registries you home data; do
		grep -qE "^ok +$check" <<< "$output"
	done
	[ "${lines[-1]}" = "this machine is fit for CES" ]
	[ "$(journal_lines)" -eq "$before_lines" ]
	nothing_left_behind
}

# bats test_tags=without-selinux
@test "where the policy requires SELinux and it is off, the machine is unfit, and nothing is pulled, run or listed" {
	lab_policy '.host.selinux = "required"'
	unfit 'selinux +SELinux is off' 'SELINUX=enforcing'
	remember
	run --separate-stderr pull alice $open/tools:1
	refused 'SELinux is off on this machine, and the policy requires it'
	[ "$(grep -c 'ces-client doctor' <<< "$stderr")" -eq 1 ]
	journal_new -e '.outcome == "denied" and .rule == "host.selinux"'
	run --separate-stderr ces alice run $open/tools:1
	[ "$status" -eq 125 ]
	run --separate-stderr ces alice images
	[ "$status" -eq 125 ]
}

@test "--format json has the same findings, and -q only warnings and problems" {
	run --separate-stderr ces alice doctor --format json
	[ "$status" -eq 0 ]
	jq -e '.fit and (.checks | length > 12) and all(.checks[]; .check and .text and (.state == "ok" or .remedy != null))' <<< "$output"
	run --separate-stderr ces alice doctor -q
	[ "$status" -eq 0 ]
	no grep -E '^ok' <<< "$output"
}

@test "a helper that is not setuid, can be changed by others, is on a nosuid mount, or has no ces-admit or ces-session" {
	chmod 755 $helper
	unfit 'helper .* is not setuid' "chmod 4755 $helper"
	chmod 4775 $helper
	unfit 'helper .* changed by others' "chmod 4755 $helper"
	chown alice $helper
	unfit 'helper .* changed by others' "chown root:root $helper && chmod 4755 $helper"
	# the advice is enough, though chown takes the setuid bit away
	eval "$(sed -n 's/^ *-> as root: \(chown.*ces-helper\)$/\1/p' <<< "$output")"
	ces alice doctor > /dev/null
	for p in ces-admit ces-session; do
		mv /usr/libexec/ces/$p /usr/libexec/ces/away
		unfit "helper .*$p: No such file" 'install CES again'
		mv /usr/libexec/ces/away /usr/libexec/ces/$p
	done
	mount --bind /usr/libexec/ces /usr/libexec/ces
	mount -o remount,bind,nosuid /usr/libexec/ces
	run --separate-stderr ces alice doctor
	[ "$status" -eq 1 ]
	[[ $output == *"mounted nosuid"* ]]
}

@test "a store or journal that is open to others is a problem, and the advice mends it" {
	local path=/var/log/ces/audit.jsonl
	mended() { eval "$(grep -A1 "^problem  directories $1 is open" <<< "$output" | sed -n 's/^ *-> as root: //p')"; ces alice doctor > /dev/null; }
	for dir in /var/lib/ces /var/log/ces; do
		chmod 755 $dir
		unfit "directories $dir is open to others" "chown root:root $dir && chmod 700 $dir"
		mended $dir
		chown alice $dir
		unfit "directories $dir is open to others" "chown root:root $dir && chmod 700 $dir"
		mended $dir
	done
	chmod 644 $path
	unfit 'answer .*the journal must be' 'as root: ces-client doctor; then see the last lines'
	run --separate-stderr ces-client doctor
	[ "$status" -eq 1 ]
	mended $path
}

@test "a session that may not start setuid programs is a problem" {
	run --separate-stderr as alice setpriv --no-new-privs ces-client doctor
	[ "$status" -eq 1 ]
	[[ $output == *"no_new_privs is set"*"use another login"* ]]
}

@test "a worker without its user, or its program, is a problem" {
	for user in ces-fetch ces-resolve ces-unpack ces-relay; do
		userdel $user
		run --separate-stderr ces alice doctor
		useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin $user
		echo "$output"
		[ "$status" -eq 1 ]
		[[ $output == *"there is no user $user"*"useradd --system"*"$user"* ]]
	done
	remember
	chmod 757 /usr/libexec/ces/ces-fetch
	unfit 'workers .*ces-fetch can be changed by others' 'chmod go-w'
}

@test "a policy that is missing, not root's alone, or not understood is a problem" {
	mv /etc/ces/policy.json /etc/ces/away
	unfit 'policy .*policy.json' 'as root: write one'
	mv /etc/ces/away /etc/ces/policy.json
	chmod 666 /etc/ces/policy.json
	unfit 'policy ' 'chmod 644 /etc/ces/policy.json'
	chmod 644 /etc/ces/policy.json
	sed -i 's/"site"/"sight"/' /etc/ces/policy.json
	unfit 'policy .*sight' 'ces-policy check'
	echo '{' > /etc/ces/policy.json
	unfit 'policy ' 'ces-policy check'
	[[ $output == *"the helper refuses"* ]]
}

@test "a policy directory that others can write is reported with what to type, and everything is denied" {
	chmod 777 /etc/ces
	unfit 'policy .*directory "ces" is writable by others than root' 'chmod 755 /etc/ces'
	remember
	run --separate-stderr ces alice run $open/tools:1 true
	refused 'writable by others'
	chown alice /etc/ces
	chmod 755 /etc/ces
	remember
	run --separate-stderr ces alice doctor
	echo "$output"
	chown root /etc/ces
	[ "$status" -eq 1 ]
	[[ $output == *"is not owned by root"*"chown root:root /etc/ces"* ]]
	chmod 775 /etc
	run --separate-stderr ces alice doctor
	chmod 755 /etc
	echo "$output"
	[[ $output == *'directory "etc" is writable by others'*"chown root:root /etc && chmod 755 /etc,"* ]]
}

@test "for a policy that allows nothing, as it comes with the package, doctor says where to begin" {
	cp policy/default.json /etc/ces/policy.json
	warned 'policy .*allows nothing' 'man 7 ces'
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"man 7 ces"* ]]
}

@test "a kernel that is too old, or lacks a call, is a problem" {
	run --separate-stderr as alice setarch "$(uname -m)" --uname-2.6 ces-client doctor
	[ "$status" -eq 1 ]
	grep -A1 -E '^problem +kernel +Linux 2\.6' <<< "$output" | grep -q 'install Linux 5.19'
	for call in openat2 mount_setattr; do
		run --separate-stderr as alice strace -f -o /dev/null -e inject=$call:error=ENOSYS ces-client doctor
		echo "$output"
		[ "$status" -eq 1 ]
		grep -A1 -E "^problem +kernel +it lacks $call" <<< "$output" | grep -q 'install Linux 5'
	done
}

@test "a full file system below the journal is reported, and everything is denied" {
	mount -t tmpfs -o size=64k,mode=700 full /var/log/ces
	lab_label
	head -c 1M /dev/zero > /var/log/ces/full 2> /dev/null || true
	run --separate-stderr ces alice doctor
	cause=$(ces alice run $open/tools:1 true 2>&1) && denied=0 || denied=$?
	umount /var/log/ces
	echo "$output"
	[ "$status" -eq 1 ]
	grep -A1 -E '^problem +journal +/var/log/ces has .* free' <<< "$output" | grep -q 'make room'
	[ "$denied" -eq 125 ]
	[[ $cause == *"journal"* ]]
}

@test "a machine without systemd, or without the janitor, gets a warning for each" {
	warned 'services +systemd does not run here' 'ces-client clean'
	mkdir -p /run/systemd/system
	warned 'services +.*ces-janitor.timer' 'systemctl enable --now ces-janitor.timer'
	mkdir -p /etc/systemd/system/timers.target.wants
	ln -s /usr/lib/systemd/system/ces-janitor.timer /etc/systemd/system/timers.target.wants/
	run --separate-stderr ces alice doctor
	grep -qE '^ok +services +ces-janitor.timer is enabled' <<< "$output"
}

@test "a machine with systemd and without ces.service gets a warning; with it doctor says where runs are" {
	mkdir -p /run/systemd/system
	warned 'cgroups +systemd delegates none to CES: ces.service is not active' 'systemctl enable --now ces.service'
	unit=/sys/fs/cgroup
	[ ! -d $unit/unified ] || unit=$unit/unified
	unit=$unit/system.slice/ces.service
	mkdir -p $unit
	run --separate-stderr ces alice doctor
	rmdir $unit ${unit%/*} 2> /dev/null || true
	grep -qE "^ok +cgroups +runs are in $unit" <<< "$output"
	# (if the policy names another place, doctor is silent)
	lab_policy '.host.cgroup_parent = "/ces.slice"'
	run --separate-stderr ces alice doctor
	no grep -E 'ces.service' <<< "$output"
}

@test "a policy whose review, projects or rules have ended gets a warning" {
	lab_policy '.review_by = "2025-01-31" | .projects["nsh-2024-0001"].images[0].expires = "2025-02-28"'
	warned 'policy .*review was due by 2025-01-31' 'review the policy, then set a new review_by'
	[[ $output == *"projects.nsh-2024-0003 ended on 2024-12-31"* ]]
	[[ $output == *"projects.nsh-2024-0001.images[0] (ghcr.io/epcced/*) ended on 2025-02-28"* ]]
}

@test "a runtime that is missing, too old, without seccomp, unknown or changeable by others is reported" {
	lab_policy '.host.runtime = "/usr/bin/no-such-runtime"'
	unfit 'runtime .*No such file' 'install crun'
	lab_policy '.host.runtime = "/usr/local/bin/crun-old"'
	printf '#!/bin/sh\necho crun version 1.5\necho +CAP +SECCOMP\n' > /usr/local/bin/crun-old
	chmod 755 /usr/local/bin/crun-old
	unfit 'runtime .*too old: crun version 1.5' 'crun 1.8 or later'
	printf '#!/bin/sh\necho crun version 1.20\necho +CAP\n' > /usr/local/bin/crun-old
	unfit 'runtime .*without seccomp' 'install crun'
	lab_policy '.host.runtime = "/usr/local/bin/old/runc"'
	install -D -m 755 /usr/local/bin/crun-old /usr/local/bin/old/runc
	printf '#!/bin/sh\necho runc version 1.2.7\n' > /usr/local/bin/old/runc
	warned 'runtime +runc before 1.2.8 .*CVE-2025-31133' 'install runc 1.2.8 or later'
	printf '#!/bin/sh\necho runc version 1.2.8\n' > /usr/local/bin/old/runc
	run ces alice doctor
	no grep -q 'runc before' <<< "$output"
	lab_policy '.host.runtime = "/usr/local/bin/crun-old"'
	printf '#!/bin/sh\nprintf "youki \\033[31m version 0.1\\n"\n' > /usr/local/bin/crun-old
	warned 'runtime .*neither crun nor runc.*youki .\[31m' 'name crun or runc'
	chmod 777 /usr/local/bin/crun-old
	unfit 'runtime .*changed by others' 'chmod 755'
}

@test "a runtime that hangs is given up" {
	lab_policy '.host.runtime = "/usr/local/bin/crun-old"'
	printf '#!/bin/sh\nexec sleep 60\n' > /usr/local/bin/crun-old
	chmod 755 /usr/local/bin/crun-old
	SECONDS=0
	run --separate-stderr ces alice doctor
	[ "$SECONDS" -lt 50 ]
	no pgrep -u alice -x sleep
}

@test "a registry that does not answer is a warning; no registry at all is a problem" {
	warned 'registries .*down.tre.test' 'network, the certificate, and the endpoint'
	[[ $output == *"open.tre.test is reached"* ]]
	lab_policy '.registries = {"down.tre.test": .registries["down.tre.test"], "x.test": {"endpoint": "https://no-such-host.test"}}'
	unfit 'registries +down.tre.test .*nothing answers' 'network'
	[[ $output == *"x.test is not reached"*"its name is not known here"* ]]
}

@test "a registry's TLS is tried as a pull tries it, and doctor names the CA file" {
	cp $lab/stranger-ca.pem /etc/ces/other.pem
	chmod 644 /etc/ces/other.pem
	lab_policy '.registries["open.tre.test"].ca_file = "/etc/ces/other.pem"'
	warned 'registries +open.tre.test is not reached .*certificate' 'certificate'
	lab_policy '.registries["open.tre.test"].ca_file = "/etc/ces/none.pem"'
	unfit 'registries +open.tre.test: ca_file /etc/ces/none.pem: No such file' 'ca_file in the policy'
	lab_policy '.registries["open.tre.test"].ca_file = "/etc/ces/other.pem"'
	cp $lab/ca.pem /etc/ces/other.pem
	chmod 666 /etc/ces/other.pem
	unfit 'registries +open.tre.test: others than root can change' 'chmod 644 /etc/ces/other.pem'
	chmod 644 /etc/ces/other.pem
	run ces alice doctor
	rm /etc/ces/other.pem
	[[ $output == *"open.tre.test is reached"* ]]
}

@test "the caller's projects are listed, or their groups if they are in none" {
	run ces carol doctor
	[ "$status" -eq 0 ]
	grep -qE '^ok +you +carol is in project nsh-2024-0001$' <<< "$output"
	grep -qE '^ok +you +carol is in project nsh-2024-0002$' <<< "$output"
	grep -qE '^ok +home +/home/carol$' <<< "$output"
	grep -qE '^ok +data +/safe_data/nsh-2024-0002$' <<< "$output"
	run ces dave doctor
	echo "$output"
	[ "$status" -eq 0 ]
	grep -A1 -E '^warning +you +dave is in no project of the policy; the user.s groups: dave' <<< "$output" | grep -q 'coordinator to add dave'
	lab_policy '.contact = "the data office"'
	run --separate-stderr ces dave doctor
	[[ $output == *"-> ask the data office to add dave to a project"* ]]
	lab_policy 'del(.contact)'
	run --separate-stderr ces dave doctor
	[[ $output == *"-> ask your administrator to add dave to a project"* ]]
	run ces erin doctor
	grep -qE '^warning +you +erin is in project nsh-2024-0003, which has ended' <<< "$output"
	run ces frank doctor
	[ "$status" -eq 1 ]
	grep -A1 -E '^problem +data +/safe_data/nsh-2024-0004: No such file' <<< "$output" | grep -q 'change the policy'
}

@test "data that runs can write and that are not mounted nosuid get a warning" {
	who=bob warned 'data +/safe_data/nsh-2024-0002 can be written by runs and is not mounted nosuid' 'mount its file system with nosuid'
	no grep -q 'nsh-2024-0001.*nosuid' <<< "$output"
	mount -o remount,bind,nosuid /safe_data
	run --separate-stderr ces bob doctor
	mount -o remount,bind,suid /safe_data
	echo "$output"
	[ "$status" -eq 0 ]
	grep -qE '^ok +data +/safe_data/nsh-2024-0002$' <<< "$output"
	no grep -q nosuid <<< "$output"
}

@test "links on the way to home and data are reported: root's links, and links that are not followed" {
	mv /home/alice /home/alice.here
	ln -s alice.here /home/alice
	run ces alice doctor
	echo "$output"
	grep -qE "^ok +home +/home/alice is /home/alice.here, behind a symbolic link of root's" <<< "$output"
	chown -h bob /home/alice
	run ces alice doctor
	rm /home/alice
	mv /home/alice.here /home/alice
	echo "$output"
	[ "$status" -eq 1 ]
	grep -A1 -E '^problem +home +/home/alice: /home/alice is a symbolic link that root does not own' <<< "$output" | grep -q 'chown -h root'
}

@test "a store with little space is a problem" {
	mount -t tmpfs -o size=300M,mode=755 small $store
	lab_label
	run --separate-stderr ces alice doctor
	umount $store
	echo "$output"
	[ "$status" -eq 1 ]
	grep -A1 -E "^problem +store +$store has 300 MiB free" <<< "$output" | grep -q 'make room'
}

# Writes a policy that grants GPUs, and one specification of GPUs, changed by a jq filter.
gpus() # FILTER
{
	lab_policy '.defaults.gpus.max = 2'
	rm -rf /etc/cdi
	install -d -m 755 /etc/cdi
	jq "$1" tests/lib/lab/cdi/nvidia.json > /etc/cdi/nvidia.json
}

@test "a specification of GPUs that others can write, or in a directory that they can write, is a problem" {
	gpus '.devices = [] | .containerEdits = {}'
	chmod 666 /etc/cdi/nvidia.json
	unfit 'gpus .*/etc/cdi/nvidia.json: it is writable by others' 'chmod 644 /etc/cdi/nvidia.json'
	chmod 644 /etc/cdi/nvidia.json
	chown alice /etc/cdi/nvidia.json
	unfit 'gpus .*not owned by root' 'chown root:root'
	chown root /etc/cdi/nvidia.json
	chmod 777 /etc/cdi
	unfit 'gpus .*/etc/cdi can be changed by others' 'chmod 755 /etc/cdi'
	rm /etc/cdi/nvidia.json
	unfit 'gpus .*/etc/cdi can be changed by others' 'chmod 755 /etc/cdi'
	rm -rf /etc/cdi
}

@test "a specification of GPUs that is malformed, a link, a directory, or endless is a problem" {
	gpus .
	echo '{"kind": ' > /etc/cdi/nvidia.json
	unfit 'gpus .*/etc/cdi/nvidia.json: line' 'nvidia-ctk cdi generate --format=json --output=/etc/cdi/nvidia.json'
	gpus '.extra = 1'
	unfit 'gpus .*extra is not a key' 'nvidia-ctk'
	rm /etc/cdi/nvidia.json
	ln -s nvidia.json /etc/cdi/nvidia.json
	unfit 'gpus .*/etc/cdi/nvidia.json' 'chown root:root'
	rm /etc/cdi/nvidia.json
	mkdir -p /etc/cdi/nvidia.json/nvidia.json
	unfit 'gpus .*/etc/cdi/nvidia.json' 'chown root:root'
	rm -rf /etc/cdi
	mkfifo -m 644 /tmp/cdi.json
	install -d -m 755 /etc/cdi
	mv /tmp/cdi.json /etc/cdi/nvidia.json
	unfit 'gpus .*not a regular file' 'chown root:root'
	rm -rf /etc/cdi
	install -d -m 755 /etc/cdi
	yes '[' | tr -d '\n' | head -c 100000 > /etc/cdi/nvidia.json
	unfit 'gpus .*/etc/cdi/nvidia.json' 'nvidia-ctk'
	rm -rf /etc/cdi
}

@test "a specification of GPUs that names a disk, a missing device, or a device of another number is a problem" {
	gpus '.devices[0].containerEdits.deviceNodes[0] = {path: "/dev/sda"}'
	unfit 'gpus .*/etc/cdi/nvidia.json names /dev/sda, which is not a device that CES gives to a run' 'nvidia-ctk'
	gpus '.devices[0].containerEdits.deviceNodes[0] = {path: "/dev/nvidia0", hostPath: "/dev/null"}'
	unfit 'gpus .*names /dev/null, which is not a device that CES gives to a run' 'nvidia-ctk'
	gpus '.devices[0].containerEdits.deviceNodes[0] = {path: "/dev/nvidia77"}'
	unfit 'gpus .*names /dev/nvidia77: No such file' 'nvidia-ctk'
	rm -rf /etc/cdi
}

@test "GPUs that are granted and missing, and hooks that CES leaves out, get warnings" {
	gpus '.devices = [] | .containerEdits = {hooks: [{hookName: "createContainer", path: "/usr/bin/x", args: ["x", "magic"]}]}'
	warned 'gpus .*a hook that CES neither runs nor knows: x magic' 'needs the GPU'
	rm -rf /etc/cdi
	warned 'gpus .*grants GPUs, but this machine has no specification' 'nvidia-ctk cdi generate'
	lab_policy
	run --separate-stderr ces alice doctor
	grep -qE '^ok +gpus +the policy grants none' <<< "$output"
}

@test "subordinate ids that others use too get a warning" {
	cp -a /etc/subuid $lab/subuid 2> /dev/null || touch $lab/subuid
	echo 'alice:2000065536:65536' >> /etc/subuid
	run --separate-stderr ces alice doctor
	cp -a $lab/subuid /etc/subuid
	[[ $output == *"/etc/subuid gives alice ids from 2000065536, which CES uses too"* ]]
}

@test "when root asks, doctor advises to ask as a user too" {
	run --separate-stderr ces-client doctor
	[ "$status" -eq 0 ]
	[[ $output == *"does not serve root"* ]]
}

@test "a proxy of the policy that does not answer gets a warning; one that answers is good" {
	lab_policy '.projects["nsh-2024-0001"].network.proxy = "http://127.0.0.1:8999"
		| .projects["nsh-2024-0002"].network.proxy = "http://open.tre.test:5001"'
	warned 'proxy +http://127.0.0.1:8999 is not reached: nothing answers there' 'network.proxy in the policy'
	grep -qE '^ok +proxy +http://open.tre.test:5001 is reached' <<< "$output"
	lab_policy
}
