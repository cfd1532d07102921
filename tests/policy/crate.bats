#!/usr/bin/env bats
# The crate of a run, checked by the published rules of RO-Crate 1.2, Process Run Crate 0.5 and Five Safes RO-Crate 0.4
# (crate/README.md) and by another project's validator.

load common.bash
load signed.bash

setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return 1
	mkdir shapes
	zstd -dcq "$BATS_TEST_DIRNAME/crate/shapes.tar.zst" | tar -x -C shapes
	zstd -dcq "$BATS_TEST_DIRNAME/crate/context.jsonld.zst" > context.jsonld
}

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	j=$BATS_TEST_TMPDIR/audit.jsonl
	run=0000023757
	echo '{"run":"'$run'","manifest":{"ces_manifest":1,"files":[{"path":"a/é.csv","type":"file","size":3}]}}' > ces-run.json
	# the journal of make_journal.py, with the digest of this manifest
	journal 40 > made
	python3 - $run "sha256:$(jq -jc .manifest ces-run.json | sha256sum | cut -d' ' -f1)" <<- 'PY' > "$j"
		import hashlib, json, sys
		prev = ""
		for line in open("made"):
		    record = {**json.loads(line), "prev": prev}
		    if record["event"] == "end" and record["run"] == sys.argv[1]:
		        record["manifest"] = sys.argv[2]
		    line = json.dumps(record, separators=(",", ":"))
		    prev = "sha256:" + hashlib.sha256(line.encode()).hexdigest()
		    print(line)
	PY
}

crate() { policy audit export --journal "$j" --crate crate "$@"; }
validate()
{
	[ -e /usr/share/java/jena-shacl.jar ] || skip "Apache Jena is not here"
	run timeout 100 "$top/tests/lib/crate/validate.py" "$1" "$BATS_FILE_TMPDIR/shapes" "$BATS_FILE_TMPDIR/context.jsonld"
}

# The one rule that a run of an image cannot keep: its crate describes no workflow.
workflow='./: The RootDataEntity MUST have exactly one mainEntity property that is an IRI.'

@test "a crate with its receipt and manifest passes the published rules, except the one about a workflow" {
	make_keys
	policy receipt --journal "$j" $run --key p256.pem -o receipt.json
	crate --run $run --receipt receipt.json --key p256.pub --outputs ces-run.json
	cmp receipt.json crate/receipt.json
	[ "$(cat crate/manifest.json)" = "$(jq -jc .manifest ces-run.json)" ]
	jq -e '[.["@graph"][] | select(.["@id"] == "./").hasPart[]["@id"]] == ["records.jsonl", "records.csv", "receipt.json", "manifest.json"]' \
		crate/ro-crate-metadata.json
	validate crate
	echo "$output"
	[ "$output" = "$workflow" ]
}

@test "a crate that breaks rules of each of the three specifications fails the check" {
	crate --run $run
	mkdir broken
	jq '.["@graph"] |= map(
		if .["@id"] == "./" then del(.license, .mentions) | .sourceOrganization = {"@id": "#user"}
		elif .["@id"] == "#run" then del(.instrument) | .startTime = "yesterday"
		elif .["@id"] == "#user" then .["@type"] = "Thing"
		elif .["@id"] == "records.csv" then .["@id"] = "other.csv"
		else . end)' crate/ro-crate-metadata.json > broken/ro-crate-metadata.json
	validate broken
	[ "$status" -eq 1 ]
	says "./: The Root Data Entity MUST have a \`license\` property"
	says "./: \`RootDataEntity\` MUST reference at least one \`CreateAction\`"
	says "./: The \`sourceOrganization\` property of the RootDataEntity MUST point to a Project entity"
	says "#run: The Action MUST have an instrument property"
	says "#run: All \`startTime\` and \`endTime\` values MUST follow the RFC 3339 standard"
	says "#run: Each CreateAction agent MUST be typed as Person"
	says "other.csv: "
}

@test "a crate takes the manifest that the journal names, and no other" {
	sed 's/"size":3/"size":4/' ces-run.json > changed.json
	run crate --run $run --outputs changed.json
	[ "$status" -eq 2 ]
	says "changed.json: its manifest is not the one of the run $run"
	[ ! -s crate/manifest.json ]
	rm -r crate
	run crate --run 0000007919 --outputs ces-run.json
	[ "$status" -eq 2 ]
	rm -r crate
	echo '{"manifest": 3}' > none.json
	run crate --run $run --outputs none.json
	[ "$status" -eq 2 ]
	says "none.json: it has no manifest"
	run policy audit export --journal "$j" --outputs ces-run.json
	[ "$status" -eq 2 ]
	says "--outputs needs --crate"
}

@test "the crate of a run whose container was compared says what its decision says" {
	journal 40 --proofs > "$j"
	run=$(jq -r 'select(.event == "stranger") | .run' "$j" | head -n 1)
	crate --run "$run"
	jq -se --arg r "$run" '(.[1:] | map(select(.run == $r))) as $all | ($all | map(select(.event == "decision"))[0]) as $d
		| .[0]["@graph"][] | select(.["@id"] == "#run")
		| .startTime == $d.time and (.description | startswith("Allowed by \($d.rule), approval \($d.approval), of the policy \($d.policy)."))' \
		crate/ro-crate-metadata.json "$j"
	jq -e '.["@graph"][] | select(.["@id"] == "#image") | .identifier | startswith("sha256:")' crate/ro-crate-metadata.json
	# (a run that has not ended has not failed)
	grep -v '"event":"end"' "$j" | "$top/tests/lib/relink.py" > open.jsonl
	rm -r crate
	j=open.jsonl crate --run "$run"
	jq -e '.["@graph"][] | select(.["@id"] == "#run") | .actionStatus == "http://schema.org/ActiveActionStatus" and has("error") == false' \
		crate/ro-crate-metadata.json
}
