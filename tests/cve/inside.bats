#!/usr/bin/env bats
# A hostile program tries from inside the ideas of the public kits (deepce, CDK, amicontained, the break-out tests of
# containerd, try-syscall of bubblewrap). The table of SECURITY.md has the answers that it must get. The program is
# tests/lib/drivers/kit_driver.c.

load ../lib/e2e.bash
load cve.bash

setup_file()
{
	cve_begin
	have alice tools user-number
	have bob tools
	install -m 755 "${B:-build}/tests/kit_driver" /safe_data/nsh-2024-0001/kit
}
teardown_file()
{
	rm -f /safe_data/nsh-2024-0001/kit
	cve_end
}
setup() { remember_host; }
teardown() { cve_teardown; }

# Prints the rows of that table: | what | root's answer | the others' |
documented()
{
	sed -n '/^## What a container tries, and what the kernel answers/,/^## /p' SECURITY.md | grep '^| ' | tail -n +3
}

# Prints the measured rows. Both programs try the same things in the same order.
measured()
{
	inside -- /safe_data/kit > $lab/kit.root
	from=user-number inside -- /safe_data/kit > $lab/kit.user
	diff <(cut -f1 $lab/kit.root) <(cut -f1 $lab/kit.user) >&2
	paste $lab/kit.root <(cut -f2 $lab/kit.user) | awk -F'\t' '{ printf "| %s | %s | %s |\n", $1, $2, $3 }'
}

@test "the answers to what a container tries are those of SECURITY.md, for its root and for its other users" {
	# (so that there are other runs to find, of the same user and of another)
	for user in alice bob; do
		background $user ces-client run -q $open/tools:1 sh -c 'echo up; exec sleep 60'
	done
	eventually grep -q up $lab/up.alice
	eventually grep -q up $lab/up.bob
	measured > $lab/measured
	diff <(documented) $lab/measured
}

@test "the answers are the same with a read-only root, a terminal, a bind and a tmpfs" {
	inside -- /safe_data/kit > $lab/kit.plain
	inside --read-only --mount type=tmpfs,destination=/opt,size=1M -- /safe_data/kit > $lab/kit.more
	diff $lab/kit.plain $lab/kit.more
	run as alice script -qec "ces-client run -q -i -t $open/tools:1 /safe_data/kit" /dev/null
	diff $lab/kit.plain <(tr -d '\r' <<< "$output")
}

@test "after all of that the host is as it was" {
	for from in tools user-number; do inside -- /safe_data/kit > /dev/null; done
	untouched
	[ -z "$(cat /sys/kernel/uevent_helper 2> /dev/null)" ]
}

@test "outside a container, as an ordinary user, the kit gets other answers, so it sees a difference" {
	as alice "$CES_TOP/${B:-build}/tests/kit_driver" > $lab/kit.outside
	cat $lab/kit.outside
	grep -q "^filter of system calls.*0$" $lab/kit.outside
	grep -qE '^.clone. with a new namespace.*(passed|EPERM)' $lab/kit.outside
	grep -q "^processes of the host.*others" $lab/kit.outside
	no diff -q <(cut -f2 $lab/kit.outside) <(inside -- /safe_data/kit | cut -f2)
}
