#!/usr/bin/env bats
# A check that cannot fail its test tests nothing: bash goes on after `! COMMAND`, and after `[ A ] && [ B ]` or
# `{ [ A ] && [ B ]; }` where A fails, unless it is the last command of the test or function. (Write `no COMMAND`, and a line
# for each `[`.)

cd "$BATS_TEST_DIRNAME/../.." || exit

# Prints each line with such a check that is not the last of a body.
idle() # FILE...
{
	awk '
		FNR == 1 { line = "" }
		line != "" && !/^[[:space:]]*(#|$)/ { if (!/^}/) print line; line = "" }
		/^[[:space:]]*(if|elif|while|until|#)/ { next }
		/\|\| \{ .* && .*\}$/ { line = FILENAME ":" FNR ":" $0 }
		/\|\|/ { next }
		/^[[:space:]]*! / || /\]\]? && (\[|!|no |grep |diff |cmp )/ { line = FILENAME ":" FNR ":" $0 }
	' "$@"
}

@test "each check in a suite can fail its test" {
	local suites
	mapfile -t suites < <(find tests -name '*.bats' -o -name '*.bash' | grep -v harness/suites.bats)
	[ ${#suites[@]} -gt 100 ]
	run idle "${suites[@]}"
	echo "$output"
	[ "$output" = '' ]
}

@test "README.md and tests/README.md name each folder of tests" {
	local folder
	for folder in tests/*/; do
		folder=$(basename "$folder")
		[ "$folder" != __pycache__ ] || continue
		echo "$folder"
		grep -q "^| .tests/. .*\`$folder/\`" README.md
		grep -q "^| .*\`$folder/\`" tests/README.md
	done
}

@test "make check installs the browser, the tools and the headers without which tests are skipped" {
	local parts
	parts=$(sed -n '/^check:/,/^[^\t]/p' Makefile | sed -n 's/.*deps.sh \(.*\) \$.*/\1/p')
	[ -n "$parts" ]
	# shellcheck disable=SC2086 # (words)
	tests/lib/deps.sh --list $parts > "$BATS_TEST_TMPDIR/list"
	grep -qx chromium "$BATS_TEST_TMPDIR/list"
	grep -qx libxml2-utils "$BATS_TEST_TMPDIR/list"
	grep -qx selinux-policy-dev "$BATS_TEST_TMPDIR/list"
}

@test "in CI a page is not called good without the browser's check of it" {
	printf '%s\n' '<!DOCTYPE html><html lang="en"><head><title>t</title></head><body><h1>h</h1></body></html>' > "$BATS_TEST_TMPDIR/p.html"
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s "$(command -v python3)" "$BATS_TEST_TMPDIR/bin/python3"
	PATH=$BATS_TEST_TMPDIR/bin CI=true run /usr/bin/python3 tests/lib/page.py "$BATS_TEST_TMPDIR/p.html"
	[[ $output == *"chromium is missing"* ]]
	[ "$status" -eq 1 ]
}

@test "a check that cannot fail its test is found, and one that can is not" {
	cat > "$BATS_TEST_TMPDIR/a.bats" <<- 'EOF'
		bad()
		{
			for f in a b; do
				[ -e $f ] && [ -s $f ] # 1
			done
			! grep -q x a # 2
			[ ! -e a ] || { [ -s a ] && [[ $b == c ]]; }
			# (the last command is below)
			echo
		}
		good()
		{
			[ -e a ] && [ -s a ] || return 0
			! mountpoint -q a || umount a
			[ -e a ] && return
			if ! grep -q x a; then echo; fi
			! diff a b
			# (the end)
		}
	EOF
	run idle "$BATS_TEST_TMPDIR/a.bats"
	echo "$output"
	[ "$(cut -d: -f2 <<< "$output" | xargs)" = '4 6 7' ]
}
