# The shared parts of the suites of approve and revoke: a policy, evidence beside it, and forms of its list of rules.
# shellcheck shell=bash disable=SC2034,SC2154

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	digest=sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
	other=sha256:$(printf '%064d' 1)
	image=ghcr.io/lab/model@$digest
	reports=$top/tests/policy/evidence
	rules='[{"allow":"ghcr.io/epcced/*","approval":"IG-1","expires":"2090-01-01"},{"allow":"ghcr.io/lab/**","approval":"IG-2","expires":"2090-01-01"}]'
	written "$rules" --tab
}

# written RULES JQ-OPTION...: p.json is a policy with them, in the form that jq gives it, and before.json the same.
written()
{
	jq "${@:2}" -n --argjson r "$1" '{ces_policy: 1, approved_by: "IG panel", review_by: "2090-01-01", registries: {"ghcr.io": {}},
		projects: {p: {members: {groups: ["p"]}, expires: "2090-06-30", images: $r}, q: {members: {users: ["ann"]}, images: []}}}' > p.json
	cp p.json before.json
}

approve() { timeout 60 "$top/${B:-build}/ces-policy" approve "$@"; }
revoke() { timeout 60 "$top/${B:-build}/ces-policy" revoke "$@"; }
add() { timeout 60 "$top/${B:-build}/ces-policy" evidence add --evidence evidence.d "$@" > log; }

# approved [ARG...]: approves the usual image in project p.
approved() { run approve --project p --approval IG-2026-020 --expires 2089-01-01 --no-evidence "$@" p.json "$image"; }

# refused TEXT COMMAND...: fails unless COMMAND is an error with TEXT, and writes nothing.
refused()
{
	run "${@:2}"
	[ "$status" -eq 2 ] || { echo "status $status"; echo "$output"; return 1; }
	says "$1"
	printable
	cmp p.json before.json
	[ -z "$(find . -maxdepth 1 -name '.*.new')" ]
}

# only_added N: fails if the file has more than N new lines, or other changes than a comma or bracket before these.
only_added()
{
	local gone more
	gone=$(diff before.json p.json | grep -c '^<') more=$(diff before.json p.json | grep -c '^>')
	[ "$gone" -le 1 ] && [ "$((more - gone))" -le "$1" ] || { diff before.json p.json; return 1; }
}
