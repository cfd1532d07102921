# The table of escapes (tests/cve/README.md) names existing tests, and each test of tests/cve has a row.

cd "${BATS_TEST_DIRNAME}/../.." || exit 1

# Prints SUITE and NAME of each test in the table, with a TAB between.
named()
{
	grep -E '^\| .*`[a-z2]+/[a-z_/2]+\.(bats|c)`: ' "$1" |
		grep -oE '`[a-z2]+/[a-z_/2]+\.(bats|c)`|"[^"]+"' | grep -vxE '"[=*]"' |
		awk '/^`/ { gsub(/`/, ""); suite = $0; next } { gsub(/"/, ""); print suite "\t" $0 }'
}

missing()
{
	local suite name
	while IFS=$'\t' read -r suite name; do
		case $suite in
		*.c) grep -qE "^START_TEST\(.*$name" "tests/$suite" || echo "$suite: $name" ;;
		*) grep -F "@""test \"" "tests/$suite" | grep -qF -- "\"$name" || echo "$suite: $name" ;;
		esac
	done < <(named "$1")
}

@test "each row of the table of escapes names existing tests" {
	[ "$(named tests/cve/README.md | wc -l)" -ge 40 ]
	run missing tests/cve/README.md
	[ -z "$output" ]
	[ "$(grep -cE '^\| [a-zA-Z-]+ (CVE|GHSA)-' tests/cve/README.md)" -ge 30 ]
}

@test "a row that names no existing test is reported" {
	sed 's/"CVE-2026-95838"/"CVE-2026-00000"/' tests/cve/README.md > "$BATS_TEST_TMPDIR/table"
	run missing "$BATS_TEST_TMPDIR/table"
	[ "$output" = "cve/pull.bats: CVE-2026-00000" ]
}

@test "each test of an escape has its row" {
	for suite in tests/cve/*.bats; do
		sed -n 's/^@test "\(.*\)" {$/\1/p' "$suite" | while read -r name; do
			named tests/cve/README.md | awk -F'\t' -v s="${suite#tests/}" -v n="$name" \
				'$1 == s && index(n, $2) == 1 { found = 1 } END { exit !found }' || echo "$suite: $name"
		done
	done > "$BATS_TEST_TMPDIR/without"
	cat "$BATS_TEST_TMPDIR/without"
	[ ! -s "$BATS_TEST_TMPDIR/without" ]
}

@test "each suite that needs a lab has a place in a machine with SELinux" {
	for suite in tests/e2e/*.bats tests/attack/*.bats tests/cve/*.bats; do
		grep -qF "$suite" tests/vm/selinux/suites || echo "$suite"
	done > "$BATS_TEST_TMPDIR/without"
	cat "$BATS_TEST_TMPDIR/without"
	[ ! -s "$BATS_TEST_TMPDIR/without" ]
}

# Prints each line of a file of mutations (tests/cve/mutate.sh) that changes nothing.
idle()
{
	local file change
	grep -E '^[a-z_/]+\.[ch] ' "$1" | while read -r file change; do
		! sed -E "$change" "$file" | cmp -s - "$file" || echo "$file $change"
	done
}

@test "each mutation takes something out of the sources" {
	[ "$(grep -cE '^[a-z_/]+\.[ch] ' tests/cve/mutations)" -gt 20 ]
	run idle tests/cve/mutations
	echo "$output"
	[ -z "$output" ]
}

@test "a mutation that changes nothing is reported" {
	echo 'helper/launch/rootfs.c s/no such text/x/' > "$BATS_TEST_TMPDIR/mutations"
	run idle "$BATS_TEST_TMPDIR/mutations"
	[ "$output" = "helper/launch/rootfs.c s/no such text/x/" ]
}
