#!/usr/bin/env bats
# policy/schema.json, for editors, accepts what the parser accepts. tests/lib/schema.py lists the rules that a schema
# cannot express.

load common.bash

@test "the schema and the parser take and refuse the same thousands of policies, but for what a schema cannot say" {
	# (`make check-all` tries each change of these, which takes minutes)
	[ -n "${CES_EVERY:-}" ] || export CES_SCHEMA_EVERY=6
	[[ ${B:-} != *sanitize* ]] || export CES_SCHEMA_EVERY=20
	run tests/lib/schema.py "$top/${B:-build}/ces-policy" policy/schema.json tests/policy/full.json "$examples"/{desktop,gpu-cluster,ondemand,test-environment}.json
	echo "$output"
	[ "$status" -eq 0 ]
	says ", 0 wrong"
}

@test "a key that the parser knows and the schema does not is reported" {
	jq 'del(."$defs".limits.properties.shm)' policy/schema.json > "$BATS_TEST_TMPDIR/schema.json"
	run tests/lib/schema.py "$top/${B:-build}/ces-policy" "$BATS_TEST_TMPDIR/schema.json" "$examples/desktop.json"
	[ "$status" -ne 0 ]
}
