#!/usr/bin/env bats
# A test or a fuzzer names what it is linked with in lines `/* links: FILE.c ... */`, and a fuzzer names its parser in lines
# `/* parses: FILE.c ... */`. An unreadable line links nothing, and a fuzzer that does not build finds nothing.

cd "$BATS_TEST_DIRNAME/../.." || exit

named() # FILE...: a line "SOURCE: FILE.c" for each file named; "SOURCE: ?" for a line that cannot be read
{
	awk '/(links|parses):/ { if ($0 !~ /^\/\* (links|parses):( [a-z0-9_\/]+\.c)+ \*\/$/) print FILENAME ": ?"
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

@test "a links line that is broken in two, or names a missing file, is reported" {
	printf '/* links: common/wire_encode.c\n * common/check.c */\n' > "$BATS_TEST_TMPDIR/broken.c"
	printf '/* links: common/gone.c */\n' > "$BATS_TEST_TMPDIR/gone.c"
	run missing "$BATS_TEST_TMPDIR/broken.c" "$BATS_TEST_TMPDIR/gone.c"
	[ "$output" = "$BATS_TEST_TMPDIR/broken.c: ?"$'\n'"$BATS_TEST_TMPDIR/gone.c: common/gone.c" ]
}

# Prints the names of fuzzers that name no parser or have no kept inputs.
incomplete() # DIRECTORY
{
	local f name
	for f in "$1"/*_fuzz.c; do
		name=$(basename "$f" _fuzz.c)
		grep -q '^/\* parses: ' "$f" && [ "$(zstd -dcq "$1/corpus/$name.tar.zst" | tar -t | wc -l)" -gt 3 ] || echo "$name"
	done
}

@test "each fuzzer says what it parses, and has kept inputs" {
	run incomplete tests/fuzz
	echo "$output"
	[ -z "$output" ]
}

@test "a fuzzer without kept inputs is reported" {
	mkdir "$BATS_TEST_TMPDIR/corpus"
	cp tests/fuzz/name_fuzz.c "$BATS_TEST_TMPDIR/"
	run incomplete "$BATS_TEST_TMPDIR"
	[ "${lines[-1]}" = name ]
}

@test "each fuzzer takes its kept inputs" {
	local f name
	for f in tests/fuzz/*_fuzz.c; do
		name=$(basename "$f" _fuzz.c)
		mkdir "$BATS_TEST_TMPDIR/$name"
		zstd -dcq "tests/fuzz/corpus/$name.tar.zst" | tar -x -C "$BATS_TEST_TMPDIR/$name"
		run timeout 60 "${B:-build}/tests/${name}_replay" "$BATS_TEST_TMPDIR/$name"
		echo "$name: $output"
		[ "$status" -eq 0 ]
		[ "${lines[-1]}" = "$(find "$BATS_TEST_TMPDIR/$name" -type f | wc -l) inputs" ]
	done
}
