#!/usr/bin/env bats
# ces-policy test: a policy's own test suite.

load common.bash

setup()
{
	p=$examples/desktop.json
	c=$BATS_TEST_TMPDIR/cases.json
}

# Writes one case on 2026-12-01, by a member of the first project or of GROUPS, with REST.
one_case() # REST [GROUPS]
{
	printf '{"ces_cases": 1, "on": "2026-12-01", "cases": [{"name": "the case", "user": "ann", "groups": %s,
		"image": "ghcr.io/epcced/tool", %s}]}' "${2:-[\"nsh-2024-0001\"]}" "$1" > "$c"
	run policy test "$p" "$c"
}

@test "the cases of each example policy pass, and reach every rule" {
	for f in "$examples"/*.cases.json; do
		run policy test --strict "${f%.cases.json}.json" "$f"
		echo "$output"
		[ "$status" -eq 0 ]
	done
}

@test "a case that fails is named, with the rule that decided" {
	one_case '"expect": "deny"'
	[ "$status" -eq 1 ]
	says "FAIL  the case"
	says "expected deny, but it is allowed"
	says "projects.nsh-2024-0001.images[0]"
	says "0 passed, 1 failed"
}

@test "the right answer by another rule fails" {
	one_case '"expect": "allow", "rule": "projects.nsh-2024-0001.images[1]"'
	[ "$status" -eq 1 ]
	says "expected rule projects.nsh-2024-0001.images[1]"
}

@test "expected rights over the data are compared" {
	one_case '"expect": "allow", "expect_data": "read-only"'
	[ "$status" -eq 1 ]
	one_case '"expect": "allow", "expect_data": "read-write"'
	[ "$status" -eq 0 ]
}

@test "a user in many groups has the project of the last one, with each prefix" {
	jq '.infer_projects = {base: "/safe_data", group_prefixes: ["", "safe-"], images: [{allow: "ghcr.io/epcced/tool"}]}' "$p" > "$BATS_TEST_TMPDIR/many.json"
	p=$BATS_TEST_TMPDIR/many.json
	groups=$(jq -cn '[range(70) | "safe-g" + tostring] + ["safe-heart"]')
	one_case "\"project\": \"heart\", \"expect\": \"allow\", \"expect_project\": \"heart\"" "$groups"
	[ "$status" -eq 0 ]
	run policy explain --user ann --groups "$(jq -r 'join(",")' <<< "$groups")" "$p"
	says heart
	run policy explain --user ann --groups "$(seq -s, 1025)" "$p"
	[ "$status" -eq 2 ]
	says "more than 1024 groups"
}

@test "a case has its own day" {
	one_case '"expect": "deny", "on": "2030-01-01"'
	[ "$status" -eq 0 ]
}

@test "rules that no case reaches are named, and are a finding with --strict" {
	one_case '"expect": "allow"'
	[ "$status" -eq 0 ]
	says "rules: 1 of 3 reached"
	says "projects.nsh-2024-0001.images[1]"
	says "projects.nsh-2024-0002.images[0]"
	run policy test --strict "$p" "$c"
	[ "$status" -eq 1 ]
}

@test "the result for machines is JSON" {
	one_case '"expect": "deny"'
	run policy test --format json "$p" "$c"
	[ "$status" -eq 1 ]
	jq -e '.failed == 1 and .cases[0].name == "the case" and .cases[0].passed == false' <<< "$output"
}

@test "cases are read as strictly as a policy" {
	for wrong in '"expect": "maybe"' '"expect": "allow", "expct": 1' '"image": 3' '"expect": "allow", "binds": ["~"]' \
		'"expect": "allow", "on": "tomorrow"'; do
		one_case "$wrong"
		echo "$wrong: $output"
		[ "$status" -eq 2 ]
	done
	echo 'x' > "$c"
	run policy test "$p" "$c"
	[ "$status" -eq 2 ]
	says "line 1, column 1"
}

@test "a case says which keys signed the image; without them a rule that wants signatures denies" {
	jq '.projects["nsh-2024-0001"].images[0].signed_by = {keys: ["keys/lab.pub", "keys/ig.pub"], at_least: 2}' "$p" > "$BATS_TEST_TMPDIR/p.json"
	p=$BATS_TEST_TMPDIR/p.json
	one_case '"signed": ["keys/ig.pub", "keys/lab.pub", "keys/none.pub"], "expect": "allow", "rule": "projects.nsh-2024-0001.images[0]"'
	[ "$status" -eq 0 ]
	one_case '"expect": "deny", "rule": "projects.nsh-2024-0001.images[0].signed_by"'
	[ "$status" -eq 0 ]
	one_case '"signed": ["keys/lab.pub"], "expect": "allow"'
	[ "$status" -eq 1 ]
	says "signed by 1 of keys/lab.pub, keys/ig.pub, and the policy wants 2"
	says "cosign sign --key KEY ghcr.io/epcced/tool@DIGEST"
}
