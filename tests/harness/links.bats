#!/usr/bin/env bats
# What a test or a fuzzer is linked with, it says in lines `/* links: FILE.c ... */`; what a fuzzer's parser is, in lines
# `/* parses: FILE.c ... */`. A line that its reader cannot read links nothing, and a fuzzer that no longer builds finds nothing.

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

@test "a links line that was broken in two, and one with a missing file, are found" {
	printf '/* links: common/wire_encode.c\n * common/check.c */\n' > "$BATS_TEST_TMPDIR/broken.c"
	printf '/* links: common/gone.c */\n' > "$BATS_TEST_TMPDIR/gone.c"
	run missing "$BATS_TEST_TMPDIR/broken.c" "$BATS_TEST_TMPDIR/gone.c"
	[ "$output" = "$BATS_TEST_TMPDIR/broken.c: ?"$'\n'"$BATS_TEST_TMPDIR/gone.c: common/gone.c" ]
}

# The names of fuzzers that do not say what they parse, or have no kept inputs.
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

@test "a fuzzer without kept inputs is seen" {
	mkdir "$BATS_TEST_TMPDIR/corpus"
	cp tests/fuzz/name_fuzz.c "$BATS_TEST_TMPDIR/"
	run incomplete "$BATS_TEST_TMPDIR"
	[ "${lines[-1]}" = name ]
}
