# How much runs as root: figures that only ever go down (make size).

@test "the setuid program, what runs as root, and what of it knows foreign forms are within their limits" {
	cd "$BATS_TEST_DIRNAME/../.."
	run make --no-print-directory size
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
}

@test "a file more in the setuid program is seen by make size" {
	cd "$BATS_TEST_DIRNAME/../.."
	printf '#include "common/request.h"\nint a;\nint b; /* c */\n' > "$BATS_TEST_TMPDIR/more.c"
	run tests/lib/size.sh 3 3 3 "$BATS_TEST_TMPDIR/more.c"
	[ "$status" -eq 0 ]
	[[ $output == *"3 of these where the forms of foreign bytes are known"* ]]
	run tests/lib/size.sh 2 3 3 "$BATS_TEST_TMPDIR/more.c"
	[ "$status" -eq 1 ]
}
