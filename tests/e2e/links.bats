#!/usr/bin/env bats
# Symbolic links on the way to homes and data: CES follows only root's links.

load ../lib/e2e.bash

setup_file()
{
	lab_policy '.defaults.binds = ["~"]'
	have alice tools
	# as on a cluster: homes and data are on a parallel file system, below names that root links to them
	install -d -m 755 /mnt/far /mnt/far/home
	install -d -o alice -g alice -m 700 /mnt/far/home/alice/work
	chown alice:alice /mnt/far/home/alice
	chmod 700 /mnt/far/home/alice
	mv /home/alice /home/alice.here
	! lab_has_selinux || chcon -R --reference=/home/alice.here /mnt/far/home/alice
	ln -s ../mnt/far/home/alice /home/alice
	mv /safe_data/nsh-2024-0001 /mnt/far/data
	ln -s /mnt/far/data /safe_data/nsh-2024-0001
	install -d -m 755 /home/ways
}
teardown_file()
{
	rm -f /home/alice /safe_data/nsh-2024-0001
	mv /home/alice.here /home/alice
	mv /mnt/far/data /safe_data/nsh-2024-0001
	rm -rf /mnt/far /home/ways
	lab_policy
}
setup() { remember; }
teardown()
{
	rm -rf /mnt/far/home/alice/outputs_* /home/ways/* /mnt/far/home/alice/link
	chmod 755 /home/ways
}

@test "behind links that root made, a home and data work: data, outputs, scratch and binds" {
	run inside -v ./work:/work -- sh -c 'cat /safe_data/patients.csv > /safe_outputs/copy; echo $TMPDIR; echo made > /work/f'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(cat /mnt/far/home/alice/work/f)" = made ]
	cmp /mnt/far/home/alice/outputs_*/copy /mnt/far/data/patients.csv
	no compgen -G '/mnt/far/home/alice/scratch_*'
	run ces alice explain run -v ./work:/work $open/tools:1
	[ "$status" -eq 0 ]
	[[ $output == *'/work is /home/alice/work'* ]]
}

@test "behind such a link, the scratch of a run that died is removed too" {
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q $open/tools:1 sh -c 'echo > /scratch/f; echo up; exec sleep 60' > $lab/up 3>&- < /dev/null &
	client=$!
	eventually grep -q up $lab/up
	compgen -G '/mnt/far/home/alice/scratch_*'
	kill -KILL "$(pgrep -P "$client" -x ces-session)"
	wait $client || true
	inside -- true
	eventually no compgen -G '/mnt/far/home/alice/scratch_*'
}

@test "a link that a user made, or that root made where others can write, is not followed" {
	# (the link, its owner, the mode of the directory)
	lab_policy '.defaults.binds = ["/home/ways"]'
	for case in alice:755 root:775 root:757; do
		chmod "${case#*:}" /home/ways
		ln -s /mnt/far/home/alice/work /home/ways/link
		chown -h "${case%:*}" /home/ways/link
		run --separate-stderr ces alice run -v /home/ways/link:/x $open/tools:1 true
		echo "$case: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"symbolic link that others than root can set"* ]]
		rm /home/ways/link
	done
	# (root's link in a directory of alice's: she may move the directory, and the link with it)
	lab_policy '.defaults.binds = ["~"]'
	ln -s /mnt/far/data /mnt/far/home/alice/link
	run --separate-stderr ces alice run -v ./link:/x $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"symbolic link that others than root can set"* ]]
	# (a user's link below root's link)
	rm /mnt/far/home/alice/link
	as alice ln -s work /home/alice/link
	run --separate-stderr ces alice run -v ./link:/x $open/tools:1 true
	[ "$status" -eq 125 ]
}

@test "a chain of root's links is followed; a chain without an end is not" {
	lab_policy '.defaults.binds = ["/home/ways"]'
	ln -s ./.././ways//two /home/ways/one
	ln -s /home/ways/three /home/ways/two
	ln -s ../../../../mnt/far/home/alice /home/ways/three
	run inside -v /home/ways/one/work:/work -- ls /work
	[ "$status" -eq 0 ]
	ln -s again /home/ways/again
	run --separate-stderr ces alice run -v /home/ways/again:/x $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"symbolic link"* ]]
	ln -s /mnt/far/nowhere /home/ways/nowhere
	run --separate-stderr ces alice run -v /home/ways/nowhere:/x $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"does not exist or is not open to you"* ]]
	lab_policy '.defaults.binds = ["~"]'
}

@test "a link of root's opens nothing that the caller may not open" {
	lab_policy '.defaults.binds = ["/home/ways"]'
	ln -s /home/bob /home/ways/bobs
	run --separate-stderr ces alice run -v /home/ways/bobs:/x $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"does not exist or is not open to you"* ]]
	lab_policy '.defaults.binds = ["~"]'
}

@test "explain, --dry-run and ces-policy check report it before a run does" {
	run ces alice explain run -v ./work:/work $open/tools:1
	[ "$status" -eq 0 ]
	no grep -q 'would be refused' <<< "$output"
	as alice ln -s work /home/alice/link
	for say in 'explain run' 'run --dry-run'; do
		run ces alice $say -v ./link:/x $open/tools:1
		echo "$output"
		[ "$status" -eq 125 ]
		[[ $output == *"ces: the run would be refused: /home/alice/link: a part of this path is a symbolic link"* ]]
		run ces alice $say -v ./none:/x $open/tools:1
		[ "$status" -eq 125 ]
		[[ $output == *"ces: the run would be refused: /home/alice/none does not exist"* ]]
	done
	run ces-policy check /etc/ces/policy.json
	no grep -q 'projects.nsh-2024-0001.data' <<< "$output"
	chown -h alice /safe_data/nsh-2024-0001
	run ces-policy check /etc/ces/policy.json
	echo "$output"
	chown -h root /safe_data/nsh-2024-0001
	[[ $output == *"projects.nsh-2024-0001.data"*"is behind a symbolic link that others than root can set"* ]]
}
