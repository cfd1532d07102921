#!/usr/bin/env bats
# The lab (tests/lib/lab/lab.sh). It needs root.

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	top=$(mktemp -d /root/ces-lab.XXXXXX)
}
teardown() { rm -rf "$top"; }

@test "the users of a lab can enter it, whatever root's umask is and wherever the checkout is" {
	mkdir -p "$top/a/tests/lib/lab"
	cp tests/lib/lab/lab.sh "$top/a/tests/lib/lab"
	umask 077
	run "$top/a/tests/lib/lab/lab.sh" setpriv --reuid=65534 --regid=65534 --clear-groups \
		bash -c 'cat /etc/passwd "$CES_TOP/tests/lib/lab/lab.sh" > /dev/null'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(stat -c %a "$top")" = 700 ]
}

@test "make check refuses a checkout that others cannot read, and says what to type" {
	mkdir -p "$top/a/tests"
	chmod 755 "$top/a"
	cp -r tests/lib "$top/a/tests"
	chmod 700 "$top/a/tests/lib/frame.py"
	run "$top/a/tests/lib/check.sh"
	echo "$output"
	[ "$status" -eq 1 ]
	[ "$output" = "check.sh: tests/lib/frame.py is closed to others, and the tests act as other users too: chmod -R o+rX $top/a" ]
}
