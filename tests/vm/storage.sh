#!/bin/bash
# Tests CES from its package where homes and project data are on NFS with root_squash, and AppArmor is on (`make
# vm-storage`). The machine is its own file server.
# shellcheck source=tests/vm/site.sh
. "$(dirname "${BASH_SOURCE[0]}")/site.sh"

# Copies the homes and the data to the server's disk, and mounts them from there.
serve()
{
	local how=rw,sync,root_squash,no_subtree_check,fsid=0
	install -d /export/home /export/data
	chmod 700 /home/ada
	cp -a /home/. /export/home
	cp -a /safe_data/. /export/data
	ip addr add $images_server/32 dev lo
	printf '/export 127.0.0.1/32(%s) %s/32(%s)\n' $how $images_server $how > /etc/exports
	modprobe nfsd
	systemctl start rpcbind.socket nfs-server.service
	exportfs -ra
	mount -t nfs4 -o vers=4.2,sec=sys 127.0.0.1:/home /home
	mount -t nfs4 -o vers=4.2,sec=sys 127.0.0.1:/data /safe_data
	[ "$(stat -f -c %T /home)" = nfs ]
	no ls /home/ada # (root is nobody there)
}

doctor_knows()
{
	as_ada ces-client doctor > /tmp/doctor
	cat /tmp/doctor
	grep -q '^ok .*it is on NFS: CES uses it with your rights' /tmp/doctor
	grep -q '^ok *apparmor *AppArmor is on, and does not confine this session' /tmp/doctor
	no grep -E '^problem' /tmp/doctor
}

run_tools() { as_ada ces-client run -q "$@"; }

data_outputs_and_scratch()
{
	run_tools $tools sh -c 'cat /safe_data/patients.csv | wc -l; echo done > /safe_outputs/result; echo x > /scratch/x' > /tmp/said
	cat /tmp/said
	[ "$(cat /tmp/said)" -gt 0 ]
	as_ada sh -c 'cat ~/outputs_*/result; stat -c %U ~/outputs_*/result; ls -d ~/scratch_* 2> /dev/null; true' > /tmp/said
	cat /tmp/said
	[ "$(cat /tmp/said)" = $'done\nada' ]
	as_ada sh -c 'rm -r ~/outputs_*'
}

# The server keeps the number of another user of the image. Neither the end of the run nor the next start can give the file
# to its user, and neither says so.
other_users_of_an_image()
{
	run_tools $tools sh -c 'chmod 777 /safe_outputs; echo other:x:123:123::/:/bin/sh >> /etc/passwd
		su other -c "echo mine > /safe_outputs/other"; cat /safe_outputs/other' > /tmp/said
	cat /tmp/said
	[ "$(cat /tmp/said)" = mine ]
	as_ada sh -c 'stat -c %u ~/outputs_*/other' > /tmp/owner
	cat /tmp/owner
	[ "$(cat /tmp/owner)" -ge 2000000000 ]
	run_tools $tools true
	as_ada sh -c 'rm -rf ~/outputs_* || true'
	rm -rf /export/home/ada/outputs_*
}

# The server decides who may remove from a directory, and goes by its mode.
scratch_with_closed_directories()
{
	run_tools $tools sh -c 'cd /scratch; mkdir a; touch a/f; chmod 555 a .'
	run_tools $tools true
	eventually no as_ada sh -c 'ls -d ~/scratch_*'
}

killed_and_cleared()
{
	local number
	number=$(as_ada ces-client run -d $tools sleep 600)
	pkill -KILL -x ces-session
	eventually no pgrep -U ada -x sleep
	run_tools $tools true
	eventually nothing_of_it "$number"
}

binds_and_pulls()
{
	as_ada sh -c 'mkdir -p ~/work && echo here > ~/work/f'
	jq '.defaults.binds = ["~"]' /etc/ces/policy.json > /tmp/policy.json
	cp /tmp/policy.json /etc/ces/policy.json
	run_tools -v ./work:/work $tools sh -c 'cat /work/f; touch /work/mine' > /tmp/said
	[ "$(cat /tmp/said)" = here ]
	[ "$(as_ada sh -c 'stat -c %U ~/work/mine')" = ada ]
	as_ada ces-client rmi ghcr.io/epcced/tools:1
	as_ada ces-client pull -q --username ada --token-file token ghcr.io/epcced/tools:1
}

# Prints the operations that the mount of the images has had, a line each.
operations() { awk '/ mounted on \/srv\/images /{m = 1; next} / mounted on /{m = 0} m && $1 ~ /^[A-Z_0-9]+:$/ && $2 > 0{print $1, $2}' /proc/self/mountstats; }

# (By version 4 the client would find out that both addresses are one server's, and use one connection for both.)
mount_images() { mount -t nfs -o vers=3,nolock,sec=sys $images_server:/export/images /srv/images; }

# Fills a directory on the server, as skopeo does, and has it in place of the registry.
images_from_the_server()
{
	mkdir -p /srv/images
	cp -r build/images/tools /export/images
	jq '.manifests[0].annotations["org.opencontainers.image.ref.name"] = "ghcr.io/epcced/tools:1"' build/images/tools/index.json \
		> /export/images/index.json
	chown -R root:root /export/images
	chmod -R go-w,o+rX /export/images
	mount_images
	jq '.registries["ghcr.io"] = {"endpoint": "oci:/srv/images"}' /etc/ces/policy.json > /tmp/policy.json
	cp /tmp/policy.json /etc/ces/policy.json
	as_ada ces-client doctor | grep -q 'ghcr.io comes from /srv/images'
	as_ada ces-client rmi $tools
	as_ada ces-client pull -q $tools
	sleep 5 # (files are closed, and given back, a moment later)
	operations > /tmp/before
	cat /tmp/before
	grep '^READ: ' /tmp/before
	run_tools $tools true
	operations | diff /tmp/before -
}

# Takes the address of the images' server away: nobody gets an answer from it any more. A pull says so in good time, and
# does not hang; a run, and the start of one, do not notice.
images_server_goes_away()
{
	local number status
	number=$(as_ada ces-client run -d $tools sleep 600)
	as_ada ces-client rmi $tools
	umount /srv/images
	mount_images # (and so nothing of it is in memory)
	ip addr del $images_server/32 dev lo
	as_ada timeout 300 ces-client pull -q $tools > /tmp/said 2>&1 && status=0 || status=$?
	cat /tmp/said
	[ "$status" = 125 ]
	grep '/srv/images does not answer; its file server may be down' /tmp/said
	as_ada ces-client ps -q | grep -x "$number"
	ip addr add $images_server/32 dev lo
	eventually as_ada ces-client pull -q $tools
	ip addr del $images_server/32 dev lo
	run_tools $tools true
	ip addr add $images_server/32 dev lo
	as_ada ces-client stop -q --time 0 "$number"
}

# The server refuses a user who is not in the project's group.
others_are_kept_out()
{
	no setpriv --reuid=nobody --regid=nogroup --clear-groups cat /safe_data/nsh-2024-0001/patients.csv
}

# Checks what doctor says in a session that AppArmor confines.
confined()
{
	printf 'profile ces-session-of-ada flags=(complain) { capability, file, network, mount, umount, ptrace, signal, unix, userns, }\n' |
		sed 's/ userns,//' > /tmp/profile
	apparmor_parser -r /tmp/profile
	as_ada aa-exec -p ces-session-of-ada -- ces-client doctor > /tmp/doctor || true
	grep apparmor /tmp/doctor
	grep -q '^warning *apparmor *AppArmor confines this session with the profile ces-session-of-ada' /tmp/doctor
	run_tools $tools true
}

tools=ghcr.io/epcced/tools:1
images_server=10.99.0.1 # (an address of the machine's own that can be taken away)
check "the registry of the site answers" site_registry
check "from nothing to a first run, by the lines of ces(7)" first_run
check "after the move to NFS with root_squash root cannot list a home" serve
check "with home and data on NFS and AppArmor on, doctor says so" doctor_knows
check "with homes on NFS data are read, outputs are the caller's, and scratch is removed" data_outputs_and_scratch
check "files of another user of an image keep their number on the server" other_users_of_an_image
check "a scratch goes with the directories that a program has closed in it" scratch_with_closed_directories
check "what a killed run left is cleared by the next start" killed_and_cleared
check "a bind of a home on NFS works, and so does a pull" binds_and_pulls
check "a directory on NFS takes the place of a registry, and a start asks nothing of the server" images_from_the_server
check "when that server goes away a pull ends with a clear error, and runs go on" images_server_goes_away
check "a user who is not in the project's group reads nothing" others_are_kept_out
check "a profile that confines the session is named by doctor" confined
finish
