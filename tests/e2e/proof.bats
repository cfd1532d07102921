#!/usr/bin/env bats
# The proof of a run: the kernel's account of the container is on record before the program begins. A container that differs
# from its plan must never run a program.

load ../lib/e2e.bash

deviant=/usr/lib/ces-deviant # a runtime that disobeys, under the name of the one under test

setup_file()
{
	lab_policy
	have alice tools user-number
	install -d -m 755 $deviant
	cat > $deviant/runtime <<-'SH'
	#!/bin/sh
	mkdir /run/deviant
	jq -f /usr/lib/ces-deviant/filter /bundle/config.json > /run/deviant/config.json
	. /usr/lib/ces-deviant/before
	for word; do
	    shift
	    [ "$word" != --bundle=/bundle ] || word=--bundle=/run/deviant
	    set -- "$@" "$word"
	done
	. /usr/lib/ces-deviant/real
	SH
	chmod 755 $deviant/runtime
	real=${CES_TEST_RUNTIME:-/usr/bin/crun}
	echo "exec $real \"\$@\"" > $deviant/real
	mv $deviant/runtime $deviant/"$(basename "$real")"
	! lab_has_selinux || chcon -R -t bin_t $deviant
}
setup() { remember; }
teardown()
{
	lab_policy
	rm -rf /home/*/outputs_*
}

# Makes the runtime change its configuration by FILTER from here on, after COMMANDS of its own.
deviate() # FILTER [COMMANDS]
{
	echo "$1" > $deviant/filter
	echo "${2:-}" > $deviant/before
	CES_TEST_RUNTIME=$deviant/$(basename "${CES_TEST_RUNTIME:-/usr/bin/crun}") lab_policy
}

# Fails unless a run by that runtime ends before its program begins, and CES says why.
ended_unbegun() # PATTERN [OPTION...]
{
	local pattern=$1
	shift
	remember
	run --separate-stderr inside "$@" -- sh -c 'echo ran; touch /safe_outputs/ran'
	echo "status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 125 ]
	[ -z "$output" ]
	[[ $stderr == "ces: "*"before its program began"* ]]
	[[ $stderr =~ $pattern ]]
	[ -z "$(outputs alice)" ]
	nothing_left_behind
	journal_new -s -e 'map(.event) == ["decision", "proof", "end"] and .[1].outcome == "deviates" and .[2].status == 125
		and (.[1].reason | length > 0) and (.[2].reason | contains("before its program began"))' > /dev/null
	[[ $(journal_new -r 'select(.event == "proof") | .reason') =~ $pattern ]]
}

@test "the record has what /proc has inside" {
	run inside -- sh -c 'cat /proc/self/mountinfo; echo =; cat /proc/1/status; echo =; for n in /proc/self/ns/*; do readlink $n; done
		echo =; cat /proc/self/uid_map; echo =; cat /proc/self/gid_map; echo =; ls /sys/class/net; echo =
		find /dev -xdev -type c'
	[ "$status" -eq 0 ]
	awk -v RS='=\n' -v dir="$lab" '{ print > (dir "/part" NR) }' <<< "$output"
	proof=$(journal_new 'select(.event == "proof")')
	[ "$(jq -r .outcome <<< "$proof")" = "as planned" ]
	# every mount with its flags; the hidden paths are counted
	[ "$(jq '(.mounted | length) + .masked' <<< "$proof")" -eq "$(grep -c . $lab/part1)" ]
	while read -r line; do grep -qxF "$line" <(jq -r '.mounted[]' <<< "$proof") || echo "$line"; done \
		< <(awk 'NF { for (i = 7; $i != "-"; i++); print $5, $6, $(i + 1) }' $lab/part1) > $lab/unlisted
	[ "$(wc -l < $lab/unlisted)" -eq "$(jq .masked <<< "$proof")" ]
	no grep -vE '^/(proc|sys)/[^ ]+ .* tmpfs$' $lab/unlisted
	for set in CapInh=inheritable CapPrm=permitted CapEff=effective CapBnd=bounding CapAmb=ambient; do
		[ "$(awk -v k="${set%=*}:" '$1 == k { print $2 }' $lab/part2)" = "$(jq -r ".capabilities.${set#*=}" <<< "$proof")" ]
	done
	[ "$(awk '$1 == "Seccomp:" { print $2 }' $lab/part2)" = "$(jq -r .seccomp <<< "$proof")" ]
	[ "$(awk '$1 == "NoNewPrivs:" { print $2 }' $lab/part2)" = "$(jq -r .no_new_privs <<< "$proof")" ]
	for space in cgroup ipc mnt net pid user uts; do
		grep -qF "$space:[$(jq -r ".namespaces.$space" <<< "$proof")]" $lab/part3
	done
	[ "$(awk 'NF { print $1, $2, $3 }' $lab/part4 | paste -sd,)" = "$(jq -r .uid_map <<< "$proof")" ]
	[ "$(awk 'NF { print $1, $2, $3 }' $lab/part5 | paste -sd,)" = "$(jq -r .gid_map <<< "$proof")" ]
	[ "$(grep . $lab/part6)" = "$(jq -r '.network[]' <<< "$proof")" ]
	[ "$(sed -n 's|^/dev/||p' $lab/part7 | sort)" = "$(jq -r '.nodes[]' <<< "$proof" | sort)" ]
}

@test "the proof is on record before the program begins, and names its run" {
	ces alice run -q -i $open/tools:1 sh -c 'echo up; read x' \
		< <(eventually test -s $lab/up; tail -n +$((before_lines + 1)) $journal > $lab/then; echo) > $lab/up
	jq -s -e 'map(.event) == ["decision", "proof"] and .[1].user == "alice" and .[1].uid == 4401
		and .[1].project == "nsh-2024-0001" and .[1].run == .[0].run' $lab/then
}

@test "a terminal, an image's own user, a mount of the user's and a read-only root are proven too" {
	run as alice script -qec "ces-client run -q -t $open/tools:1 tty" /dev/null
	[ "$status" -eq 0 ]
	from=user-number run inside -- true
	[ "$status" -eq 0 ]
	run inside --mount type=tmpfs,destination=/opt/x,size=1M --read-only -- true
	[ "$status" -eq 0 ]
	[ "$(journal_new -s 'map(select(.event == "proof" and .outcome == "as planned")) | length')" -eq 3 ]
	journal_new -s -e 'map(select(.event == "proof")) | (.[0].mounted | any(startswith("/dev/console ")))
		and .[1].capabilities.effective == "0000000000000000" and (.[2].mounted | any(startswith("/opt/x ")))
		and (.[2].mounted | any(startswith("/ ro")))'
}

@test "audit show prints the proof of a run" {
	inside -- true
	n=$(journal_new -r 'select(.event == "proof") | .run')
	run ces-policy audit show "$n"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"as planned"* && $output == *"/safe_data ro,nosuid,nodev"* && $output == *CAP_CHOWN* ]]
}

@test "a runtime that only works in another way is no deviation" {
	deviate . 'sh -c "jq -n 1" > /run/own; cat /run/own > /dev/null'
	run inside -- sh -c 'echo ran'
	[ "$output" = ran ]
}

@test "a read-only mount that can be written ends the run before the program begins" {
	deviate '(.mounts[] | select(.destination == "/sys") | .options) -= ["ro"]'
	ended_unbegun '/sys can be written'
	deviate '.root.readonly = false'
	ended_unbegun '/ can be written' --read-only
	deviate '.linux.readonlyPaths = []'
	ended_unbegun 'is not protected from writing'
}

@test "data other than those that were opened end the run before the program begins" {
	deviate '(.mounts[] | select(.destination == "/safe_outputs") | .source) = "/d/2"'
	ended_unbegun '/safe_outputs is another directory'
	deviate '(.mounts[] | select(.destination == "/safe_data") | .source) = "/d/1"'
	ended_unbegun '/safe_data is another directory'
	deviate 'del(.mounts[] | select(.destination == "/safe_data"))'
	ended_unbegun '/safe_data is not mounted'
}

@test "a mount that nobody planned, or without its flags, ends the run before the program begins" {
	deviate '.mounts += [{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: []}]'
	ended_unbegun '/mnt is mounted, and is not in the plan'
	deviate '.mounts += [{destination: "/opt/host", type: "bind", source: "/usr", options: ["rbind", "ro", "nosuid", "nodev"]}]'
	ended_unbegun '/opt/host is mounted, and is not in the plan'
	deviate '(.mounts[] | select(.destination == "/dev/shm") | .options) -= ["nosuid", "nodev"]'
	ended_unbegun '/dev/shm is mounted without its flags'
	deviate '.linux.maskedPaths = []'
	ended_unbegun 'is not hidden'
}

@test "a capability too many, or a way to new ones, ends the run before the program begins" {
	deviate '.process.capabilities.bounding += ["CAP_SYS_ADMIN"]'
	ended_unbegun 'its bounding capabilities are'
	deviate '.process.capabilities |= map_values(. + ["CAP_NET_RAW"])'
	ended_unbegun 'its [a-z]+ capabilities are'
	deviate '.process.noNewPrivileges = false'
	ended_unbegun 'no_new_privs is not set'
}

@test "a missing or another system call filter ends the run before the program begins" {
	deviate 'del(.annotations) | del(.linux.seccomp)'
	ended_unbegun 'it has no system call filter'
	[ "$(basename "${CES_TEST_RUNTIME:-crun}")" = crun ] || return 0
	# one instruction, which allows every call
	deviate '.annotations["run.oci.seccomp_bpf_data"] = "BgAAAAAA/38="'
	ended_unbegun 'its system call filter is not the one of this installation'
	journal_new -s -e '.[1].seccomp_program == "another"'
	deviate 'del(.annotations) | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["acct"], action: "SCMP_ACT_ERRNO"}]}'
	ended_unbegun 'its system call filter is not the one of this installation'
}

@test "the filter is read back from the kernel; where the runtime makes its own, the record says so" {
	inside -- true
	case $(basename "${CES_TEST_RUNTIME:-crun}") in
	crun) word='as built' ;;
	*) word="the runtime's" ;;
	esac
	[ "$(journal_new -r 'select(.event == "proof") | .seccomp_program')" = "$word" ]
}

@test "a root other than the one that was made ends the run before the program begins" {
	deviate '.root.path = "/run/deviant/root"' 'cd /run/deviant; mkdir root t; for d in dev proc sys safe_data safe_outputs scratch; do mkdir t/$d; done; mount -t overlay -o lowerdir=/l/0:t,userxattr x root'
	ended_unbegun '/ is mounted without its flags|its SELinux context is' # (or by the label of the mount)
	deviate '.root.path = "/m/other"' 'mkdir -p /m/other/bin; cp /m/bin/busybox /m/other/bin/sh'
	ended_unbegun 'its root is another directory'
}

@test "another id, or a group too many, ends the run before the program begins" {
	deviate '.process.user.uid = 7'
	ended_unbegun 'its uid is'
	deviate '.process.user.additionalGids += [42]'
	ended_unbegun 'it is in the group'
}

# (One inside, startContainer, has the rights of the program and no more.)
@test "a hook beside the container that is a file of the image's ends the run before the program begins" {
	for hook in prestart createRuntime createContainer; do
		deviate ".hooks.$hook = [{path: \"/m/bin/busybox\", args: [\"sh\", \"-c\", \"echo ran\"]}]"
		ended_unbegun 'its mnt namespace is|its /proc shows|capabilities are'
	done
}

@test "a terminal that nobody asked for ends the run before the program begins" {
	[ "$(basename "${CES_TEST_RUNTIME:-crun}")" = crun ] || return 0 # (runc wants a controlling one)
	# (the runtime itself needs one, or may end before the program is held)
	deviate '.process.terminal = true' \
		'mkdir /run/pts; mount -t devpts -o newinstance,ptmxmode=666 pts /run/pts; exec < /run/pts/ptmx'
	ended_unbegun '/dev/console is mounted, and is not in the plan'
}

@test "a network other than the empty one ends the run before the program begins" {
	deviate '.linux.namespaces += [{type: "network"}]'
	ended_unbegun 'its net namespace is not the one made for it'
	deviate . 'ip link add ces9 type veth peer name ces8 && ip link set ces9 up || ip link set tunl0 up'
	ended_unbegun 'it has a network interface'
}

@test "a namespace that is the runtime's ends the run before the program begins" {
	deviate '.linux.namespaces -= [{type: "pid"}]'
	ended_unbegun 'its pid namespace is the runtime'
}

@test "a /proc that is not the container's own ends the run before the program begins" {
	deviate '(.mounts[] | select(.destination == "/proc")) |= {destination: "/proc", type: "bind", source: "/proc",
		options: ["bind", "nosuid", "nodev", "noexec"]}'
	ended_unbegun 'its /proc shows other processes'
}

@test "a descriptor of the runtime's ends the run before the program begins" {
	deviate . 'exec 3< /; for word; do shift; set -- "$@" "$word"; [ "$word" != run ] || set -- "$@" --preserve-fds=1; done'
	ended_unbegun 'it has a descriptor of the runtime'
}

@test "a program that the runtime starts beside the container, or from the image's files, is held too" {
	for how in 'exec chroot /m /bin/sh -c "echo ran"' 'exec /m/bin/busybox echo ran' 'unshare -m chroot /m /bin/sh -c "echo ran"'; do
		deviate . "$how"
		ended_unbegun 'namespace is the runtime|its mnt|capabilities'
	done
}

@test "when a runtime never starts anything, CES says so and leaves nothing" {
	deviate . 'exit 1'
	remember
	run --separate-stderr inside -- sh -c 'echo ran'
	[ "$status" -ne 0 ]
	[ -z "$output" ]
	nothing_left_behind
	journal_new -s -e 'map(.event) == ["decision", "end"]'
}
