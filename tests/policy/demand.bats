#!/usr/bin/env bats
# Image rules that demand a scan or an SBOM: which demands are valid, what meets a demand, and what ces-policy prints.

load common.bash
load approve.bash

now=2026-12-01

# demanding RULE-KEYS: p.json has one rule in project p, with the digest and these keys.
demanding() { written "[{\"allow\": \"ghcr.io/lab/model\", \"digest\": \"$digest\", \"approval\": \"IG-2\", \"expires\": \"2090-01-01\", $1}]"; }

check() { run policy check --no-host --on "${1:-$now}" p.json; }

# met, unmet TEXT: fail unless the present evidence does, or does not, meet the demand.
met() { check "$@"; says_not "denies its image"; }
unmet() { check "${@:2}"; says "$1"; }

# report NAME JQ-FILTER: makes report.json from that fixture and keeps it.
report() { jq "$2" "$reports/$1.json" > report.json && add --digest "$digest" report.json; }

refused_policy() # KEYS TEXT
{
	demanding "$1"
	run policy check --no-host p.json
	[ "$status" -eq 2 ]
	says "$2"
}

@test "what ces-admit would refuse in the directory of an image meets no demand" {
	demanding '"scan": {"max_age": "30d"}'
	add "$reports/trivy.json"
	met
	folder=evidence.d/sha256-${digest#sha256:}
	cp $folder/report-*.json $folder/report-old.json
	unmet "report-old.json: no report has such a name: remove it"
	rm $folder/report-old.json
	met
	for f in $folder/report-*.json; do cp "$f" "$f~"; done
	unmet "no report has such a name"
	run policy explain --image "ghcr.io/lab/model" p.json
	says "NOT MET"
	rm $folder/*~
	echo x > "$folder/approved-$(printf '%064d' 1).json"
	unmet "was changed"
	rm $folder/approved-*
	met
	# a scan each night, and nobody prunes
	truncate -s 40M $folder/report-"$(printf '%064d' 1)".json $folder/report-"$(printf '%064d' 2)".json
	unmet "it has more than 64 MiB: type ces-policy evidence prune"
}


@test "a demand without a digest, or with an unknown word, age or key, is refused" {
	refused_policy '"scan": {}' 'projects.p.images[0].scan needs the key "max_age"'
	refused_policy '"scan": {"max_age": "0d"}' 'must be a time like "30d"'
	refused_policy '"scan": {"max_age": "4000d"}' 'at most 3650d'
	refused_policy '"scan": {"max_age": "30d", "no": ["terrible"]}' '"critical", "high", "medium" or "low"'
	refused_policy '"scan": {"max_age": "30d", "no": "critical"}' 'scan.no'
	refused_policy '"scan": {"max_age": "30d", "most": 3}' 'most'
	refused_policy '"sbom": "yes"' 'sbom'
	for keys in '"scan": {"max_age": "30d"}' '"sbom": true'; do
		written "[{\"allow\": \"ghcr.io/lab/model\", $keys}]"
		check
		[ "$status" -eq 2 ]
		says 'projects.p.images[0] needs the key "digest"'
	done
	written '[{"allow": "ghcr.io/lab/model", "sbom": false}]'
	check
	[ "$status" -eq 0 ]
}

@test "check says which demand is not met now, or not for long, and what to type" {
	demanding '"scan": {"max_age": "30d", "no": ["critical"]}, "sbom": true'
	unmet "no SBOM of this image"
	add "$reports/spdx.json"
	unmet "projects.p.images[0].scan denies its image now: no scan of this image"
	says "type: ces-policy evidence add REPORT"
	jq 'del(.Results[].Vulnerabilities[]? | select(.Severity == "CRITICAL"))' "$reports/trivy.json" > report.json
	add report.json
	met
	met 2026-12-11
	unmet "will deny its image within 7d, because its scan will be too old" 2026-12-14
	unmet "denies its image now: the newest scan of sha256:5f70bf18a086... is 31 days old, and its rule allows 30d" 2026-12-21
	run policy check --strict --no-host --on 2026-12-21 p.json
	[ "$status" -eq 1 ]
	unmet "a date in the future" 2026-11-18
	met 2026-11-19
	report trivy .
	unmet "finds 1 critical"
}

@test "a scan is as old as its database, and a zone counts" {
	demanding '"scan": {"max_age": "30d"}'
	report grype '(.descriptor.db | .. | .built? // empty) |= "2026-10-20T06:00:00Z"'
	unmet "is 42 days old"
	rm -r evidence.d
	demanding '"scan": {"max_age": "12h"}'
	report trivy '.CreatedAt = "2026-12-01T20:00:00+09:00"'
	unmet "is 12 hours old" # 11:00 of UTC, and the day ends at 24:00
	report trivy '.CreatedAt = "2026-12-01T20:00:00"'
	met
	report trivy '.CreatedAt = "0000-00-00"'
	rm -r evidence.d
	report trivy 'del(.CreatedAt)'
	unmet "no scan of this image with a date"
}

@test "the newest report of each scanner counts, and any recent one may deny" {
	demanding '"scan": {"max_age": "30d", "no": ["critical"]}'
	report trivy '.CreatedAt = "2026-11-20T00:00:00Z"'
	unmet "finds 1 critical"
	report grype '(.descriptor.db | .. | .built? // empty) |= "2026-11-25T00:00:00Z" | .descriptor.timestamp = "2026-11-25T00:00:00Z" | del(.matches[] | select(.vulnerability.severity == "Critical"))'
	unmet "finds 1 critical"
	report trivy '.CreatedAt = "2026-11-21T00:00:00Z" | del(.Results[].Vulnerabilities)'
	met
	report trivy '.CreatedAt = "2026-11-19T00:00:00Z" | .Results[0].Vulnerabilities[0].Severity = "CRITICAL"'
	met
}

@test "of two scans with one database, the later one counts" {
	demanding '"scan": {"max_age": "30d", "no": ["critical"]}'
	# (the digests of the records decide nothing: some of five would be the greater)
	for day in 21 22 23 24 25; do
		report grype ".descriptor.timestamp = \"2026-11-${day}T00:00:00Z\" | del(.matches[])"
	done
	met
	report grype '.descriptor.timestamp = "2026-11-26T00:00:00Z" | .matches[0].vulnerability.severity = "Critical"'
	unmet "finds 1 critical"
	run policy evidence prune --evidence evidence.d
	[ "$(grep -c ' removed' <<< "$output")" -eq 5 ]
	unmet "finds 1 critical"
	for day in 21 22 23 24 25; do
		report grype ".descriptor.timestamp = \"2026-11-${day}T00:00:00Z\" | del(.matches[])"
	done
	report grype '.descriptor.timestamp = "2026-11-27T00:00:00Z" | del(.matches[])'
	met
}

@test "a rule against high findings ignores other severities, and fixable high is a rule of its own" {
	report trivy '.Results[0].Vulnerabilities |= map(select(.Severity == "HIGH"))'
	for no in critical medium low "fixable high" "fixable critical"; do
		demanding "\"scan\": {\"max_age\": \"30d\", \"no\": [\"$no\"]}"
		met
	done
	demanding '"scan": {"max_age": "30d", "no": ["high"]}'
	unmet "finds 1 high"
	report trivy '.CreatedAt = "2026-11-21T00:00:00Z" | .Results[0].Vulnerabilities |= map(select(.Severity == "HIGH") | .FixedVersion = "9")'
	demanding '"scan": {"max_age": "30d", "no": ["fixable high"]}'
	unmet "finds 1 fixable high"
}

@test "a finding that a scan has twice is as bad as both together" {
	demanding '"scan": {"max_age": "30d", "no": ["fixable critical"]}'
	twice='{VulnerabilityID: "CVE-1", PkgName: "a", InstalledVersion: "1"}'
	report trivy ".Results[0].Vulnerabilities = [$twice + {Severity: \"CRITICAL\"}, $twice + {Severity: \"LOW\", FixedVersion: \"2\"}]"
	unmet "finds 1 fixable critical"
	rm -r evidence.d
	report trivy ".Results[0].Vulnerabilities = [$twice + {Severity: \"CRITICAL\"}, $twice + {Severity: \"LOW\"}]"
	met
	rm -r evidence.d
	demanding '"scan": {"max_age": "30d", "no": ["critical", "high"], "unless_vex": true}'
	report cyclonedx '.metadata.timestamp = "2026-11-22T00:00:00Z" | .vulnerabilities = [.vulnerabilities[0] |
		(del(.analysis) | .ratings = [{severity: "high"}]), (.ratings = [{severity: "critical"}] | .analysis = {state: "not_affected"})]'
	unmet "finds 1 critical"
}

@test "a VEX statement excuses by its image, package, version and vulnerability, or excuses nothing" {
	demanding '"scan": {"max_age": "30d", "no": ["critical"], "unless_vex": true}'
	# WHAT IT EXCUSES|THE FILTER FOR THE STATEMENT
	while IFS='|' read -r excuses edit; do
		rm -rf evidence.d
		add "$reports/trivy.json"
		report openvex ".statements = [.statements[0]] | .statements[0] |= ($edit)"
		if [ "$excuses" = yes ]; then met; else unmet "finds 1 critical, and its rule allows none but what a VEX statement excuses"; fi || { echo "with $edit"; return 1; }
	done <<- 'EOT'
		yes|.
		yes|.status = "fixed"
		no|.status = "affected"
		no|.status = "under_investigation"
		no|.status = "anything"
		no|.products[0]["@id"] = "pkg:oci/stroke?tag=1"
		no|.products[0]["@id"] = "https://example.org/x"
		no|del(.products)
		yes|del(.products[0].subcomponents)
		no|.products[0].subcomponents[0]["@id"] = "pkg:deb/debian/libssl3@3.0.11-1~deb12u2"
		no|.products[0].subcomponents[0]["@id"] = "pkg:deb/debian/openssl@3.0.12"
		yes|.products[0].subcomponents[0]["@id"] = "pkg:deb/debian/openssl"
		yes|.products[0] = {"@id": "pkg:deb/debian/openssl@3.0.11-1~deb12u2"}
		no|.products[0] = {"@id": "pkg:deb/debian/openssl"}
		no|.products[0] = {"@id": "pkg:deb/debian/openssl@3.0.11-1~deb12u2", "subcomponents": [{"@id": "pkg:deb/debian/openssl@3.0.11-1~deb12u2"}]}
		no|.vulnerability = {"name": "CVE-1"}
		yes|.vulnerability = {"name": "GHSA-1", "aliases": ["CVE-2023-5678"]}
	EOT
	# without "unless_vex" it excuses nothing
	rm -rf evidence.d
	add "$reports/trivy.json" && add "$reports/openvex.json"
	met
	demanding '"scan": {"max_age": "30d", "no": ["critical"]}'
	unmet "finds 1 critical, and its rule allows none: it needs"
}

@test "of two statements the newer one counts, and of one moment the more careful one" {
	demanding '"scan": {"max_age": "30d", "no": ["critical"], "unless_vex": true}'
	add "$reports/trivy.json"
	report openvex .
	met
	report openvex '.timestamp = "2026-11-23T12:00:00Z" | .statements[0].status = "affected"'
	unmet "finds 1 critical"
	report openvex '.timestamp = "2026-11-24T12:00:00Z" | .statements[0].status = "fixed"'
	met
	report openvex '.timestamp = "2026-11-24T12:00:00Z" | .statements[0].status = "under_investigation"'
	unmet "finds 1 critical"
	# one document, about this image and about something else
	report openvex '.timestamp = "2026-11-25T12:00:00Z" | .statements = [.statements[0] | ., (.products[0]["@id"] = "pkg:oci/stroke?tag=1" | .status = "affected")]'
	met
}

@test "a CycloneDX document's own statement excuses its finding" {
	demanding '"scan": {"max_age": "30d", "no": ["high"], "unless_vex": true}'
	report cyclonedx '.metadata.timestamp = "2026-11-22T00:00:00Z"'
	unmet "finds 1 high"
	report cyclonedx '.metadata.timestamp = "2026-11-23T00:00:00Z" | .vulnerabilities |= map(.analysis = {state: "not_affected"})'
	met
	demanding '"scan": {"max_age": "30d", "no": ["high"]}'
	unmet "finds 1 high"
	# (a document with only statements is no scan, with components or without)
	rm -r evidence.d
	report cyclonedx '.metadata.timestamp = "2026-11-23T00:00:00Z" | .vulnerabilities |= map(.analysis = {state: "not_affected"})'
	unmet "no scan of this image"
	report cyclonedx '.metadata.timestamp = "2026-11-23T00:00:00Z" | del(.components)'
	unmet "no scan of this image"
}

@test "a newer CycloneDX statement neither hides what scans found nor makes them newer" {
	vex='.metadata.timestamp = "2026-11-25T00:00:00Z" | .vulnerabilities = [.vulnerabilities[0] | .id = "CVE-9" | .ratings = [{severity: "low"}] | .analysis = {state: "not_affected"}]'
	demanding '"scan": {"max_age": "30d", "no": ["high"], "unless_vex": true}'
	report cyclonedx '.metadata.timestamp = "2026-11-22T00:00:00Z"'
	report cyclonedx "$vex"
	unmet "finds 1 high"
	rm -r evidence.d
	report cyclonedx '.metadata.timestamp = "2026-10-01T00:00:00Z" | .vulnerabilities[].ratings = [{severity: "low"}]'
	unmet "is 61 days old"
	report cyclonedx "$vex"
	unmet "is 61 days old"
}

@test "a record of OpenVEX that was made before products were kept is read, and excuses nothing" {
	demanding '"scan": {"max_age": "30d", "no": ["critical"], "unless_vex": true}'
	add "$reports/trivy.json"
	add "$reports/openvex.json"
	met
	new=$(grep -l openvex evidence.d/*/report-*)
	grep -q '"ces_evidence": 2' "$new"
	sed -E 's/"ces_evidence": 2/"ces_evidence": 1/; s/, "product": "[a-z]*"//' "$new" > old
	rm "$new"
	mv old "$(dirname "$new")/report-$(sha256sum < old | cut -d' ' -f1).json"
	unmet "finds 1 critical"
	run policy evidence show --evidence evidence.d "$digest"
	[ "$status" -eq 0 ]
	says "not_affected"
}

@test "the report shows the age of scans, and what a rule refuses; what-if, which scans will be too old" {
	demanding '"scan": {"max_age": "30d", "no": ["critical"]}'
	row() { rm -rf tables && run policy report --no-host --on "$1" -o page.html --csv tables p.json && grep -c "$2" tables/may-run.csv; }
	row $now 'none; REFUSED: no scan of this image'
	report trivy 'del(.Results[].Vulnerabilities)'
	row $now '11 days old, as the rule demands'
	row 2026-12-30 '40 days old; REFUSED: the newest scan of .* is 40 days old'
	grep -q 'denies its image now' page.html
	written "[{\"allow\": \"ghcr.io/lab/model\", \"digest\": \"$digest\"}, {\"allow\": \"ghcr.io/lab/*\"}]"
	row $now '11 days old.\?$'
	row $now 'any digest.\?$'
	demanding '"scan": {"max_age": "30d"}'
	run policy what-if p.json expire 2026-12-19
	[ "$status" -eq 0 ]
	run policy what-if p.json expire 2026-12-20
	[ "$status" -eq 1 ]
	says "its scan or SBOM does not do then"
}

@test "a base is a list of ChainIDs, and a name is refused with the reason" {
	refused_policy '"base": ["docker.io/library/debian:12"]' 'base[0] must be the ChainID of a base, sha256: and 64 lower-case hex digits, as ces-policy conform prints it: a name proves nothing'
	refused_policy '"base": []' 'projects.p.images[0].base must have 1 to 16 ChainIDs'
	refused_policy "\"base\": [$(for ((i = 0; i < 17; i++)); do printf '%s"sha256:%064d"' "${c:-}" $i; c=,; done)]" 'must have 1 to 16 ChainIDs'
	# without a digest, too
	one=sha256:$(printf '%064d' 1) two=sha256:$(printf '%064d' 2)
	written "[{\"allow\": \"ghcr.io/lab/*\", \"base\": [\"$one\"]}]"
	cp p.json one.json
	run policy explain --project p p.json
	[ "$status" -eq 0 ]
	says "ghcr.io/lab/*, only on the base ${one:0:19}"
	written "[{\"allow\": \"ghcr.io/lab/*\", \"base\": [\"$one\", \"$two\"]}]"
	run policy diff one.json p.json
	says "WIDER project p: ghcr.io/lab/*: gains the base $two"
	run policy diff p.json one.json
	says "narrower project p: ghcr.io/lab/*: loses the base $two"
	written '[{"allow": "ghcr.io/lab/*"}]'
	run policy diff one.json p.json
	says "WIDER project p: ghcr.io/lab/*: demands no base any more"
	run policy diff p.json one.json
	says "narrower project p: ghcr.io/lab/*: demands one of 1 bases"
}

@test "explain and diff say what is demanded" {
	demanding '"scan": {"max_age": "30d", "no": ["critical", "fixable high"], "unless_vex": true}, "sbom": true'
	cp p.json strict.json
	run policy explain --project p p.json
	says "demands a scan at most 30d old without critical, fixable high (except what VEX excuses), and an SBOM"
	run policy explain --image ghcr.io/lab/model p.json
	says "demands a scan at most 30d old without critical, fixable high (except what VEX excuses), and an SBOM: NOT MET, no SBOM of this image"
	add "$reports/spdx.json"
	report trivy ".CreatedAt = \"$(date -u +%FT%TZ)\" | del(.Results[].Vulnerabilities)"
	run policy explain --image ghcr.io/lab/model p.json
	says "and an SBOM: met by report sha256:"
	demanding '"scan": {"max_age": "60d", "no": ["critical"]}'
	run policy diff strict.json p.json
	says "WIDER project p: ghcr.io/lab/model: its scan may be 60d old instead of 30d"
	says "WIDER project p: ghcr.io/lab/model: its scan may find fixable high"
	says "narrower project p: ghcr.io/lab/model: a VEX statement no longer excuses a finding"
	says "WIDER project p: ghcr.io/lab/model: demands no SBOM any more"
	demanding '"sbom": false'
	run policy diff strict.json p.json
	says "WIDER project p: ghcr.io/lab/model: demands no scan any more; it demanded one at most 30d old"
	run policy diff p.json strict.json
	says "narrower project p: ghcr.io/lab/model: demands a scan at most 30d old"
	says "narrower project p: ghcr.io/lab/model: demands an SBOM"
	written '[]'
	run policy diff p.json strict.json
	says "demands a scan at most 30d old without critical"
}

@test "a case of test states the evidence, and without it there is none" {
	demanding '"scan": {"max_age": "30d", "no": ["fixable high"], "unless_vex": true}, "sbom": true'
	# EXPECT|RULE|KEYS
	while IFS='|' read -r expect rule keys; do
		jq -n --arg e "$expect" --arg r "projects.p.images[0]$rule" "{ces_cases: 1, on: \"$now\", cases: [{name: \"one\", user: \"bob\", groups: [\"p\"],
			image: \"ghcr.io/lab/model\", expect: \$e, rule: \$r} + $keys]}" > cases.json
		run policy test p.json cases.json
		[ "$status" -eq 0 ] || { echo "$keys: $output"; return 1; }
	done <<- 'EOT'
		deny|.sbom|{}
		deny|.scan|{sbom: true}
		allow||{sbom: true, scan: {age: "30d"}}
		deny|.scan.max_age|{sbom: true, scan: {age: "31d"}}
		allow||{sbom: true, scan: {age: "3d", found: ["critical", "high"]}}
		deny|.scan.no|{sbom: true, scan: {age: "3d", found: ["fixable high"]}}
		allow||{sbom: true, scan: {age: "3d", excused: ["fixable high"]}}
	EOT
}
