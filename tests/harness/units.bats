# The suites of root's code run without root.

setup() { cd "$BATS_TEST_DIRNAME/../.." && b=${B:-build}; }

@test "every file of the programs that run as root is in a suite" {
	tests/lib/size.sh -v 99999 99999 99999 "$b" ces-helper ces-admit ces-session |
		awk '$2 ~ /^helper\/.*\.c$/ { print $2 }' | sort > "$BATS_TEST_TMPDIR/files"
	[ "$(wc -l < "$BATS_TEST_TMPDIR/files")" -gt 70 ]
	sed -n 's|^/\* links: \(.*\) \*/$|\1|p' tests/unit/*_test.c | tr ' ' '\n' | sort -u > "$BATS_TEST_TMPDIR/tested"
	run comm -23 "$BATS_TEST_TMPDIR/files" "$BATS_TEST_TMPDIR/tested"
	echo "$output"
	[ "$output" = '' ]
}

@test "every suite passes as an ordinary user, with no capability and no way to one" {
	[ "$(id -u)" -eq 0 ]
	mkdir "$BATS_TEST_TMPDIR/suites"
	cp "$b"/tests/*_test "$BATS_TEST_TMPDIR/suites"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"
	for suite in "$BATS_TEST_TMPDIR"/suites/*_test; do
		echo "$suite"
		env --default-signal CK_DEFAULT_TIMEOUT=60 timeout 120 setpriv --reuid=65534 --regid=65534 --clear-groups \
			--inh-caps=-all --bounding-set=-all --no-new-privs "$suite" < /dev/null
	done
}
