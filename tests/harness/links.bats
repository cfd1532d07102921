#!/usr/bin/env bats
# A test or a fuzzer names the files that it links in lines `/* links: FILE.c ... */`. A line that its reader cannot
# read links nothing, and a fuzzer that no longer builds finds nothing.

cd "$BATS_TEST_DIRNAME/../.." || exit

named() # FILE...: a line "SOURCE: FILE.c" for each file named; "SOURCE: ?" for a line that cannot be read
{
	awk '/links:/ { if ($0 !~ /^\/\* links:( [a-z0-9_\/]+\.c)+ \*\/$/) print FILENAME ": ?"
		else for (i = 3; i < NF; i++) print FILENAME ": " $i }' "$@"
}

missing() # FILE...: the lines of named() whose file is not there
{
	named "$@" | while read -r source file; do
		[ -f "$file" ] || echo "$source $file"
	done
}

@test "each links line of a test or fuzzer is one line, and its files exist" {
	[ "$(named tests/unit/*.c tests/fuzz/*.c | wc -l)" -gt 100 ]
	run missing tests/unit/*.c tests/fuzz/*.c
	echo "$output"
	[ -z "$output" ]
}

@test "a links line that was broken in two, and one with a missing file, are found" {
	printf '/* links: common/wire_encode.c\n * common/check.c */\n' > "$BATS_TEST_TMPDIR/broken.c"
	printf '/* links: common/gone.c */\n' > "$BATS_TEST_TMPDIR/gone.c"
	run missing "$BATS_TEST_TMPDIR/broken.c" "$BATS_TEST_TMPDIR/gone.c"
	[ "$output" = "$BATS_TEST_TMPDIR/broken.c: ?"$'\n'"$BATS_TEST_TMPDIR/gone.c: common/gone.c" ]
}
