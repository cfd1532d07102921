#!/usr/bin/env bats
# ces-policy approve and revoke: they add and remove a rule for one image, and change nothing else in the file.

load common.bash
load approve.bash

@test "a wrong argument is answered with what to type" {
	refused "name one policy, and one image" approve --project p --approval x p.json
	refused "--project, or --inferred" approve --approval x p.json "$image"
	refused "--project, or --inferred" approve --approval x --project p --inferred p.json "$image"
	refused "write --approval IG-2026-014" approve --project p p.json "$image"
	refused "write --approval IG-2026-014" approve --project p --approval $'a\033[31m' p.json "$image"
	refused "exclude each other" approve --project p --approval x --evidence d --no-evidence p.json "$image"
	refused "--expires: write 2027-06-30" approve --project p --approval x --no-evidence --expires tomorrow p.json "$image"
	refused "try: ces-policy approve --help" approve --nope
	refused "the rule by its image or --approval" revoke p.json
	refused "try: ces-policy revoke --help" revoke
	run approve --help
	[ "$status" -eq 0 ]
	run revoke --help
	[ "$status" -eq 0 ]
}

@test "approve adds one rule with digest, approval, evidence and end, and says what widens" {
	add "$reports/trivy.json" "$reports/spdx.json"
	run approve --project p --approval IG-2026-020 --expires 2089-01-01 p.json "$image"
	[ "$status" -eq 0 ]
	says "evidence of $digest (2 reports):"
	says "critical 1 (1 fixable), high 1, low 1"
	says "+ WIDER project p gains ghcr.io/lab/model at $digest (approval IG-2026-020 with evidence, until 2089-01-01)"
	says "written: p.json"
	[ "$(grep -c 'WIDER\|narrower\|changed' <<< "$output")" -eq 1 ]
	set=$(jq -r '.projects.p.images[] | select(.digest != null) | .evidence' p.json)
	jq -e --arg d "$digest" --arg e "$set" 'any(.projects.p.images[]; . == {allow: "ghcr.io/lab/model", digest: $d, approval: "IG-2026-020", evidence: $e,
		expires: "2089-01-01"})' p.json
	[ "$set" = "sha256:$(sha256sum < "evidence.d/sha256-${digest#sha256:}/approved-${set#sha256:}.json" | cut -d' ' -f1)" ]
	run policy check --strict --no-host p.json
	echo "$output"
	says_not evidence
}

@test "in each form of file only the rule's own lines are new, and revoke gives the file back byte for byte" {
	one='[{"allow":"ghcr.io/epcced/*","approval":"IG-1"}]'
	# FORM|THE FILTER THAT MAKES IT OF p.json
	while IFS='|' read -r form most edit; do
		for list in "$rules" "$one"; do
			written "$list" --tab
			eval "$edit" < before.json > p.json
			cp p.json before.json
			approved
			[ "$status" -eq 0 ] || { echo "$form: $output"; return 1; }
			only_added "$most" || { echo "in this form: $form"; return 1; }
			[ "$(jq '.projects.p.images | length' p.json)" -eq "$(($(jq '.projects.p.images | length' before.json) + 1))" ]
			revoke p.json "$image" > log
			cmp p.json before.json || { echo "$form: not as before"; diff before.json p.json; return 1; }
		done
	done <<- 'EOT'
		a key a line, tabs|7|cat
		a key a line, two blanks|7|jq --indent 2 .
		a key a line, four blanks|7|jq --indent 4 .
		one line in all|1|jq -c .
		lines of Windows|7|sed 's/$/\r/'
		no end of line at the end|7|head -c -1
		a rule a line|1|python3 -c 'import re, sys; print(re.sub(r"(?s)\{\s*(\"allow\"[^}]*?)\s*\}", lambda m: "{ " + re.sub(r"\s*\n\s*", " ", m[1]) + " }", sys.stdin.read()), end="")'
		all rules begin on the line of their key|1|python3 -c 'import re, sys; t = re.sub(r"(?s)\{\s*(\"allow\"[^}]*?)\s*\}", lambda m: "{ " + re.sub(r"\s*\n\s*", " ", m[1]) + " }", sys.stdin.read()); print(re.sub(r"\[\s*(\{ \"allow\".*?)\s*\]", r"[ \1 ]", t, flags=re.S), end="")'
	EOT
}

@test "the first rule of an empty list has a line of its own" {
	run approve --project q --approval IG-3 --expires 2089-01-01 --no-evidence p.json "$image"
	[ "$status" -eq 0 ]
	grep -q $'^\t\t\t\t{ "allow": "ghcr.io/lab/model", ' p.json
	[ "$(diff before.json p.json | grep -c '^[<>]')" -eq 4 ]
	revoke p.json "$image" > log
	cmp p.json before.json
	# the same where lines end as on Windows
	sed -i 's/$/\r/' p.json
	run approve --project q --approval IG-3 --expires 2089-01-01 --no-evidence p.json "$image"
	[ "$status" -eq 0 ]
	[ "$(grep -cv $'\r$' p.json)" -eq 0 ]
	written '[]' -c
	run approve --project p --approval IG-3 --no-evidence p.json "$image"
	[ "$status" -eq 0 ]
	jq -e '.projects.p.images | length == 1' p.json
	[ "$(wc -l < p.json)" -eq 1 ]
}

@test "a rule that a wider one would shadow is written before it" {
	approved
	[ "$(jq -r '.projects.p.images | map(.allow) | join(" ")' p.json)" = "ghcr.io/epcced/* ghcr.io/lab/model ghcr.io/lab/**" ]
	says "note: the rule ghcr.io/lab/** allows every image of this name"
	run policy check --no-host p.json
	says_not "never decides"
	run revoke p.json "$image"
	[ "$status" -eq 0 ]
	says "the image stays allowed by another rule"
	says "- narrower project p loses ghcr.io/lab/model at $digest"
}

@test "a rule is written before a wider one that decides for a time only" {
	written '[{"allow":"ghcr.io/lab/**","approval":"IG-2","expires":"2088-01-01"}]' --tab
	approved
	[ "$(jq -r '.projects.p.images | map(.allow) | join(" ")' p.json)" = "ghcr.io/lab/model ghcr.io/lab/**" ]
	run policy explain --image "$image" p.json
	says "images[0] (ghcr.io/lab/model) allows it"
}

@test "no rule that has ended, or demands more, is said to allow the image" {
	written '[{"allow":"ghcr.io/lab/**","expires":"2020-01-01"},{"allow":"ghcr.io/*/model","signed_by":["a.pub"]}]' --tab
	approved
	says_not "allows every image of this name"
	run revoke --approval IG-2026-020 p.json
	[ "$status" -eq 0 ]
	says "ghcr.io/*/model"
	says_not "images[1]: ghcr.io/lab/**"
	written '[{"allow":"ghcr.io/lab/**","expires":"2020-01-01"}]' --tab
	approved
	run revoke --approval IG-2026-020 p.json
	says_not "stays allowed"
}


@test "rules of inferred projects come and go too" {
	jq --tab '.infer_projects = {base: "/safe_data", group_prefixes: [""], images: []}' before.json > p.json
	cp p.json before.json
	run approve --inferred --approval IG-3 --expires 2089-01-01 --no-evidence p.json "$image"
	[ "$status" -eq 0 ]
	says "any inferred project gains ghcr.io/lab/model"
	jq -e '.infer_projects.images[0].approval == "IG-3"' p.json
	run revoke --project p p.json "$image"
	[ "$status" -eq 2 ]
	run revoke --inferred --approval IG-3 p.json
	[ "$status" -eq 0 ]
	cmp p.json before.json
	refused "neither the rule nor the project has an end" approve --inferred --approval IG-3 --no-evidence p.json "$image"
	jq 'del(.infer_projects)' before.json > p.json
	cp p.json before.json
	refused "infers no projects" approve --inferred --approval IG-3 --no-evidence p.json "$image"
}

@test "an approval's number with quotes is the same when it is read again" {
	run approve --project p --approval 'IG "20" \ 5' --no-evidence p.json "$image"
	[ "$status" -eq 0 ]
	[ "$(jq -r '.projects.p.images[1].approval' p.json)" = 'IG "20" \ 5' ]
	run revoke --approval 'IG "20" \ 5' p.json
	[ "$status" -eq 0 ]
	cmp p.json before.json
}

@test "--dry-run says the same and writes nothing" {
	add "$reports/trivy.json"
	before=$(find . -type f -exec sha256sum {} + | sort)
	run approve --dry-run --project p --approval IG-3 p.json "$image"
	[ "$status" -eq 0 ]
	says "+ WIDER project p gains ghcr.io/lab/model"
	says "nothing was written"
	run revoke --dry-run --approval IG-1 p.json
	[ "$status" -eq 0 ]
	says "- narrower project p loses ghcr.io/epcced/*"
	[ "$before" = "$(find . -type f -exec sha256sum {} + | sort)" ]
}

@test "an image that cannot be approved is refused, and the file stays" {
	refused "there is no evidence about this image in evidence.d: type ces-policy evidence add" approve --project p --approval x p.json "$image"
	refused "has no digest" approve --project p --approval x --no-evidence p.json ghcr.io/lab/model:1
	refused "no project none" approve --project none --approval x --no-evidence p.json "$image"
	refused 'registry docker.io is not in "registries"' approve --project p --approval x --no-evidence p.json "docker.io/lab/model@$digest"
	refused "" approve --project p --approval x --no-evidence p.json "model@$digest"
	refused "day of --expires has passed" approve --project p --approval x --no-evidence --expires 2020-01-01 p.json "$image"
	refused "neither the rule nor the project has an end" approve --project q --approval x --no-evidence p.json "$image"
	refused "the policy has no such rule" revoke --approval none p.json
	refused "the policy has no such rule" revoke p.json "ghcr.io/epcced/*@$digest"
	jq --tab '.projects.p.expires = "2020-01-01"' before.json > p.json
	cp p.json before.json
	refused "the last day of the project has passed already" approve --project p --approval x --no-evidence p.json "$image"
}

@test "a rule that exists is not written twice" {
	approved
	[ "$status" -eq 0 ]
	cp p.json before.json
	refused "images[1] is a rule for this image already, by IG-2026-020: type ces-policy revoke first" \
		approve --project p --approval IG-9 --no-evidence p.json "$image"
	run approve --project p --approval IG-9 --no-evidence p.json "ghcr.io/lab/model@$other"
	[ "$status" -eq 0 ]
}

@test "when several rules match, revoke lists these and changes nothing" {
	approved
	run approve --project q --approval IG-2026-020 --expires 2089-01-01 --no-evidence p.json "$image"
	[ "$status" -eq 0 ]
	cp p.json before.json
	refused "2 rules match" revoke --approval IG-2026-020 p.json
	says "p images[1]: $image, IG-2026-020"
	says "q images[0]: $image, IG-2026-020"
	run revoke --approval IG-2026-020 --project q p.json
	[ "$status" -eq 0 ]
	jq -e '.projects.q.images == [] and (.projects.p.images | length == 3)' p.json
}

@test "a policy that CES would refuse is not changed" {
	for broken in '.projects.p.nope = 1' '.projects.p.images[0].allow = "*"' '.ces_policy = 2' 'del(.registries)'; do
		jq --tab "$broken" before.json > p.json
		cp p.json bad.json
		run approve --project p --approval x --no-evidence p.json "$image"
		[ "$status" -eq 2 ]
		says "CES would refuse this policy"
		run revoke --approval IG-1 p.json
		[ "$status" -eq 2 ]
		cmp p.json bad.json
	done
	sed 's/"projects"/"ces_policy": 1, "projects"/' before.json > p.json
	run approve --project p --approval x --no-evidence p.json "$image"
	[ "$status" -eq 2 ]
	says "is written twice"
	head -c 5M /dev/zero > p.json
	run approve --project p --approval x --no-evidence p.json "$image"
	[ "$status" -eq 2 ]
	says "larger than 4 MiB"
}

@test "a policy that is a link, a FIFO or a directory is refused" {
	ln -s p.json link.json
	mkfifo fifo
	mkdir dir
	refused "link.json is a link: name the file itself" approve --project p --approval x --no-evidence link.json "$image"
	refused "fifo: not a regular file" approve --project p --approval x --no-evidence fifo "$image"
	refused "dir: not a regular file" revoke --approval IG-1 dir
	refused "No such file" revoke --approval IG-1 nothing/p.json
	[ -L link.json ]
}

@test "the file keeps its mode, and a change by somebody else is not written over" {
	chmod 640 p.json
	approved
	[ "$status" -eq 0 ]
	[ "$(stat -c %a p.json)" = 640 ]
	cp p.json before.json
	exec 9< p.json
	flock 9
	refused "somebody else is changing" revoke --approval IG-2026-020 p.json
	exec 9<&-
	run revoke --approval IG-2026-020 p.json
	[ "$status" -eq 0 ]
	[ -z "$(find . -maxdepth 1 -name '.*.new')" ]
}

@test "check finds evidence that is missing or was changed, and a report that came later does no harm" {
	add "$reports/trivy.json" "$reports/spdx.json"
	approve --project p --approval IG-2026-020 p.json "$image" > log
	folder=evidence.d/sha256-${digest#sha256:}
	add "$reports/grype.json"
	run policy check --no-host p.json
	says_not "evidence"
	cp -r evidence.d kept
	report=$(grep -l '"trivy"' "$folder"/report-*.json)
	sed -i 's/critical/low/' "$report"
	run policy check --strict --no-host p.json
	[ "$status" -eq 1 ]
	says "projects.p.images[1].evidence has a report that was changed"
	rm "$report"
	run policy check --no-host p.json
	says "projects.p.images[1].evidence lacks a report that was there"
	echo >> "$(echo "$folder"/approved-*.json)"
	run policy check --no-host p.json
	says "projects.p.images[1].evidence was changed"
	rm -r "$folder"
	run policy check --no-host p.json
	says "projects.p.images[1].evidence is missing"
	# elsewhere it is whole; where there is no directory at all, nobody asks
	run policy check --no-host --evidence kept p.json
	says_not "evidence"
	rm -r evidence.d
	run policy check --no-host p.json
	says_not "evidence"
	run policy check --no-host --evidence nothing p.json
	[ "$status" -eq 2 ]
}

@test "approve refuses evidence that was changed" {
	add "$reports/trivy.json"
	sed -i 's/critical/low/' evidence.d/*/report-*.json
	refused "was changed: its digest is" approve --project p --approval x p.json "$image"
}

@test "explain, report, diff and check know the key evidence" {
	add "$reports/trivy.json"
	approve --project p --approval IG-2026-020 p.json "$image" > log
	run policy explain --project p p.json
	says "approved by IG-2026-020 with evidence sha256:"
	run policy explain --image "$image" p.json
	says "approved by IG-2026-020, with evidence"
	run policy report --no-host p.json
	says "IG-2026-020, with evidence"
	cp p.json before.json
	jq --arg d "$other" '.projects.p.images[1].evidence = $d' before.json > p.json
	run policy diff before.json p.json
	[ "$status" -eq 0 ]
	says "* changed project p: ghcr.io/lab/model: evidence $other instead of sha256:"
	jq 'del(.projects.p.images[1].digest)' before.json > p.json
	run policy check --no-host p.json
	says "is about one image, but the rule allows any"
	jq '.projects.p.images[1].evidence = "x"' before.json > p.json
	run policy check --no-host p.json
	[ "$status" -eq 2 ]
	says '"evidence": "sha256:<64 hex digits>"'
}

@test "a policy that somebody replaces while it is read is not written over" {
	python3 - > report.json <<- EOT
		print('{"spdxVersion": "SPDX-2.3", "packages": [' + ','.join('{"name": "package-%d", "versionInfo": "%s"}' % (i, 'v' * 200) for i in range(100000)) + ']}')
	EOT
	add --digest "$digest" report.json
	approve --project p --approval x p.json "$image" > log 2>&1 &
	# the evidence takes longer to read than this
	for _ in {1..500}; do [[ $(ls -l /proc/[0-9]*/fd 2> /dev/null) == *" $PWD/p.json"* ]] && break; done
	jq --tab '.site = "another"' before.json > new.json
	mv new.json p.json
	wait $! && status=0 || status=$?
	[ "$status" -eq 2 ]
	grep -q "somebody else has changed .* meanwhile: try again" log
	[ "$(jq -r .site p.json)" = another ]
	[ -z "$(find . -maxdepth 1 -name '.*.new')" ]
}
