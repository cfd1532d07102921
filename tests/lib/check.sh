#!/bin/bash
# Runs every test and counts: check.sh UNIT-PROGRAM... (`make check` calls it after the build). It runs the unit programs one
# after another. Then it runs jobs in three lanes, side by side: the end-to-end tests in labs, once for each runtime, the
# packages, ces-policy, and the soak. The last line counts. A program that dies without a count is a failure, and so is a
# suite that stops early.
#
# For work on one thing: CES_RUNTIMES and CES_TESTS (bats files) narrow it down, and CES_PLAIN_TESTS='' leaves out the tests
# that need no lab. CES_EVERY=1 runs every suite with each runtime. CES_STORE=SIZE puts the images on an ext4 of that size.
#
# $passed, $failed, $skipped and $unsteady (tests that needed a second try) count; only count_unit and count_tap change the
# first three before the end. $bad_news repeats at the end what each failed test said. A lane's jobs are files in a
# directory: NAME.job has the command, NAME its output, NAME.status its status.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
umask 022
export B=${B:-build}
# (a checkout or a build by a stricter umask)
for f in . tests/lib/frame.py "$B/ces-client"; do
	[[ ! -e $f || $(stat -c %A "$f") == *r-x ]] ||
		{ echo "check.sh: $f is closed to others, and the tests act as other users too: chmod -R o+rX $PWD" >&2; exit 1; }
done
passed=0 failed=0 skipped=0 unsteady=() bad_news=()

# Runs a program of unit tests, and counts its checks. LOG is a file for its output.
count_unit() # PROGRAM LOG
{
	local status line bad found=0 before=$failed
	# Gives signals their defaults: a test must not notice what is ignored below nohup, or in the background. (A
	# test may hang for so many seconds: 4 are few for a busy machine.)
	env --default-signal CK_DEFAULT_TIMEOUT=60 "$1" < /dev/null 2>&1 | tee "$2"
	status=${PIPESTATUS[0]}
	while read -r line; do
		[[ $line =~ Checks:\ ([0-9]+),\ Failures:\ ([0-9]+),\ Errors:\ ([0-9]+) ]] || continue
		found=1
		bad=$((BASH_REMATCH[2] + BASH_REMATCH[3]))
		failed=$((failed + bad))
		passed=$((passed + BASH_REMATCH[1] - bad))
		[ $bad -eq 0 ] || status=0
	done < "$2"
	if [ "$found" = 0 ] || [ "$status" != 0 ]; then
		echo "$1: ended with status $status without a full count"
		failed=$((failed + 1))
	fi
	[ "$failed" = "$before" ] || mapfile -t -O ${#bad_news[@]} bad_news < <(tail -n 20 "$2" | sed "s|^|failed: $1: |")
}

# Prints each failed test of a TAP file, with the first lines of what it said.
failures() # NAME TAP-FILE
{
	awk -v name="$1" '/^not ok / { left = 12 } /^ok / { left = 0 } left-- > 0 { print "failed: " name ": " $0 }' "$2"
}

# Counts the tests of a job that has ended.
count_tap() # STATUS NAME TAP-FILE
{
	local plan ok bad skip again
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$3" | head -n 1)
	skip=$(grep -cE '^ok [0-9]+ .*# skip' "$3")
	ok=$(($(grep -cE '^ok [0-9]+ ' "$3") - skip))
	bad=$(grep -cE '^not ok [0-9]+ ' "$3")
	if [ "$bad" -gt 0 ] && [ "$1" = 0 ]; then # each had a second try (again.sh)
		mapfile -t again < <(sed -n "s/^# again: \(.*\)/failed once, and passed when it ran again: $2: \1/p" "$3")
		ok=$((ok + ${#again[@]})) bad=$((bad - ${#again[@]}))
		unsteady+=("${again[@]}")
	fi
	if [ -z "$plan" ] || [ $((ok + bad + skip)) -lt "$plan" ] || { [ "$1" != 0 ] && [ "$bad" = 0 ]; }; then
		bad_news+=("failed: $2: ended early, or failed outside a test (status $1)")
		bad=$((bad + 1))
	fi
	[ "$bad" = 0 ] || mapfile -t -O ${#bad_news[@]} bad_news < <(failures "$2" "$3")
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

# ---- the commands of jobs: `check.sh --job COMMAND...` runs one

# Runs the suites that need no lab. CES_FILTER: only the tests of this name.
plain() { tests/lib/again.sh bats --tap --print-output-on-failure ${CES_FILTER:+--filter "$CES_FILTER"} tests/policy tests/harness tests/corpora; }

# Runs suites in a lab, with one runtime.
lab() # RUNTIME SUITE...
{
	local runtime
	runtime=$(command -v "$1")
	shift
	CES_TEST_RUNTIME=$runtime tests/lib/lab/lab.sh ${CES_STORE:+--ext4 "$CES_STORE"} tests/lib/lab/suite.sh "$@"
}

# Runs the suites of the packages in a lab of their own: they remove the CES that the other suites need.
packages() { CES_REGISTRIES=open tests/lib/lab/lab.sh tests/lib/lab/suite.sh tests/package/*.bats; }

# Runs five minutes of everything at once, in a lab of its own, always from the same seed (make soak takes longer).
soak() # RUNTIME
{
	local runtime
	runtime=$(command -v "$1")
	mkdir -p build/soak
	CES_TEST_RUNTIME=$runtime timeout --kill-after=10 900 tests/lib/lab/lab.sh tests/soak/soak.sh --seconds 300 --seed 1 --tap --log "$PWD/build/soak/check.log"
}

# ---- the jobs

# These suites run with the first runtime only. They test what CES decides, pulls or prints before a runtime starts, attacks
# on CES's own steps, and what CES does beside a container or after it, which is the same for each runtime.
first_alone='^tests/(cve/pull|attack/(client|faults|parse|power|resolve|session|steps|store|race)|e2e/(compat|completion|doctor|doctor_admin|fetch|fetch_hostile|hostile|journal|layout|manual|ondemand|policy|pull|quota|registry|unpack|chain|cluster|display|doc|guides|links|manifest|outputs_check|profile|queue|services|signed|users))\.bats$'

# Adds a job to DIRECTORY, and prints its name.
job() # DIRECTORY NAME COMMAND...
{
	printf '%s\n' "${*:3}" > "$1/$2.job"
	echo "$2"
}

# Makes the jobs, and prints their names, the longest job first.
make_jobs() # DIRECTORY
{
	local suites early late runtimes runtime half some i
	read -ra suites <<< "${CES_TESTS:-$(echo tests/e2e/*.bats tests/attack/*.bats tests/cve/*.bats)}"
	mapfile -t early < <(printf '%s\n' "${suites[@]}" | grep -E "$first_alone")
	mapfile -t late < <(printf '%s\n' "${suites[@]}" | grep -vE "$first_alone")
	[ -z "${CES_EVERY:-}" ] || early=() late=("${suites[@]}")
	read -ra runtimes <<< "${CES_RUNTIMES:-crun runc}"
	# (in two labs, of which each has about half of the tests)
	for half in 0 1; do
		some=()
		for ((i = half; i < ${#early[@]}; i += 2)); do some+=("${early[i]}"); done
		[ ${#some[@]} -eq 0 ] || job "$1" "end to end, with ${runtimes[0]} alone, $((half + 1))" lab "${runtimes[0]}" "${some[@]}"
	done
	for runtime in "${runtimes[@]}"; do
		[ ${#late[@]} -eq 0 ] || job "$1" "end to end, with $runtime" lab "$runtime" "${late[@]}"
	done
	[ "${CES_PLAIN_TESTS-all}" = '' ] || job "$1" ces-policy plain
	[ -n "${CES_TESTS:-}" ] || job "$1" packages packages
	# (with the sanitizers a helper is too large for it)
	[ -n "${CES_TESTS:-}" ] || [ "$B" = build/sanitize ] || job "$1" soak soak "${runtimes[0]}"
}

# Runs the next job that no other lane has taken, for at most half an hour, prints its output when it has ended, and goes on.
# Labs see nothing of each other, and a test waits for most of its time: three lanes keep two cores busy.
lane() # DIRECTORY NAME...
{
	local name words child
	trap 'kill "$child" 2> /dev/null; exit 143' TERM
	for name in "${@:2}"; do
		mkdir "$1/$name.taken" 2> /dev/null || continue
		read -ra words < "$1/$name.job"
		timeout --kill-after=30 1800 tests/lib/check.sh --job "${words[@]}" < /dev/null > "$1/$name" 2>&1 &
		child=$!
		wait "$child"
		echo $? > "$1/$name.status"
		[ "$(cat "$1/$name.status")" != 124 ] || echo "$name: ended after half an hour" >> "$1/$name"
		flock "$1" sh -c 'echo "# $1"; cat "$2"' - "$name" "$1/$name"
	done
}

# Gives each test that failed twice in a job, beside the other lanes, a last try when nothing else runs (see again.sh).
last_tries() # DIRECTORY NAME
{
	local words name bad status=0
	read -ra words < "$1/$2.job"
	mapfile -t bad < <(tests/lib/again.sh --failed "$1/$2")
	[ "${CI:-}" = true ] && [ "$(cat "$1/$2.status")" = 1 ] && [ "${words[0]}" != soak ] || return 0
	[ ${#bad[@]} -gt 0 ] && [ ${#bad[@]} -le 3 ] || return 0
	for name in "${bad[@]}"; do
		! grep -qxF "# again: $name" "$1/$2" || continue
		echo "# a last try: $name"
		if CES_FILTER=$(tests/lib/again.sh --pattern "$name") timeout --kill-after=30 600 tests/lib/check.sh --job \
			"${words[@]}" < /dev/null > "$1/last" 2>&1 && grep -qE '^(# )?ok ' "$1/last"; then
			echo "# again: $name" >> "$1/$2"
		else
			status=1
		fi
		sed 's/^/# /' "$1/last"
	done
	echo $status > "$1/$2.status"
}

if [ "${1:-}" = --job ]; then
	shift
	"$@"
	exit
fi

logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
for program in "$@"; do
	count_unit "$program" "$logs/unit"
done
tests/lib/images/images.sh || exit 1
# (needs a network, and minutes)
[ -z "${CES_EVERY:-}" ] || [ -n "${CES_TESTS:-}" ] || ! command -v apt-get > /dev/null || tests/package/bare.sh || exit 1

mapfile -t names < <(make_jobs "$logs")
for _ in 1 2 3; do lane "$logs" "${names[@]}" & done
trap 'kill $(jobs -p) 2> /dev/null; exit 143' INT TERM HUP
wait
for name in "${names[@]}"; do
	last_tries "$logs" "$name"
	count_tap "$(cat "$logs/$name.status")" "$name" "$logs/$name"
done

if [ "${CI:-}" = true ] && [ "$skipped" -gt 0 ]; then
	echo "a skipped test is a failure here (CI=true)"
	failed=$((failed + skipped)) skipped=0
fi
[ ${#unsteady[@]} -eq 0 ] || printf '%s\n' "${unsteady[@]}"
[ ${#bad_news[@]} -eq 0 ] || printf '%s\n' "${bad_news[@]}"
summary="$passed passed, $failed failed"
[ "$skipped" = 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
