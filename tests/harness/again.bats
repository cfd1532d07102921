# The second try of a failed test in CI (tests/lib/again.sh).
bats_require_minimum_version 1.5.0

setup()
{
	t=$BATS_TEST_TMPDIR
	echo 0 > "$t/tries"
	printf '%s\n' "@""test steady { true; }" \
		"@""test 'late (once) + [more]?' { read -r n < '$t/tries'; echo \$((n + 1)) > '$t/tries'; [ \$n -ge \${FIRST:-1} ]; }" > "$t/a.bats"
}

again() # BATS-ARGUMENT...
{
	run env -i PATH=/usr/local/bin:/usr/bin:/bin CI="${ci-true}" FIRST="${first:-1}" "$BATS_TEST_DIRNAME/../lib/again.sh" bats --tap "$@"
	echo "$output"
}

@test "in CI a failed test runs once more, alone: both results are printed" {
	again "$t/a.bats"
	[ "$status" -eq 0 ]
	[[ $output == *"not ok 2 late (once) + [more]?"*"# a second try: late"*"# ok 1 late"*"# again: late (once) + [more]?" ]]
	[ "$(cat "$t/tries")" = 2 ]
}

@test "a test that fails twice has failed" {
	first=2
	again "$t/a.bats"
	[ "$status" -eq 1 ]
	[[ $output != *"# again"* ]]
	[ "$(cat "$t/tries")" = 2 ]
}

@test "outside CI nothing runs twice" {
	ci=
	again "$t/a.bats"
	[ "$status" -eq 1 ]
	[ "$(cat "$t/tries")" = 1 ]
}

@test "when more than three tests fail, none runs twice" {
	for n in 1 2 3; do printf '%s\n' "@""test bad$n { false; }"; done > "$t/b.bats"
	again "$t/a.bats" "$t/b.bats"
	[ "$status" -eq 1 ]
	[ "$(cat "$t/tries")" = 1 ]
}

@test "a suite that fails outside a test gets no second try that counts" {
	printf '%s\n' "setup_file() { false; }" "@""test never { true; }" > "$t/b.bats"
	again "$t/b.bats"
	[ "$status" -ne 0 ]
	[[ $output != *"# again"* ]]
}

@test "without a directory for temporary files nothing runs, and nothing is written elsewhere" {
	cd "$BATS_TEST_DIRNAME/../.."
	export TMPDIR=$t/none
	run tests/lib/again.sh touch "$t/ran"
	[ "$status" -eq 1 ]
	[ ! -e "$t/ran" ]
	run .ci/run nothing:5
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output != *"make nothing"* ]]
	# (in a tree of its own, whose images would come next)
	mkdir -p "$t/tree/tests/lib/images"
	cp tests/lib/check.sh "$t/tree/tests/lib"
	printf '#!/bin/sh\ntouch "%s"\nexit 1\n' "$t/ran" > "$t/tree/tests/lib/images/images.sh"
	chmod +x "$t/tree/tests/lib/images/images.sh"
	run "$t/tree/tests/lib/check.sh"
	[ "$status" -eq 1 ]
	[ ! -e "$t/ran" ]
}
