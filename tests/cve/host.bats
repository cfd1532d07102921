#!/usr/bin/env bats
# Tries on CES the escapes that a user of the machine, or code in a container, achieved on other engines
# (tests/cve/README.md): races on paths and mounts, prefixes of paths, system calls, and commands that CES must not have.

load ../lib/e2e.bash
load cve.bash

setup_file()
{
	cve_begin
	have alice tools user-number
	install -m 755 "${B:-build}/tests/swap_driver" /usr/local/bin/swapper
	install -m 755 "${B:-build}/tests/kit_driver" /safe_data/nsh-2024-0001/kit
}
teardown_file()
{
	rm -f /safe_data/nsh-2024-0001/kit
	cve_end
}
setup() { remember_host; }
teardown()
{
	cve_teardown
	rm -rf /home/alice/* /srv/data
	cve_policy
}

@test "CVE-2026-48785: a path whose name only begins like one that may be bound is refused" {
	install -d -o alice /srv/data/proj /srv/data/project /srv/data/proj2/x /srv/data/proj/in
	cve_policy '.defaults.binds = ["/srv/data/proj"]'
	for source in /srv/data/project /srv/data/proj2/x /srv/data/proj/../project /srv/data /srv/data/proj/in/../../project; do
		run --separate-stderr ces alice run -v $source:/x $open/tools:1 true
		echo "$source: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"you may not bind"* || $stderr == *".."* ]]
	done
	inside -v /srv/data/proj:/x -v /srv/data/proj/in:/y -- true
	# (the same for projects: the data of a project whose name begins like another's)
	groupadd -g 4431 nsh-2024-00019
	install -d -m 2770 -g nsh-2024-00019 /safe_data/nsh-2024-00019
	run --separate-stderr ces alice run --project nsh-2024-00019 $open/tools:1 true
	rm -rf /safe_data/nsh-2024-00019
	groupdel nsh-2024-00019
	[ "$status" -eq 125 ]
}

@test "CVE-2026-78410: when a directory above a bind's source is swapped during the start, the bind leads to the source, or is refused" {
	cve_policy '.defaults.binds = ["~"]'
	as alice mkdir -p way/in/data
	echo mine > /home/alice/way/in/data/f
	install -d -m 777 $decoy/in/data
	echo stolen > $decoy/in/data/f
	as alice ln -s $decoy other
	before_host=$(host)
	background alice swapper way other
	for i in {1..40}; do
		inside -v ./way/in/data:/x -v ./other/in/data:/y -- sh -c 'cat /x/f /y/f; echo x > /x/new; echo x > /y/new' >> $lab/seen 2>> $lab/said || true
	done
	kill -KILL "${clients[@]}"
	sort $lab/seen | uniq -c
	sort $lab/said | uniq -c
	no grep -q stolen $lab/seen
	grep -q 'symbolic link' $lab/said
	[ ! -e $decoy/in/data/new ]
	rm -f $lab/seen $lab/said
	untouched
}

@test "CVE-2026-133553, CVE-2025-31133, CVE-2025-52881: when two runs share a bind, one that swaps a mount point of the other's gains nothing" {
	cve_policy '.defaults.binds = ["~"]'
	install -m 755 "${B:-build}/tests/swap_driver" /home/alice/swap
	as alice sh -c 'mkdir -p work/way/point work/other; ln -s /proc/self/fd work/link; ln -s /dev work/dev; ln -s ../../../../proc work/up'
	planned='/ /dev /proc /safe_data /safe_outputs /scratch /sys /w /w/way/point'
	output=$(inside -v ./work:/w --mount type=tmpfs,destination=/w/way/point,size=1M -- sh -c \
		'cut -d" " -f5 /proc/self/mountinfo | sort -u | grep -vE "^/(proc|dev|sys)/" | xargs')
	[ "$output" = "$planned" ]
	for link in /proc /proc/self/fd /dev / ../../../../../../srv/decoy; do
		as alice sh -c "rm -rf work/other work/way; mkdir -p work/way/point; ln -s $link work/other"
		background alice ces-client run -q -v ./work:/w -v ./swap:/swap $open/tools:1 sh -c 'cd /w; exec /swap way other'
		eventually pgrep -x swap
		for i in {1..6}; do
			status=0
			output=$(inside -v ./work:/w --mount type=tmpfs,destination=/w/way/point,size=1M -- sh -c '
				cut -d" " -f5 /proc/self/mountinfo | sort -u | grep -vE "^/(proc|dev|sys)/" | xargs; echo begun' 2>&1) || status=$?
			echo "$link: $status $output"
			# mounted as planned, or not at all: then CES says so, or the runtime does. (A directory that
			# moves takes the mounts below it along to its other name.)
			output=${output/w\/other\/point/w\/way\/point}
			[ "$status" -ne 0 ] || [ "$output" = "$planned"$'\nbegun' ]
			no grep -q begun <<< "${output#"$planned"$'\nbegun'}"
		done
		kill "${clients[@]}"
		wait "${clients[@]}" || true
		clients=()
	done
	eventually no pgrep -x 'crun|runc'
	untouched
}

@test "CVE-2026-123876: a socket family with bits in the high half of its register is refused as the family of the low half is" {
	for program in tools user-number; do
		from=$program run inside -- /safe_data/kit high
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$output" = "48 tried, none passed" ]
	done
	untouched
}

@test "CVE-2026-31431: there is no socket of the kernel's cipher interface, so nothing can be spliced into it" {
	for program in tools user-number; do
		from=$program run inside -- /safe_data/kit cipher
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$output" = "AF_ALG: EPERM" ]
	done
	# (the files of the store, whose pages all containers share, are unchanged)
	untouched
}

@test "CVE-2026-119101, CVE-2026-115520: no verb, option or number checkpoints, restores or enters a run" {
	background alice ces-client run -q --name live $open/tools:1 sh -c 'echo up; exec sleep 60'
	eventually grep -q up $lab/up.alice
	for verb in checkpoint restore exec attach cp commit export import load save mount pause unpause update 'container checkpoint' \
		'container restore' 'run --restore=/x' 'run --criu=/x' 'run --checkpoint=/x'; do
		# shellcheck disable=SC2086 # (two words)
		run --separate-stderr ces alice $verb live
		echo "$verb: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "* ]]
	done
	for number in {20..32}; do
		run as alice timeout 30 "$CES_TOP/tests/lib/frame.py" u64:1:$number field:6:live wrap:1
		[ "$status" -eq 125 ]
	done
	# (nobody can ask the runtime about a live run: its state is in a mount namespace that has left the host)
	[ -z "$(find /run /var/lib /var/run /tmp -name state.json -o -path '*/run/live')" ]
	run as alice "$(basename "${CES_TEST_RUNTIME:-crun}")" list
	no grep -q live <<< "$output"
}
