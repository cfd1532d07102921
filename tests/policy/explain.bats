#!/usr/bin/env bats
# ces-policy explain: a policy in plain English.

load common.bash

setup() { p=$examples/desktop.json; }

@test "explain shows all of a policy: who, which images, which data with which rights, until when, by whom, which way out" {
	run policy explain "$p"
	[ "$status" -eq 0 ]
	for text in "Approved by IG panel" "To be reviewed by 2027-10-01" "Project nsh-2024-0001: Outcomes after stroke" \
		"Until 2027-06-30" "Members of the groups: nsh-2024-0001" "ghcr.io/epcced/*, approved by IG-2026-014, until 2027-06-30" \
		"Data: /safe_data/nsh-2024-0001, read-write" "Data: /safe_data/nsh-2024-0002, read-only" "Way out: none" \
		"Ports by which a user on the same machine may reach their own run: 5432, 8787, 8888" "GPUs: 0"; do
		says "$text"
	done
}

@test "explain shows a proxy as the way out, and a cluster with its claims" {
	jq '.projects["nsh-2024-0002"].network.proxy = "http://p.loc:3128"
		| .kubernetes = {namespace: "nsh-gpu", data_claim: "pvc-{project}", outputs_claim: "o", pull_secret: "s", gpu_product: "A100"}' "$p" > "$BATS_TEST_TMPDIR/p.json"
	run policy explain "$BATS_TEST_TMPDIR/p.json"
	says "Way out: the proxy http://p.loc:3128 alone"
	says "Way out: none"
	says "namespace nsh-gpu, queue nsh-gpu-user-queue"
	says "Data: claim pvc-{project}, read-only; outputs: claim o; images are pulled with the secret s"
	says "Jobs with GPUs run on nodes that have the product A100"
}

@test "explain shows what outputs are checked for, and that this replaces nobody" {
	jq '.projects["nsh-2024-0001"].outputs = {manifest: {max_files: 100}, check: {types: ["csv"], max_file_size: "10M", csv: {max_rows: 100},
		forbidden_patterns: ["S####"]}}' "$p" > "$BATS_TEST_TMPDIR/p.json"
	run policy explain --project nsh-2024-0001 "$BATS_TEST_TMPDIR/p.json"
	[ "$status" -eq 0 ]
	says "Their list ends at 100 files, 64 GiB or 20s"
	says "Outputs are checked for: only files of the types csv; at most 10 MiB each; at most 100 rows of a CSV table; no text like S####"
	says "CES reports what does not pass; the user keeps it"
	says "This helps the people who check outputs, and does not replace them"
	run policy explain --project nsh-2024-0002 "$BATS_TEST_TMPDIR/p.json"
	says_not checked
	jq '.projects["nsh-2024-0001"].outputs.check += {on_fail: "withhold", withhold: "/srv/a"}' "$BATS_TEST_TMPDIR/p.json" > "$BATS_TEST_TMPDIR/q.json"
	run policy explain --project nsh-2024-0001 "$BATS_TEST_TMPDIR/q.json"
	says "Until all pass, they stay in /srv/a, where their user cannot read them"
}

@test "explain shows the totals of all runs of one user" {
	jq '.host.user_limits = {cpus: 8, memory: "64G", pids: 8192, runs: 6}' "$p" > "$BATS_TEST_TMPDIR/total.json"
	run policy explain "$BATS_TEST_TMPDIR/total.json"
	[ "$status" -eq 0 ]
	says "All runs of one user together: 64 GiB memory"
	says "Runs at once for each user in all projects: 6"
}

@test "explain shows a user's share of the image store, written or not" {
	run policy explain "$p"
	says "Images of one user: 1000, on half of the disk at most; 4 pulls at once; 1 GiB stay free"
	jq '.host += {user_limits: {images: 20, pulls: 2, store: "90G"}, store_reserve: "20G"}' "$p" > "$BATS_TEST_TMPDIR/store.json"
	run policy explain "$BATS_TEST_TMPDIR/store.json"
	[ "$status" -eq 0 ]
	says "Images of one user: 20, on 90 GiB at most; 2 pulls at once; 20 GiB stay free"
}

@test "explain of one project shows none of the others" {
	run policy explain --project nsh-2024-0002 "$p"
	[ "$status" -eq 0 ]
	says "Wards and infections"
	says_not "stroke"
	run policy explain --project nsh-2024-0009 "$p"
	[ "$status" -eq 2 ]
}

@test "explain of one user shows what the groups give" {
	run policy explain --user ann --groups staff,nsh-2024-0002 "$p"
	[ "$status" -eq 0 ]
	says "ann has 1 project"
	says "ann is in nsh-2024-0002 by group nsh-2024-0002"
	says_not "Outcomes after stroke"
	run policy explain --user auditor --groups staff "$p"
	says "auditor is in nsh-2024-0002 by name"
	run policy explain --user eve --groups staff "$p"
	says "eve has 0 projects"
}

@test "a user of this machine has its groups; for an unknown user explain says so" {
	jq '.projects["nsh-2024-0001"].members.groups = ["daemon"]' "$p" > "$BATS_TEST_TMPDIR/p.json"
	run policy explain --user daemon "$BATS_TEST_TMPDIR/p.json"
	says "daemon is in nsh-2024-0001 by group daemon"
	run policy explain --user nobody-knows-me "$p"
	[ "$status" -eq 2 ]
	says "--groups"
}

@test "groups of inferred projects count too" {
	run policy explain --user ann --groups nsh-heart "$examples/ondemand.json"
	says "ann is in heart by group nsh-heart"
}

@test "explain of one image shows which projects may run it, by which rule" {
	run policy explain --image ghcr.io/epcced/wards "$p"
	[ "$status" -eq 0 ]
	says "comes from https://tre-ghcr-proxy.nsh.loc:5000"
	says "projects.nsh-2024-0001.images[0] (ghcr.io/epcced/*) allows it, approved by IG-2026-014"
	says "projects.nsh-2024-0002.images[0] (ghcr.io/epcced/wards) allows it, only sha256:5f70"
	run policy explain --image git.ecdf.ed.ac.uk/stroke/x/y "$p"
	says "nsh-2024-0001"
	says_not "nsh-2024-0002"
	run policy explain --image docker.io/library/alpine "$p"
	says "nobody can pull it"
	says "no project may run it"
	run policy explain policy/default.json
	[ "$status" -eq 0 ]
	says "The policy has no project: it allows nothing"
	says_not "may run it"
}

@test "explain of one user and one image shows the answer for both" {
	run policy explain --user ann --groups nsh-2024-0002 --image ghcr.io/epcced/tool "$p"
	says "no rule covers ghcr.io/epcced/tool"
}

@test "explain says that a rule is expired, and shows the rule that decides then" {
	jq '.projects["nsh-2024-0001"].images = [{allow: "ghcr.io/**", expires: "2020-01-01"}, {allow: "ghcr.io/a/*"}, {allow: "ghcr.io/a/b"}]' \
		"$p" > "$BATS_TEST_TMPDIR/p.json"
	run policy explain --image ghcr.io/a/b "$BATS_TEST_TMPDIR/p.json"
	says "images[0] (ghcr.io/**) covered it, but EXPIRED"
	says "images[1] (ghcr.io/a/*) allows it"
	says "images[2] (ghcr.io/a/b) covers it too, but comes later"
}

@test "explain says who must have signed an image" {
	jq '.projects["nsh-2024-0001"].images[0].signed_by = ["keys/lab.pub"]
		| .projects["nsh-2024-0002"].images[0].signed_by = {keys: ["a", "b", "c"], at_least: 2}' "$p" > "$BATS_TEST_TMPDIR/p.json"
	run policy explain "$BATS_TEST_TMPDIR/p.json"
	says "approved by IG-2026-014, only if signed by keys/lab.pub, until"
	says "only if signed by 2 of a, b, c"
	run policy explain --image ghcr.io/epcced/tool "$BATS_TEST_TMPDIR/p.json"
	says "only if signed by keys/lab.pub"
}

@test "explain of one user says that an image has no registry in the policy" {
	jq '.projects["nsh-2024-0002"].images = [{allow: "docker.io/library/*"}]' "$p" > "$BATS_TEST_TMPDIR/p.json"
	run policy explain --user ann --groups nsh-2024-0002 --image docker.io/library/alpine "$BATS_TEST_TMPDIR/p.json"
	[ "$status" -eq 0 ]
	says "nobody can pull it, its registry docker.io is not in the policy"
}
