#!/bin/bash
# Checks that the test of each escape fails without its defence: mutate.sh [REGEX], as root and after a build. First it runs
# the tests in an unchanged copy of the sources: they must pass. Then, for each defence in the file `mutations` (whose name
# matches REGEX), it takes the defence out of the copy, builds, and runs the tests that the file names. It must not change
# the sources themselves. CES_TEST_RUNTIME is the runtime (crun). The last line counts the defences whose tests failed as
# they must ("passed"), and the others.
#
# $copy and $logs are its directories and $list is the file `mutations`: constants. $passed and $failed count.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
copy=$top/build/mutations/tree
logs=$top/build/mutations
list=$top/tests/cve/mutations
passed=0 failed=0

make_copy()
{
	rm -rf "$logs"
	mkdir -p "$copy/build"
	git ls-files -z | tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory="$copy"
	# (it keeps the times of the files, so that make builds only what a mutation changes)
	find build -mindepth 1 -maxdepth 1 ! -name 'mutations' ! -name 'vm*' ! -name rpm ! -name deb ! -name doc ! -name sanitize \
		-exec cp -a {} "$copy/build" \;
}

build() { make -s -C "$copy" all build/tests/kit_driver build/tests/swap_driver build/tests/cuda_driver B=build > "$logs/build.log" 2>&1; }

# Runs the tests of a suite whose names begin with a line of stdin. Writes their TAP to $logs/tap.
try() # SUITE
{
	local names
	names=$(paste -sd'|')
	(cd "$copy" && CI='' CES_REGISTRIES=open CES_TEST_RUNTIME=${CES_TEST_RUNTIME:-/usr/bin/crun} B=build \
		timeout 400 tests/lib/lab/lab.sh tests/lib/lab/suite.sh -f "^($names)" "$1") < /dev/null > "$logs/tap" 2>&1
}

# Prints how the test whose name begins so has ended: "passed", or the line where it failed, or nothing if it did not run.
ended() # BEGINNING
{
	awk -v name="$1" '/^(not )?ok [0-9]+ / { within = 0; line = $0; sub(/^(not )?ok [0-9]+ /, "", line)
			if (index(line, name) == 1) { if ($1 == "ok") passed = 1; else { failed = 1; within = 1 } } }
		within && /^#   `/ && where == "" { where = substr($0, 6); sub(/. failed.*$/, "", where) }
		END { if (failed) print "fails: " where; else if (passed) print "passed" }' "$logs/tap"
}

# Prints a line of the table.
verdict() # WHAT SUITE BEGINNING RESULT
{
	printf '%-60s | %-11s | %-24s | %s\n' "$1" "${2#tests/cve/}" "${3:0:24}" "${4:0:100}"
}

# Prints SUITE and BEGINNING of each test in the blocks that match, each test once.
tests_of() # REGEX
{
	awk -v RS= -v want="$1" '$0 ~ "(^|\n)= [^\n]*" want' "$list" | grep '^tests/' | sort -u
}

# Runs the tests on stdin, with a lab for each suite. Prints a line for each: SUITE BEGINNING, TAB, how it ended.
try_all()
{
	local all suite name
	all=$(cat)
	for suite in $(cut -d' ' -f1 <<< "$all" | sort -u); do
		try "$suite" < <(sed -n "s|^$suite ||p" <<< "$all")
		while read -r name; do
			printf '%s\t%s\n' "$suite $name" "$(ended "$name")"
		done < <(sed -n "s|^$suite ||p" <<< "$all")
	done
}

# Runs the tests of the blocks that match in the unchanged copy. Counts those that do not pass.
first_pass() # REGEX
{
	local test result
	while IFS=$'\t' read -r test result; do
		[ -n "$test" ] && [ "$result" != passed ] || continue
		verdict "(nothing is gone)" "${test%% *}" "${test#* }" "${result:-is no test, or did not run: $(tail -n 1 "$logs/tap")}"
		failed=$((failed + 1))
	done < <(try_all < <(tests_of "$1"))
}

# Changes FILE in the copy. Fails if the file stays the same.
change() # FILE SCRIPT
{
	[ -e "$logs/kept/$1" ] || install -D -m 644 "$copy/$1" "$logs/kept/$1"
	cp "$copy/$1" "$logs/before"
	sed -E -i "$2" "$copy/$1"
	! cmp -s "$copy/$1" "$logs/before"
}

# Puts the changed files back. They become newer than what was built from the changes, so that make builds them again.
restore()
{
	[ -d "$logs/kept" ] || return 0
	(cd "$logs/kept" && find . -type f -exec install -m 644 {} "$copy/{}" \;)
	rm -rf "$logs/kept"
}

# Takes a defence out of the copy and builds. Fails, with a line of the table, if that cannot be done.
take_out() # WHAT BLOCK
{
	local first rest
	restore
	while read -r first rest; do
		case $first in
		'=' | '#' | tests/*) continue ;;
		esac
		change "$first" "$rest" || { verdict "$1" "$first" '' "the source has changed: mend the mutation"; return 1; }
	done <<< "$2"
	build || { verdict "$1" '' '' "does not build: $(grep -m 1 error "$logs/build.log" | cut -c1-80)"; return 1; }
}

# Takes a defence out and runs its tests. Fails unless each test fails.
mutate() # BLOCK
{
	local what test result missed=0
	what=$(sed -n 's/^= //p' <<< "$1")
	take_out "$what" "$1" || return 1
	while IFS=$'\t' read -r test result; do
		[ -n "$test" ] || continue
		case $result in
		fails:*) ;;
		passed) missed=1 result="PASSES" ;;
		*) missed=1 result="DID NOT RUN: $(tail -n 1 "$logs/tap")" ;;
		esac
		verdict "$what" "${test%% *}" "${test#* }" "$result"
	done < <(try_all < <(grep '^tests/' <<< "$1"))
	return $missed
}

make_copy
build || { cat "$logs/build.log"; echo "0 passed, 1 failed"; exit 1; }
first_pass "${1:-}"
verdict "what is gone" suite test "what the test says"
while IFS= read -r -d '' block; do
	grep -qE "^= .*${1:-}" <<< "$block" || continue
	if mutate "$block"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done < <(awk -v RS= '/(^|\n)= / { printf "%s%c", $0, 0 }' "$list")
restore
rm -rf "$copy"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
