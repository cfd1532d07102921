#!/bin/bash
# Runs every test and counts: check.sh UNIT-PROGRAM... (called by `make check`, which has built them).
# Unit programs first, then the end-to-end tests in a lab, once for each runtime. The last line says what passed and
# failed. A program that dies without saying what it did, or a suite that stops early, is a failure.
# CES_RUNTIMES and CES_TESTS (bats files) narrow it down while working on one thing; CES_PLAIN_TESTS='' leaves out the
# tests that need no lab. CES_STORE=SIZE has the images on an ext4 of that size.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export B=${B:-build}
passed=0 failed=0 skipped=0

log=$(mktemp)
trap 'rm -f "$log"' EXIT

unit() # PROGRAM
{
	local status line found=0
	CK_DEFAULT_TIMEOUT=60 "$1" < /dev/null 2>&1 | tee "$log" # (seconds a test may hang; 4 are few for a busy machine)
	status=${PIPESTATUS[0]}
	while read -r line; do
		[[ $line =~ Checks:\ ([0-9]+),\ Failures:\ ([0-9]+),\ Errors:\ ([0-9]+) ]] || continue
		found=1
		local bad=$((BASH_REMATCH[2] + BASH_REMATCH[3]))
		failed=$((failed + bad))
		passed=$((passed + BASH_REMATCH[1] - bad))
		[ $bad -eq 0 ] || status=0
	done < "$log"
	if [ "$found" = 0 ] || [ "$status" != 0 ]; then
		echo "$1: ended with status $status without a full count"
		failed=$((failed + 1))
	fi
}

count_tap() # STATUS; reads the suite's TAP from $log
{
	local plan ok bad skip
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log" | head -n 1)
	skip=$(grep -cE '^ok [0-9]+ .*# skip' "$log")
	ok=$(($(grep -cE '^ok [0-9]+ ' "$log") - skip))
	bad=$(grep -cE '^not ok [0-9]+ ' "$log")
	if [ -z "$plan" ] || [ $((ok + bad + skip)) -lt "$plan" ] || { [ "$1" != 0 ] && [ "$bad" = 0 ]; }; then
		echo "the suite ended early or failed outside a test (status $1)"
		bad=$((bad + 1))
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

for program in "$@"; do
	unit "$program"
done

# What needs no lab: a command and the files it is given.
if [ "${CES_PLAIN_TESTS-all}" != '' ]; then
	echo "# ces-policy"
	bats --tap --print-output-on-failure tests/policy < /dev/null 2>&1 | tee "$log"
	count_tap "${PIPESTATUS[0]}"
fi

tests/lib/images.sh || exit 1
read -ra suites <<< "${CES_TESTS:-$(echo tests/e2e/*.bats tests/attack/*.bats)}"
for runtime in ${CES_RUNTIMES:-crun runc}; do
	echo "# end to end, with $runtime"
	CES_TEST_RUNTIME=$(command -v "$runtime") tests/lib/lab.sh ${CES_STORE:+--ext4 "$CES_STORE"} tests/lib/suite.sh "${suites[@]}" < /dev/null 2>&1 |
		tee "$log"
	count_tap "${PIPESTATUS[0]}"
	# With a second runtime, what it may do otherwise: not what is decided, pulled or told before it starts, nor attacks on
	# CES's own steps.
	mapfile -t suites < <(printf '%s\n' "${suites[@]}" |
		grep -vE '^tests/(attack/(client|store|race)|e2e/(compat|completion|doctor|fetch|fetch_hostile|hostile|journal|manual|policy|pull|quota|registry|unpack))\.bats$')
	[ ${#suites[@]} -gt 0 ] || break
done

# In a lab of their own: they take away what the others need installed.
if [ -z "${CES_TESTS:-}" ]; then
	echo "# packages"
	CES_REGISTRIES=open tests/lib/lab.sh tests/lib/suite.sh tests/package/*.bats < /dev/null 2>&1 | tee "$log"
	count_tap "${PIPESTATUS[0]}"
fi

if [ "${CI:-}" = true ] && [ "$skipped" -gt 0 ]; then
	echo "a skipped test is a failure here (CI=true)"
	failed=$((failed + skipped)) skipped=0
fi
summary="$passed passed, $failed failed"
[ "$skipped" = 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
