#!/usr/bin/env bats
# ces-policy what-if: which approvals, images and past runs a package, a CVE, a day or a user affects.

load common.bash

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	digest=sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
	one=sha256:$(printf '%064d' 1) two=sha256:$(printf '%064d' 2)
	reports=$top/tests/policy/evidence
	# the journal's runs of tool0 have the digest one, those of tool1 two
	jq -n --arg one "$one" --arg two "$two" '{ces_policy: 1, registries: {"ghcr.io": {}}, projects: {
		"nsh-2024-0001": {members: {groups: ["nsh-2024-0001"]}, expires: "2090-06-30", images: [
			{allow: "ghcr.io/epcced/tool0", digest: $one, approval: "IG-1", expires: "2089-01-01"},
			{allow: "ghcr.io/epcced/tool1", digest: $two, approval: "IG-2"}]},
		"nsh-2024-0002": {members: {users: ["bob"]}, images: [{allow: "ghcr.io/epcced/*", approval: "IG-3"}]}}}' > p.json
	sed "s/${digest#sha256:}/${one#sha256:}/g; s|ghcr.io/epcced/stroke|ghcr.io/epcced/tool0|g" "$reports/trivy.json" > trivy.json
	sed "s/${digest#sha256:}/${one#sha256:}/g" "$reports/openvex.json" > openvex.json
	journal 60 > journal
}

add() { policy evidence add --evidence evidence.d "$@" > log; }
what_if() { timeout 60 "$top/${B:-build}/ces-policy" what-if "$@"; }

# asked JQ-CONDITION ARG...: fails unless the answer, as JSON, meets the condition.
asked()
{
	run what_if --format json --journal journal p.json "${@:2}"
	[ "$status" -le 1 ] || { echo "$output"; return 1; }
	jq -e "$1" <<< "$output" > /dev/null || { echo "not so: $1"; echo "$output"; return 1; }
}

# runs JQ-CONDITION: prints how many allowed runs of the journal meet it.
runs() { jq -s "map(select(.event == \"decision\" and .verb == \"run\" and .outcome == \"allowed\" and ($1))) | length" journal; }

@test "a wrong argument is answered with what to type" {
	run what_if p.json package
	[ "$status" -eq 2 ]
	says "name one policy and one question"
	run what_if p.json weather tomorrow
	[ "$status" -eq 2 ]
	says "package, cve, expire or remove-user"
	run what_if p.json package @
	[ "$status" -eq 0 ]
	run what_if p.json package openssl@
	[ "$status" -eq 2 ]
	says "package openssl@3.0.11"
	run what_if p.json expire 2027-13-01
	[ "$status" -eq 2 ]
	says "expire 2027-01-01"
	run what_if p.json remove-user $'a\033[31m'
	[ "$status" -eq 2 ]
	printable
	run what_if --groups x p.json expire 2027-01-01
	[ "$status" -eq 2 ]
	run what_if --evidence nothing p.json cve CVE-1
	[ "$status" -eq 2 ]
	says "no such directory"
	run what_if --journal nothing p.json cve CVE-1
	[ "$status" -eq 2 ]
	run what_if --help
	[ "$status" -eq 0 ]
}

@test "for a package, what-if lists the images that have it, their approvals, and who ran them" {
	add trivy.json
	run what_if --journal journal p.json package openssl@3.0.11
	[ "$status" -eq 1 ]
	says "approvals: 2"
	says "nsh-2024-0001 images[0]: ghcr.io/epcced/tool0@$one, IG-1, until 2089-01-01"
	says "nsh-2024-0002 images[0]: ghcr.io/epcced/*, IG-3, no end (by name: the rule allows any digest)"
	says "images: 1"
	says "    openssl 3.0.11-1~deb12u2"
	says "runs: $(runs ".digest == \"$one\"")"
	says "alice in nsh-2024-000"
	says "not known: 1 approvals for one image, of which there is no evidence"
	says "not known: what 1 rules for any digest allow"
	asked ".images[0].digest == \"$one\" and (.runs | map(.runs) | add) == $(runs ".digest == \"$one\"") and all(.runs[]; .digest == \"$one\")
		and .without_evidence == 1 and .any_digest == 1" package openssl
}

@test "a version is found with a distribution's epoch and revision, and no other version is" {
	add trivy.json
	asked '.images | length == 1' package bsdutils@2.38.1
	asked '.images | length == 1' package bsdutils@1:2.38.1-5
	asked '.images | length == 1' package openssl@3.0.11-1~deb12u2
	asked '.images == []' package openssl@3.0.1
	asked '.images == []' package openssl@3.0.12
	asked '.images == []' package openss
	asked '.images == [] and .approvals == [] and .runs == []' package @babel/core
	sed "s/${digest#sha256:}/${two#sha256:}/g" "$reports/cyclonedx.json" > cyclonedx.json
	add cyclonedx.json
	asked ".images | map(.digest) == [\"$two\"]" package @babel/core@7.24.0
	asked '.images | length == 2' package openssl
}

@test "a CVE is found by its id or an alias, with its severity, its fix and the statements about it" {
	add trivy.json openvex.json
	sed "s/${digest#sha256:}/${two#sha256:}/g" "$reports/grype.json" > grype.json
	add grype.json
	run what_if p.json cve CVE-2023-5678
	[ "$status" -eq 1 ]
	says "openssl 3.0.11-1~deb12u2, critical, fixed in 3.0.13-1~deb12u1, says trivy of 2026-11-20"
	says "openssl 3.0.11-1~deb12u2, not_affected, says openvex of 2026-11-22"
	says "runs: type --journal FILE to look for these"
	asked ".images | map(.digest) == [\"$two\"]" cve CVE-2024-35195
	asked ".images | map(.digest) == [\"$two\"]" cve ghsa-9wx4-h78v-vm56
	asked '.approvals | map(.approval) | index("IG-2") != null' cve CVE-2024-35195
	run what_if --journal journal p.json cve CVE-1999-0001
	[ "$status" -eq 0 ]
	says "images: 0"
	says "runs: 0"
}

@test "for a day, what-if lists the rules that have ended by then, alone or with their project, and their runs" {
	asked '.approvals == [] and .runs == []' expire 2088-12-31
	asked '.approvals | map(.approval) == ["IG-1"]' expire 2089-01-01
	asked '.approvals | map(.approval) == ["IG-1", "IG-2"] and .[1].why == "its project ends"' expire 2090-06-30
	run what_if --journal journal p.json expire 2089-01-01
	[ "$status" -eq 1 ]
	says "runs: $(runs '.project == "nsh-2024-0001" and .digest == "'"$one"'"')"
	run what_if p.json expire 2027-01-01
	[ "$status" -eq 0 ]
}

@test "for a user, what-if says what they may run and why, who is left in the project, and what they ran" {
	run what_if --journal journal --groups nsh-2024-0001 p.json remove-user bob
	[ "$status" -eq 1 ]
	says "approvals: 3"
	says "IG-1, until 2089-01-01 (through a group)"
	says "IG-3, no end (by name; nobody else is in the project)"
	says "runs: $(runs '.user == "bob"')"
	says_not "alice"
	run what_if --groups x p.json remove-user carol
	[ "$status" -eq 0 ]
	run what_if p.json remove-user nobody-of-this-name
	[ "$status" -eq 2 ]
	says "say which groups with --groups"
}

@test "without evidence, nothing is called clean" {
	run what_if p.json package openssl
	[ "$status" -eq 0 ]
	says "not known: there is no directory of evidence"
	says "not known: 2 approvals for one image"
}

@test "changed evidence is an error, and strange bytes of a journal or a name reach no terminal" {
	add trivy.json
	sed -i 's/critical/low/' evidence.d/*/report-*.json
	run what_if p.json package openssl
	[ "$status" -eq 2 ]
	says "was changed"
	rm -r evidence.d
	jq '.ArtifactName = "\u001b[31m" | .Results[0].Packages[0].Version = "3.0.11\u001b[2J"' trivy.json > report.json
	add report.json
	printf '\033[31m{"seq": \n\xff\xfe\n' >> journal
	run what_if --journal journal p.json package openssl
	[ "$status" -eq 1 ]
	printable
	says "3.0.11?[2J"
	run what_if --journal journal p.json package $'open\033[31mssl'
	printable
	run what_if --format json --journal journal p.json package $'open\033[31mssl'
	printable
}

@test "the runs of an image that a rule names by its index are found, under this policy and others" {
	index=sha256:$(printf '%064d' 9)
	sed -i "s/$one/$index/" p.json
	sed "s/${one#sha256:}/${index#sha256:}/g" trivy.json > index.json
	add index.json
	# the journal has the digest of the image for this machine
	jq -c 'if .image == "ghcr.io/epcced/tool0:1" and .project == "nsh-2024-0001" then .approval = "IG-1" else . end' journal | "$top/tests/lib/relink.py" > j
	mv j journal
	n=$(runs '.approval == "IG-1"')
	[ "$n" -gt 0 ]
	asked ".images[0].digest == \"$index\" and (.runs | map(.runs) | add) == $n" package openssl
	asked "(.runs | map(.runs) | add) == $n" expire 2089-01-01
	d=sha256:$(sha256sum < p.json | cut -d' ' -f1)
	jq -c --arg d "$d" 'if .approval == "IG-1" then .policy = $d | .approval = "x" else . end' journal | "$top/tests/lib/relink.py" > j
	mv j journal
	asked "(.runs | map(.runs) | add) == $n" package openssl
	jq -c --arg i "ghcr.io/epcced/tool0@$index" 'if .approval == "x" then .image = $i | .policy = "" else . end' journal | "$top/tests/lib/relink.py" > j
	mv j journal
	asked "(.runs | map(.runs) | add) == $n" package openssl
}
