#!/usr/bin/env bats
# ces-policy report: one page for a governance meeting.

load common.bash
load report.bash

report() { page --no-host "$@"; }

@test "the page of each example is well-formed, loads nothing, and can be read without sight or colour" {
	for f in "$examples"/{desktop,gpu-cluster,ondemand,test-environment}.json; do
		run policy report --on 2026-12-01 --journal "$j" -o "$r" "$f"
		[ "$status" -eq 0 ]
		run tests/lib/page.py "$r"
		echo "$f: $output"
		[ "$status" -eq 0 ]
		xmllint --noout "$r"
	done
}

@test "a bad page fails the check of pages" {
	report
	for edit in 's/<h3>/<h4>/' 's/<caption>[^<]*<.caption>//' 's/scope="row"//' 's/lang="en"//' 's/#333/#999/g' 's/<main>/<main><script><\/script>/' \
		's/aria-label="Contents"//' 's/#111/#888/g'; do
		sed "$edit" "$r" > "$r.bad.html"
		run tests/lib/page.py "$r.bad.html"
		echo "$edit: $output"
		[ "$status" -ne 0 ]
	done
}

@test "controls are grouped by the Five Safes, each with its number, answer and evidence" {
	report --journal "$j"
	for text in 'Safe projects' 'Safe people' 'Safe settings' 'Safe data' 'Safe outputs' 'SATRE 2.2.10, 2.2.11' 'SATRE 1.4.02' \
		'projects.nsh-2024-0001.network.publish (line ' 'approved_by (line 4): IG panel' \
		'2 of 2 projects have an end' '401 records'; do
		says "$text"
	done
}

@test "a proxy is an exception to the closed network, by name and line, and a gap" {
	jq '.projects["nsh-2024-0002"].network.proxy = "http://p.loc:3128"' "$examples/desktop.json" > "$p"
	report
	says 'projects.nsh-2024-0002.network.proxy (line '
	says 'has a way out by the proxy http://p.loc:3128'
	says 'and the proxies that some runs have'
}

@test "gaps are ordered by severity, with the line and what to write" {
	jq '.projects["nsh-2024-0002"].images += [{allow: "gcr.io/x"}]' "$examples/desktop.json" > "$p"
	report
	says "High: data may be seen"
	says "read-write data together with a published port"
	says "Medium:"
	says "names no approval"
	says "Low:"
	says "can never match"
}

@test "the matrix names every project and its rights" {
	report
	[ "$(sed -n '/<table id="table-rights">/,/<.table>/p' "$r" | grep -c '<th scope="row">')" -eq 2 ]
	says "<td>read-write</td>"
	says "8787, 8888"
	says "ghcr.io/epcced/wards (one digest)"
}

@test "runs by month, project and outcome agree with the journal" {
	report --journal "$j"
	for project in nsh-2024-0001 nsh-2024-0002 nsh-2024-0003; do
		n=$(jq -s --arg p "/safe_data/$project" '[.[] | select(.mounts[0].source == $p)] | length' "$j")
		[ "$n" -gt 20 ]
		says "$project: $n"
	done
	says "2026-09: $(jq -s '[.[] | select(.event == "end")] | length' "$j")"
	says "time limit: $(jq -s '[.[] | select(.reason == "time limit")] | length' "$j")"
}

@test "a proof does not count as a run, nor a stranger as a pull" {
	tests/lib/make_journal.py 401 --proofs > "$j"
	report --journal "$j"
	count() { jq -s "map(select($1)) | length" "$j"; }
	n=$(count '.event == "proof"') bad=$(count '.outcome == "deviates"')
	[ "$n" -gt 90 ]
	[ "$bad" -gt 10 ]
	says "CES compared $n containers with their plan"
	says "It ended $bad because they were not as planned.</p>"
	says "CES read the mounts of $n containers from the kernel, before their program began. It ended $bad because"
	says "$(count '.event == "decision" and .verb == "run" and .outcome == "allowed"') runs and 0 pulls were allowed"
	run tests/lib/page.py "$r"
	[ "$status" -eq 0 ]
}

@test "the report says where jobs for a cluster are sent, by line, and that they are not recorded here" {
	cp "$examples/gpu-cluster.json" "$p"
	report
	for key in namespace queue data_claim outputs_claim; do
		says "<dd>$(jq -r ".kubernetes.$key" "$p" | sed 's/^null$//')"
	done
	says "<dd>$(jq -r .kubernetes.namespace "$p") (line $(grep -n '"namespace"' "$p" | cut -d: -f1))</dd>"
	says "and the journal of this machine does not"
	jq 'del(.kubernetes)' "$examples/gpu-cluster.json" > "$p"
	report
	says "The policy names no Kubernetes cluster"
}

@test "a broken journal is the first gap" {
	sed -i 7d "$j"
	report --journal "$j"
	says "BROKEN"
	says "the journal is broken"
	says "1 high" || says "2 high"
}

@test "the report has the notes of a journal that is intact" {
	report --journal "$j"
	says_not "note:"
	# what may hide that records were removed: a beginning that is gone, a chain of its own, a clock that was set back
	mv "$j" "$j.1"
	sed -i 1,5d "$j.1"
	journal 3 > "$j"
	report --journal "$j"
	notes="note: records before number 6 are not here; note: 1 file begins a new chain: nothing proves that no record is missing"
	notes="$notes before it; note: the clock was set back at 2026-09-21T14:14:20.001Z<"
	[ "$(grep -c "$notes" "$r")" -eq 2 ] # (in its head, and as a control)
	run policy audit verify --journal "$j"
	says "note: 1 file begins a new chain"
}

@test "without a journal the report says that it is missing" {
	report
	says "This report was made without a journal"
}

@test "names and titles cannot become markup" {
	jq '.site = "<script>alert(1)</script>" | .projects["nsh-2024-0001"].title = "a\"><b>&" ' "$examples/desktop.json" > "$p"
	report
	says_not "<script"
	says_not "<b>"
	says "&lt;script&gt;"
	xmllint --noout "$r"
	run tests/lib/page.py "$r"
	[ "$status" -eq 0 ]
}

@test "a policy with errors gives no page, but messages" {
	echo '{}' > "$p"
	run policy report -o "$r" "$p"
	[ "$status" -eq 2 ]
	says "needs the key"
}
