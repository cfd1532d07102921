#!/usr/bin/env bats
# doctor: what an administrator does to a machine, and CES then refuses. Each of these once got the answer "fit", or advice
# that does not help.

load ../lib/e2e.bash

setup_file() { lab_policy; }
setup() { remember; }
teardown()
{
	umount -l /proc/sys/user/max_net_namespaces /proc/sys/user/max_uts_namespaces 2> /dev/null || true
	rm -rf /run/systemd/system /etc/systemd/system/timers.target.wants /usr/bin/zz-* /usr/local/zz /opt/zz
	chmod 700 /run/ces
	chmod 600 /var/log/ces/head 2> /dev/null || true
	chmod 711 /usr/libexec/ces/ces-fetch
	chmod 755 /usr/libexec /usr/libexec/ces /var/lib /var/log
	chown root /usr/libexec
	lab_policy
}

# Fails unless doctor, run by alice (or with AS=root by root), finds this, with this advice below it.
finds() # GRADE PATTERN REMEDY
{
	if [ "${AS:-alice}" = root ]; then run --separate-stderr ces-client doctor; else run --separate-stderr ces alice doctor; fi
	echo "$output"
	grep -A1 -E "^$1 +$2" <<< "$output" | grep -qE "^ +-> .*$3"
	[ "$1" = warning ] || [ "$status" -eq 1 ]
}

advice() { sed -n 's/^ *-> as root: //p' <<< "$output"; }

refused_run() # TEXT
{
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"$1"* ]] || { echo "$stderr"; return 1; }
}

@test "a register or a head of the journal that is open to others is a problem, and the advice mends it" {
	ces alice images > /dev/null
	chmod 755 /run/ces
	AS=root finds problem 'directories /run/ces is open to others' 'chmod 700 /run/ces'
	eval "$(advice | grep /run/ces)"
	chmod 644 /var/log/ces/head
	AS=root finds problem 'directories /var/log/ces/head is open to others' 'chmod 600 /var/log/ces/head'
	eval "$(advice | grep /head)"
	ces alice images
	# (CES makes the register itself)
	mv /run/ces /run/away
	run ces-client doctor
	rmdir /run/ces 2> /dev/null || true
	mv /run/away /run/ces
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a directory above root's programs that others can change, or users cannot enter, is a problem, and the advice mends it" {
	chmod 775 /usr/libexec/ces
	finds problem 'helper .*/usr/libexec/ces can be changed by others' 'chmod go-w /usr/libexec/ces'
	eval "$(advice | grep 'go-w')"
	chown alice /usr/libexec
	finds problem 'helper .*/usr/libexec can be changed by others' 'chown root /usr/libexec && '
	eval "$(advice | grep 'go-w')"
	chmod 700 /usr/libexec/ces
	finds problem 'helper .*users cannot enter /usr/libexec/ces' 'chmod a.rx /usr/libexec/ces'
	AS=root finds problem 'helper .*users cannot enter /usr/libexec/ces' 'chmod a.rx /usr/libexec/ces'
	[ "$(grep -c ^problem <<< "$output")" -eq 1 ]
	eval "$(advice | grep 'a+rx')"
	ces alice doctor
}

@test "a directory above store or journal where others can rename is a warning, and a sticky bit mends it" {
	local dir
	for dir in /var/lib /var/log; do
		chmod 775 $dir
		finds warning "directories others than root can rename what is in $dir," "chmod .t $dir"
		chmod +t $dir
		run ces alice doctor
		echo "$output"
		[[ $output != *"can rename"* ]]
		chmod 755 $dir
		chmod -t $dir
	done
}

@test "a directory in the store that is not root's is a problem that root's doctor names" {
	ces alice images > /dev/null
	chown alice /var/lib/ces/runs
	finds problem 'answer .* must belong to root' 'ces-client doctor'
	AS=root finds problem 'directories /var/lib/ces/runs is open to others' 'chown root:root /var/lib/ces/runs'
	eval "$(advice | grep /runs)"
	ces alice images
}

@test "a worker's program that its account cannot execute is a problem" {
	chmod 700 /usr/libexec/ces/ces-fetch
	finds problem 'workers .*ces-fetch cannot be executed' 'chmod 711 /usr/libexec/ces/ces-fetch'
}

@test "an account of a worker's name in root's group is a problem; where the group is there, the advice makes the account" {
	usermod --gid 0 ces-fetch
	finds problem 'workers .*user ces-fetch .* is not an account of its own' 'usermod --login'
	usermod --login someone ces-fetch
	getent group ces-fetch
	finds problem 'workers .*there is no user ces-fetch' 'useradd .* --gid ces-fetch ces-fetch'
	eval "$(advice | grep 'ces-fetch$')"
	userdel someone
	run ces alice doctor
	grep -E '^ok +workers +user ces-fetch ' <<< "$output"
}

@test "a worker's account that has another's number is a problem; without the accounts for pulls at once there is a warning" {
	cp /etc/passwd $lab/passwd
	sed -i "s/^ces-fetch:x:[0-9]*/ces-fetch:x:$(id -u ces-store)/" /etc/passwd
	run ces alice doctor
	cp $lab/passwd /etc/passwd
	echo "$output"
	[ "$status" -eq 1 ]
	grep -A1 -E '^problem +workers +ces-store and ces-fetch have one number' <<< "$output" | grep -q 'usermod --uid'
	sed -i '/^ces-unpack-3:/d' /etc/passwd
	finds warning 'workers .*there is no user ces-unpack-3' 'useradd .* ces-unpack-3$'
	cp $lab/passwd /etc/passwd
}

@test "a runtime that is a link, not below /usr, below a directory of others, or misnamed is a problem: runs are refused" {
	ln -s crun /usr/bin/zz-link
	lab_policy '.host.runtime = "/usr/bin/zz-link"'
	refused_run 'host.runtime'
	finds problem 'runtime +CES does not start /usr/bin/zz-link: .* symbolic link' 'name the file itself'
	install -D /usr/bin/crun /opt/zz/crun
	lab_policy '.host.runtime = "/opt/zz/crun"'
	refused_run 'is not below /usr'
	finds problem 'runtime +/opt/zz/crun is not below /usr' 'below /usr'
	install -D /usr/bin/crun /usr/local/zz/crun
	chgrp staff /usr/local/zz
	chmod 2775 /usr/local/zz
	lab_policy '.host.runtime = "/usr/local/zz/crun"'
	refused_run 'writable by others'
	finds problem 'runtime +CES does not start .*writable by others' 'directories above'
	cp "$(command -v runc || echo /usr/sbin/runc)" /usr/bin/zz-runc
	lab_policy '.host.runtime = "/usr/bin/zz-runc"'
	pull alice $open/tools:1
	run ! inside -- true
	finds problem 'runtime +/usr/bin/zz-runc is runc' 'rename it to runc'
}

@test "of runc 1.3, the versions before 1.3.3 have the fault that 1.2 had before 1.2.8" {
	lab_policy '.host.runtime = "/usr/bin/zz-1/runc"'
	mkdir /usr/bin/zz-1
	for version in 1.3.0 1.3.2 1.2.9 1.3.3 1.4.0; do
		printf '#!/bin/sh\necho runc version %s\n' $version > /usr/bin/zz-1/runc
		chmod 755 /usr/bin/zz-1/runc
		run ces alice doctor
		grep -E '^[a-z]+ +runtime ' <<< "$output"
		case $version in
		1.3.[02]) grep -q '^warning  runtime     runc before 1.3.3 .*CVE-2025-31133' <<< "$output" ;;
		*) no grep -E '^warning +runtime' <<< "$output" ;;
		esac
	done
}

@test "space that host.store_reserve keeps free is not room for an image" {
	free=$(($(df --output=avail -B 1M $store | tail -n 1)))
	lab_policy ".host.store_reserve = \"$((free + 100))M\""
	finds problem "store +$store has .* stay free .host.store_reserve" 'lower host.store_reserve'
	run --separate-stderr pull alice $open/gzip:1
	[ "$status" -eq 125 ]
}

@test "a store on a file system without id-mapped mounts is a problem" {
	for kind in d00bd00b:Lustre 424d53ff:CIFS 26038319:BeeGFS 53465047:GPFS 69690000:NFS; do
		run as alice strace -f -o /dev/null -P $store -e trace=statfs -e inject=statfs:poke_exit=@arg2=${kind%:*} ces-client doctor
		echo "$output"
		grep -A1 -E "^problem +store +$store is on ${kind#*:}, which has no id-mapped mounts" <<< "$output" | grep -q 'mount a local'
	done
}

@test "each advice about namespaces adds to what the one before wrote, and counts more than what the site has" {
	local ours=/etc/sysctl.d/zz-ces.conf
	echo 0 > $lab/zero
	for kind in net uts; do mount --bind $lab/zero /proc/sys/user/max_${kind}_namespaces; done
	finds problem 'namespaces +net namespaces are switched off' "user.max_net_namespaces .* && sysctl -p $ours"
	rm -f $ours
	while read -r line; do eval "${line%% && *}"; done < <(advice | grep $ours)
	cat $ours
	[ "$(grep -cE '^user.max_(net|uts)_namespaces = 15000$' $ours)" -eq 2 ]
	echo 'user.max_net_namespaces = 0' > /etc/sysctl.d/99-hardening.conf
	run /lib/systemd/systemd-sysctl --cat-config
	rm $ours /etc/sysctl.d/99-hardening.conf
	[ "$status" -eq 0 ]
	[ "$(grep ^user.max_net_namespaces <<< "$output" | tail -n 1)" = 'user.max_net_namespaces = 15000' ]
}

@test "no problem is lost behind many warnings" {
	lab_policy '.projects["nsh-2024-0001"].images += [range(400) | {allow: "ghcr.io/old/a\(.)", expires: "2025-01-31"}] | .host.runtime = "/usr/bin/zz-none"'
	run ces alice doctor
	[ "$status" -eq 1 ]
	grep -q '^problem  runtime  .*No such file' <<< "$output"
	[ "$(grep -c 'ended on 2025-01-31' <<< "$output")" -eq 400 ]
	[ "${lines[-1]}" = "this machine is not fit for CES" ]
}

@test "a directory of GPUs' specifications behind a link is a problem: runs with a GPU are refused" {
	lab_policy '.defaults.gpus.max = 2 | .host.cdi_dirs = ["/etc/cdi", "/var/run/cdi"]'
	pull alice $open/tools:1 -q
	run --separate-stderr ces alice run --gpu $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"/var/run/cdi"* ]]
	finds problem 'gpus +/var/run/cdi: a part of this path is a symbolic link' 'host.cdi_dirs'
}

@test "where the policy has a key for the journal and nothing signs with it, doctor says so" {
	mkdir -p /run/systemd/system /etc/systemd/system/timers.target.wants
	lab_policy '.host.audit_key = "/etc/ces/audit-key.pem"'
	finds warning 'services +.*host.audit_key.* ces-anchor.timer is not enabled' 'systemctl enable --now ces-anchor.timer'
	ln -s /usr/lib/systemd/system/ces-anchor.timer /etc/systemd/system/timers.target.wants/
	run ces alice doctor
	no grep ces-anchor <<< "$output"
}

# (the last, since it moves the store and the journal)
@test "a symbolic link in place of a directory of CES's is a problem, for root too" {
	for path in /var/lib/ces /var/log/ces; do
		mkdir -p /run/elsewhere
		mount --move $path /run/elsewhere
		rmdir $path
		ln -s /run/elsewhere $path
		run ces alice images
		said=$output refused=$status
		run ces-client doctor
		rm $path
		install -d -m 700 $path
		mount --move /run/elsewhere $path
		echo "$said"
		echo "$output"
		[ "$refused" -eq 125 ]
		[[ $said == *"symbolic links"* ]]
		[ "$status" -eq 1 ]
		grep -A1 -E "^problem +directories $path: a part of this path is a symbolic link" <<< "$output" | grep -q 'mount --bind'
	done
}
