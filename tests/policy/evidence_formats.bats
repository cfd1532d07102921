#!/usr/bin/env bats
# What ces-policy evidence reads in the reports of each format.

load common.bash
load evidence.bash

@test "a report of Trivy gives packages, versions, counts, fixes, secrets and dates" {
	run add "$reports/trivy.json"
	[ "$status" -eq 0 ]
	says "$digest added"
	says "trivy by Trivy 0.68.1, 2026-11-20: critical 1 (1 fixable), high 1, low 1; 3 packages; secrets found: 1"
	shown '.digest_by == "report" and .made == "2026-11-20T09:30:00.123456789Z" and .secrets == 1
		and .counts.critical == {fixable: 1, other: 0} and .counts.high == {fixable: 0, other: 1}
		and (.packages | map(.name + " " + .version)) == ["bsdutils 1:2.38.1-5", "libssl3 3.0.11-1~deb12u2", "openssl 3.0.11-1~deb12u2"]
		and (.vulnerabilities | length == 3) and .vulnerabilities[2] == {id: "CVE-2023-5678", package: "openssl", version: "3.0.11-1~deb12u2",
			fixed: "3.0.13-1~deb12u1", alias: "", severity: "critical", status: "found"}'
	jq -e --arg d "sha256:$(sha256sum < "$reports/trivy.json" | cut -d' ' -f1)" '.[0].report == $d' <<< "$output"
}

@test "a report of Trivy about no package is no scan, and one about packages without a finding is" {
	for nothing in 'del(.Results)' '.Results = []' '.Results = null' '.Results |= map(select(.Class == "secret"))' \
		'.Results = [{Target: "Loose File License(s)", Class: "license-file"}, {Target: "Dockerfile", Class: "config"}]'; do
		changed trivy "$nothing"
		refused report.json "it is no scan of packages: scan with trivy image --scanners vuln --list-all-pkgs, or with another scanner"
	done
	# (as Trivy writes it without --list-all-pkgs, and as versions without classes did)
	for clean in '.Results = [{Target: "x (alpine 3.22)", Class: "os-pkgs", Type: "alpine"}]' \
		'.Results = [{Target: "app", Class: "secret"}, {Target: "app", Class: "lang-pkgs", Type: "gobinary", Packages: [{Name: "m", Version: "1"}]}]' \
		'.Results |= [.[0] | del(.Class, .Vulnerabilities)]'; do
		changed trivy "$clean"
		run add report.json
		[ "$status" -eq 0 ]
		says "no vulnerability; "
		rm -r kept
	done
}

@test "a report of Grype gives the CVE beside an advisory, and the date of its database, in old and new versions" {
	add "$reports/grype.json"
	shown '.tool == "grype 0.104.0" and .database == "2026-11-20T06:12:45Z" and .counts.medium.fixable == 1 and .counts.negligible.other == 1
		and any(.vulnerabilities[]; .id == "GHSA-9wx4-h78v-vm56" and .alias == "CVE-2024-35195" and .fixed == "2.32.0")
		and any(.vulnerabilities[]; .id == "CVE-2011-3374" and .alias == "" and .fixed == "")'
	rm -r kept
	changed grype '.descriptor.db = {built: "2024-05-01T01:02:03Z"}'
	add report.json
	shown '.database == "2024-05-01T01:02:03Z"'
}

@test "in SARIF, the severity is the rule's score, or else the level, and a result that is no finding does not count" {
	add --digest "$digest" "$reports/sarif.json"
	shown '.format == "sarif" and .digest_by == "caller" and .counts.critical.fixable == 1 and .counts.low.other == 1
		and (.vulnerabilities | length == 2) and .vulnerabilities[1].package == "openssl" and .vulnerabilities[1].fixed == "3.0.13-1~deb12u1"'
	rm -r kept
	changed sarif '.runs[0].properties = {imageName: "ghcr.io/epcced/stroke:1", repoDigests: ["ghcr.io/epcced/stroke@'"$digest"'"]}
		| del(.runs[0].tool.driver.rules[0].properties)'
	add report.json
	shown '.digest_by == "report" and .image == "ghcr.io/epcced/stroke:1" and .counts.high.fixable == 1'
	# SEVERITY|RESULT AND RULE: a level of the result's own, of its rule, or "warning"
	while IFS='|' read -r severity edit; do
		rm -r kept
		changed sarif ".runs[0] |= (.results |= .[:1] | $edit)"
		add --digest "$digest" report.json
		shown ".counts.$severity.fixable == 1" || { echo "with $edit"; return 1; }
	done <<- 'EOT'
		high|.tool.driver.rules[0].properties["security-severity"] = "nan"
		high|.tool.driver.rules[0].properties["security-severity"] = "-1"
		high|.tool.driver.rules[0].properties["security-severity"] = 7.5
		medium|del(.tool.driver.rules[0].properties, .results[0].level)
		high|del(.tool.driver.rules[0].properties, .results[0].level) | .tool.driver.rules[0].defaultConfiguration.level = "error"
		medium|del(.tool.driver.rules, .results[0].level)
		low|del(.tool.driver.rules) | .results[0].level = "note"
		critical|del(.results[0].ruleId)
		critical|.results[0].ruleId = "CVE-2023-5678/1"
		critical|del(.results[0].ruleIndex) | .results[0] |= (.rule = {id: "CVE-2023-5678/1", index: 0} | del(.ruleId))
		critical|.results[0].ruleIndex = 1
		low|.results[0] |= (.ruleIndex = 1 | del(.ruleId, .level))
		high|.results[0] |= (.ruleIndex = 2 | del(.ruleId))
		high|.results[0] |= (.ruleIndex = 4294967296 | del(.ruleId))
		high|.results[0] |= (.ruleIndex = -1 | del(.ruleId))
		high|.results[0] |= (.ruleIndex = 0.5 | del(.ruleId))
		high|.results[0] |= (.ruleIndex = "0" | del(.ruleId))
		high|.results[0] |= (.rule = {index: 0, toolComponent: {index: 0}} | del(.ruleId))
		high|del(.tool.driver.rules, .results[0].ruleId)
	EOT
	# (the vulnerability is what the rule is named by)
	rm -r kept
	changed sarif 'del(.runs[0].results[].ruleId)'
	add --digest "$digest" report.json
	shown '(.vulnerabilities | map(.id)) == ["CVE-2022-0563", "CVE-2023-5678"]'
}

@test "SARIF of several scans is as old as the oldest, and a scan that failed is refused" {
	at() { echo ".invocations = [{executionSuccessful: true, endTimeUtc: \"$1\"}]"; }
	changed sarif ".runs = [.runs[0] | ($(at 2026-11-20T10:00:00Z)), ($(at 2026-11-20T10:30:00+01:00)), ($(at 2026-11-25T00:00:00Z)), .]"
	add --digest "$digest" report.json
	shown '.made == "2026-11-20T10:30:00+01:00"'
	rm -r kept
	changed sarif '.runs[0] |= (.results = [] | .invocations = [{executionSuccessful: false, endTimeUtc: "2026-11-20T10:00:00Z"}])'
	refused report.json "its scan did not succeed" --digest "$digest"
}

@test "in CycloneDX, a rating without a word has the severity of its CVSS score" {
	# RATINGS|SEVERITY
	while IFS='|' read -r ratings severity; do
		changed cyclonedx ".vulnerabilities = [.vulnerabilities[0] | .ratings = $ratings]"
		add report.json
		shown ".vulnerabilities[0].severity == \"$severity\"" || { echo "with $ratings"; return 1; }
		rm -r kept
	done <<- 'EOT'
		[{method: "CVSSv31", score: 9.8}]|critical
		[{method: "CVSSv4", score: 7}, {severity: "low"}]|high
		[{method: "CVSSv31", score: 9.8, severity: "medium"}]|medium
		[{method: "CVSSv31", score: 9.8, severity: "unknown"}]|critical
		[{method: "OWASP", score: 40}]|unknown
		[{method: "CVSSv31"}]|unknown
	EOT
}

@test "in SARIF of Grype, the CVE and the package come from a rule's name, and the versions from its help" {
	jq -n '{version: "2.1.0", runs: [{tool: {driver: {name: "Grype", version: "0.104.0", rules: [{id: "CVE-2023-5678-openssl", name: "DpkgMatcherExactDirectMatch",
		shortDescription: {text: "CVE-2023-5678 medium vulnerability for openssl package"},
		help: {text: "Vulnerability CVE-2023-5678\nSeverity: medium\nPackage: openssl\nVersion: 3.0.11\nFix Version: 3.0.13\nType: deb"},
		properties: {"security-severity": "5.3"}}]}}, results: [{ruleId: "CVE-2023-5678-openssl", level: "warning",
		message: {text: "A medium vulnerability in deb package: openssl, version 3.0.11 was found in image stroke at: /x"}}]}]}' > report.json
	add --digest "$digest" report.json
	shown '.tool == "Grype 0.104.0" and .counts.medium.fixable == 1
		and .vulnerabilities == [{id: "CVE-2023-5678", package: "openssl", version: "3.0.11", fixed: "3.0.13", alias: "", severity: "medium", status: "found"}]'
}

@test "an SBOM of SPDX 2.3 gives packages, and names its image by URL, checksum or version" {
	add "$reports/spdx.json"
	shown '.tool == "syft-1.38.0" and .made == "2026-11-20T09:31:00Z" and (.packages | map(.name)) == ["numpy", "openssl"] and .vulnerabilities == []'
	for gone in 'del(.packages[2].externalRefs, .packages[2].checksums)' 'del(.packages[2].externalRefs, .packages[2].versionInfo)' \
		'del(.packages[2].checksums, .packages[2].versionInfo, .packages[2].primaryPackagePurpose)'; do
		rm -r kept
		changed spdx "$gone"
		add report.json
		shown '.digest_by == "report"'
	done
}

@test "an SBOM of CycloneDX 1.5 gives components inside components, and vulnerabilities by reference" {
	add "$reports/cyclonedx.json"
	shown '.tool == "trivy 0.68.1" and (.packages | map(.name)) == ["@babel/core", "debian", "fit", "openssl"]
		and .counts.high == {fixable: 1, other: 0} and .counts.critical == {fixable: 0, other: 0}
		and any(.vulnerabilities[]; .id == "CVE-2023-5678" and .package == "openssl" and .version == "3.0.11-1~deb12u2" and .fixed == "3.0.13-1~deb12u1")
		and any(.vulnerabilities[]; .id == "CVE-2025-0001" and .package == "@babel/core" and .status == "not_affected")'
	rm -r kept
	# up to 1.4, tools are a list
	changed cyclonedx '.specVersion = "1.4" | .metadata.tools = [{vendor: "x", name: "old", version: "1"}]'
	add report.json
	shown '.tool == "old 1"'
}

@test "OpenVEX 0.2 gives the statements about this image, and none about another" {
	add "$reports/openvex.json"
	shown '(.vulnerabilities | map(.id + " " + .status)) == ["CVE-2022-0563 under_investigation", "CVE-2023-5678 not_affected"]
		and .vulnerabilities[1].package == "openssl" and .vulnerabilities[1].alias == "GHSA-xxxx-yyyy-zzzz" and .counts.unknown == {fixable: 0, other: 0}'
	rm -r kept
	changed openvex '.statements[1].products[0].hashes["sha-256"] = "'"${other#sha256:}"'"'
	refused report.json "names 2 digests"
	add --digest "$digest" report.json
	shown '(.vulnerabilities | map(.id)) == ["CVE-2023-5678"]'
}

@test "an in-toto statement, alone, in an envelope or in a bundle, is about its subject" {
	add "$reports/statement.json"
	shown '.format == "in-toto" and .predicate == "https://slsa.dev/provenance/v1" and .image == "ghcr.io/epcced/stroke"'
	rm -r kept
	enveloped "$reports/statement.json" > envelope.json
	run add envelope.json
	[ "$status" -eq 0 ]
	says "attestation https://slsa.dev/provenance/v1, signature not checked"
	rm -r kept
	jq '{mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", verificationMaterial: {publicKey: {hint: ""}}, dsseEnvelope: .}' envelope.json > bundle.json
	add bundle.json
	shown '.predicate == "https://slsa.dev/provenance/v1"'
	rm -r kept
	jq '.payload |= sub("^...."; "!!!!")' envelope.json > report.json
	refused report.json "payload is not base64"
	jq '.payloadType = "text/plain"' envelope.json > report.json
	refused report.json "something else than in-toto"
	enveloped "$reports/trivy.json" > report.json
	refused report.json "not an in-toto Statement"
	enveloped <(echo '{"a": 1, "a": 2}') > report.json
	refused report.json "payload has a key twice"
}

@test "a predicate that is a report is read, and must be about the subject" {
	jq --slurpfile t "$reports/cyclonedx.json" '.predicateType = "https://cyclonedx.org/bom" | .predicate = $t[0]' "$reports/statement.json" > statement.json
	add statement.json
	shown '.format == "cyclonedx" and .predicate == "https://cyclonedx.org/bom" and .counts.high.fixable == 1'
	rm -r kept
	jq --slurpfile t "$reports/trivy.json" '.predicateType = "https://cosign.sigstore.dev/attestation/vuln/v1" | .predicate = {invocation: {},
		scanner: {uri: "pkg:github/aquasecurity/trivy", version: "0.68.1", db: {lastUpdate: "2026-11-19T00:00:00Z"}, result: $t[0]},
		metadata: {scanStartedOn: "2026-11-20T09:00:00Z", scanFinishedOn: "2026-11-20T09:30:00Z"}}' "$reports/statement.json" > statement.json
	enveloped statement.json > envelope.json
	add envelope.json
	shown '.format == "trivy" and .database == "2026-11-19T00:00:00Z" and .counts.critical.fixable == 1'
	rm -r kept
	jq '.subject[0].digest.sha256 = "'"${other#sha256:}"'"' statement.json > report.json
	refused report.json "its predicate is about $digest, and not about its subject"
	jq -n --slurpfile s statement.json '$s[0] | .predicate = $s[0]' > report.json
	add report.json
	shown '.format == "in-toto" and .vulnerabilities == []'
}
