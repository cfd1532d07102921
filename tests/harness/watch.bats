# The watchdog of the tests (tests/lib/lab/watch.sh): a test that hangs does not keep the others from running.
bats_require_minimum_version 1.5.0

@test "a test that no signal ends is killed, the watchdog says what it waited for, and the next test runs" {
	printf '%s\n' "@""test deaf { bash -c 'trap \"\" TERM; sleep 500; sleep 501'; }" \
		"@""test next { (exec setsid -f sleep 502) & true; }" > "$BATS_TEST_TMPDIR/hang.bats"
	run timeout 60 env -i PATH=/usr/local/bin:/usr/bin:/bin BATS_TEST_TIMEOUT=1 \
		"$BATS_TEST_DIRNAME/../lib/lab/watch.sh" 3 --tap "$BATS_TEST_TMPDIR/hang.bats"
	[[ $output == *"# nothing for 3 seconds"*"sleep 500"*"not ok 1 deaf # timeout after 1s"*"ok 2 next"* ]]
	[ "$status" -eq 1 ]
	run -1 pgrep -f 'sleep 50[012]'
}
