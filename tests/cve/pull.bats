#!/usr/bin/env bats
# Tries on CES the escapes and stalls that a registry or a layer achieved on other engines (tests/cve/README.md).

load ../lib/e2e.bash
load cve.bash

setup_file() { cve_begin; }
teardown_file() { cve_end; }
setup() { remember_host; }
teardown() { rm -rf /home/*/outputs_*; }

@test "CVE-2026-111361: CES parses exactly what it hashed: two documents in one, or one and more bytes, are refused" {
	for tag in document space nul bom garbage key escape; do
		pull_refused bytes-$tag 'manifest'
	done
	all_refused
}

@test "CVE-2026-95838: seventy thousand opaque marks on one directory cost no more than their bytes" {
	SECONDS=0
	run hostile opaque-many -- sh -c 'ls /d | wc -l'
	echo "$status $output after $SECONDS s"
	[ "$status" -eq 0 ]
	[ "$output" = 2000 ]
	[ $SECONDS -lt $((${CES_PATIENCE:-100} / 5)) ]
	ces alice rmi -q $bad:opaque-many
	untouched
}

@test "CVE-2026-41567: a layer is unpacked by CES's own program: no program of the image runs, and another packing is refused" {
	for how in gzip zstd; do
		run hostile unpackers-$how -- cat /packed
		[ "$output" = 'as it was' ]
		[ ! -e $decoy/ran ]
		ces alice rmi -q $bad:unpackers-$how
	done
	for how in xz bzip2 lz4; do
		pull_refused packed-$how 'layer|manifest'
		pull_refused hidden-$how 'layer'
	done
	[ ! -e $decoy/ran ]
	untouched
}

@test "CVE-2026-53493: an index in an index, fifty deep, in disguise or of twenty thousand entries is refused, and no more is fetched" {
	: > $lab/cve.log
	pull_refused index-nested 'index inside an index'
	pull_refused index-deep 'index inside an index'
	pull_refused index-disguised 'manifest'
	pull_refused index-wide 'more than the expected 4194304 bytes'
	# one document for each pull, or two: CES follows no graph
	[ "$(jq -s 'map(select(.path // "" | contains("/manifests/"))) | length' $lab/cve.log)" -le 6 ]
	[ "$(jq -s 'map(select(.path // "" | contains("/blobs/"))) | length' $lab/cve.log)" -eq 0 ]
	all_refused
}

@test "CVE-2026-95839: a digest that is malformed is refused wherever it is, and is no part of a name" {
	: > $lab/cve.log
	for which in index-{0..13} config-{3,6,7,9,12} layer-{3,6,7,9,12}; do
		pull_refused digest-$which 'digest'
	done
	no grep -E '\.\./|passwd|sha512|AAAA' $lab/cve.log
	all_refused
}

@test "CVE-2026-17106, CVE-2025-11395: links of a layer lead nowhere, whichever names go through them, in this layer or the next" {
	run hostile link-chain -- sh -c 'cat /b; ls -ld /a | wc -l'
	echo "$status $output"
	[ "$status" -eq 0 ] || [[ $output == "ces: "* ]]
	pull_refused link-read 'not a file of this layer'
	[ ! -e $decoy/canary ]
	ces alice rmi -q $bad:link-chain || true
	untouched
}

@test "CVE-2025-11395: users and groups are read in the image alone, even if its files are links" {
	printf 'worker:x:0:0::/:/bin/sh\n' > $decoy/secret
	before_host=$(host)
	run hostile link-copy -- id
	echo "$status $output"
	[ "$status" -eq 125 ]
	[[ $output == *"worker"* ]]
	untouched
}

@test "CVE-2026-122321: when a tag moves between check and use, the pulled image runs: the tag is resolved once" {
	: > $lab/cve.log
	before_index=$(cat $lab/cve/index.json)
	good=$(jq -r '.manifests[] | select(.annotations[] == "good") | .digest' $lab/cve/index.json)
	pull alice $bad:good -q
	[ "$(jq -s 'map(select(.path // "" | endswith("/manifests/good"))) | length' $lab/cve.log)" -eq 1 ]
	# (now the tag names another image)
	jq '(.manifests[] | select(.annotations[] == "moved") | .annotations[]) |= "good" |
		.manifests |= (map(select(.digest != $good)))' --arg good "$good" <<< "$before_index" > $lab/cve/index.new
	mv $lab/cve/index.new $lab/cve/index.json
	remember
	run ces alice run -q $bad:good cat /moved
	[ "$status" -ne 0 ]
	[ "$(journal_new -r 'select(.event == "decision") | .digest' | head -n 1)" = "$good" ]
	# (if the policy locks the digest, the other image is neither pulled nor run, by any name)
	cve_policy ".projects[\"nsh-2024-0001\"].images = [{allow: \"bad.tre.test/**\", digest: \"$good\"}]"
	run --separate-stderr pull alice $bad:good
	echo "$stderr"
	locked=$status
	run ces alice run -q $bad:good echo still
	echo "$before_index" > $lab/cve/index.json
	cve_policy
	[ "$locked" -eq 125 ]
	[[ $stderr == *"not the one that was approved"* ]]
	[ "$output" = still ]
	ces alice rmi -q $bad:good
}
