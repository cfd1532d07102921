#!/usr/bin/env bats
# How a machine with SELinux counts (tests/vm/selinux/count.sh).

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	. tests/vm/selinux/count.sh
	log=$BATS_TEST_TMPDIR tap=$BATS_TEST_TMPDIR/tap
	echo 'type=DAEMON_START msg=audit(1): op=start' > "$log/audit.log"
	printf '%s\n' 1..3 'ok 1 a' 'ok 2 b' "ok 3 c # skip strace is in no domain of CES's" > "$tap"
}

@test "a machine without a denial passes, and does not count a skipped test as passed" {
	echo 'type=AVC msg=audit(2): denied { read } comm="marks" scontext=u:r:ces_container_t:s0' >> "$log/audit.log"
	run count "$tap" "$log"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "# 0 denials of CES's"$'\n2 passed, 0 failed, 1 skipped' ]
}

@test "a denial in a rotated log fails the machine" {
	echo 'type=AVC msg=audit(2): denied { read } comm="ces-session" scontext=u:r:ces_session_t:s0' > "$log/audit.log.1"
	run count "$tap" "$log"
	[ "$status" -eq 1 ]
	[[ $output == *"# 1 denials"* ]]
}

@test "without a record of the audit daemon no machine passes" {
	: > "$log/audit.log"
	run count "$tap" "$log"
	[ "$status" -eq 1 ]
	rm "$log/audit.log"
	run count "$tap" "$log"
	[ "$status" -eq 1 ]
}

@test "a test that is skipped for an unknown reason has failed" {
	echo 'ok 4 d # skip this machine has no FUSE' >> "$tap"
	run count "$tap" "$log"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"ok 4 d # skip"*"2 passed, 1 failed, 1 skipped" ]]
}
