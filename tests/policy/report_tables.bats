#!/usr/bin/env bats
# ces-policy report: tables that answer the questions of a panel, and their files for a spreadsheet.

load common.bash
load report.bash

report() { page --no-host --journal "$j" "$@"; }

rows() { tail -n +2 "$c/$1.csv" | wc -l; }

@test "each table of the page is a file with the same rows" {
	report
	python3 - "$r" "$c" <<- 'PY'
		import csv, os, sys, xml.etree.ElementTree as tree
		page, seen = tree.parse(sys.argv[1]), 0
		for name in sorted(os.listdir(sys.argv[2])):
		    raw = open(os.path.join(sys.argv[2], name), "rb").read()
		    assert raw.count(b"\n") == raw.count(b"\r\n"), name
		    rows = list(csv.reader(raw.decode("utf-8").splitlines()))
		    assert rows and all(len(r) == len(rows[0]) for r in rows), name
		    table = next((t for t in page.iter("table") if t.get("id") == "table-" + name[:-4]), None)
		    if table is None:
		        assert len(rows) == 1, name
		        continue
		    seen += 1
		    shown = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
		    assert shown == rows[:201], name
		assert seen >= 10, seen
	PY
}

@test "the table of what may run lists each image rule that holds on the day, with its approval" {
	jq '.projects["nsh-2024-0002"].images += [{allow: "ghcr.io/old/x", approval: "IG-1", expires: "2026-11-01"}]' "$examples/desktop.json" > "$p"
	report
	[ "$(rows may-run)" -eq 3 ]
	grep -q '^nsh-2024-0001,ghcr.io/epcced/\*,,IG-2026-014,2027-06-30,IG panel,2026-10-01' "$c/may-run.csv"
	run ! grep -q ghcr.io/old "$c/may-run.csv"
}

@test "the tables of what ran and of what was denied agree with the journal" {
	report
	python3 - "$j" "$c" <<- 'PY'
		import collections, csv, json, sys
		begun, ran, denied = {}, collections.Counter(), collections.Counter()
		for line in open(sys.argv[1]):
		    r = json.loads(line)
		    if r.get("outcome") == "allowed":
		        begun[r["run"]] = r
		    elif r.get("outcome") == "denied":
		        denied["(none)", r["user"], r["image"], r["reason"]] += 1
		    elif r["event"] == "end":
		        first = begun[r["run"]]
		        ran[first["project"], first["user"], r["image"]] += 1
		read = lambda n: list(csv.reader(open(f"{sys.argv[2]}/{n}.csv", newline="")))[1:]
		assert {tuple(r[:3]): int(r[3]) for r in read("ran")} == ran
		assert {tuple(r[:4]): int(r[4]) for r in read("denied")} == denied
	PY
}

@test "an image rule that no record used is listed; one that was used is not" {
	report
	grep -q '^nsh-2024-0002,ghcr.io/epcced/wards,' "$c/unused.csv"
	grep -q '^nsh-2024-0001,git.ecdf.ed.ac.uk/stroke/\*\*,' "$c/unused.csv"
	run ! grep -qF 'ghcr.io/epcced/*' "$c/unused.csv"
}

@test "a rule counts as used by its own project's records alone, and by the name that a record of this policy has" {
	journal 401 | jq -c 'select(.project == "nsh-2024-0002" or .event == "end")' | tests/lib/relink.py > "$j"
	report
	grep -qF 'nsh-2024-0001,ghcr.io/epcced/*,' "$c/unused.csv"
	digest=sha256:$(sha256sum < "$p" | cut -d' ' -f1)
	journal 401 | jq -c --arg d "$digest" 'if .policy then .policy = $d | .rule = "projects.nsh-2024-0001.images[1]" else . end' |
		tests/lib/relink.py > "$j"
	report
	grep -qF 'nsh-2024-0001,ghcr.io/epcced/*,' "$c/unused.csv"
	run ! grep -qF 'stroke/**' "$c/unused.csv"
}

@test "a rule for inferred projects is used by a project that the policy does not name" {
	cp "$examples/ondemand.json" "$p"
	report
	n=$(grep -c '^(inferred),' "$c/may-run.csv")
	[ "$n" -ge 1 ]
	[ "$(grep -c '^(inferred),' "$c/unused.csv")" -eq "$(jq '[.infer_projects.images[] | select(.allow | startswith("ghcr.io/epcced/") | not)] | length' "$p")" ]
}

@test "the table of what ends within 90 days has the days that are left" {
	jq '.projects["nsh-2024-0001"].expires = "2026-12-31" | .projects["nsh-2024-0002"].expires = "2027-03-02"' "$examples/desktop.json" > "$p"
	report
	grep -qx $'nsh-2024-0001,,2026-12-31,31\r' "$c/soon.csv"
	grep -qx $'nsh-2024-0001: git.ecdf.ed.ac.uk/stroke/\*\*,IG-2026-015,2026-12-31,31\r' "$c/soon.csv"
	run ! grep -q '^nsh-2024-0002' "$c/soon.csv"
}

@test "with --month, only records of these months count" {
	journal 401 | jq -c '.time = ((.seq * 40000 + 1780000000) | todate | sub("Z$"; ".000Z"))' | tests/lib/relink.py > "$j"
	report --month 2026-08 --month 2026-09
	n=$(jq -s '[.[] | select(.event == "end" and (.time[:7] == "2026-08" or .time[:7] == "2026-09"))] | length' "$j")
	[ "$n" -gt 20 ]
	says "<dd>2026-08, 2026-09</dd>"
	[ "$(cut -d, -f4 "$c/ran.csv" | tail -n +2 | jq -s add)" -eq "$n" ]
	[ "$(tail -n +2 "$c/days.csv" | cut -c1-7 | sort -u | paste -sd,)" = 2026-08,2026-09 ]
	says "Here an image counts as never used if nobody used it in the chosen months."
	for wrong in 2026-13 2026-00 2026 26-08 2026-08-01; do
		run policy report --no-host --month "$wrong" "$p"
		[ "$status" -eq 2 ]
		says "write 2026-11"
	done
}

@test "with --project, only this project's rules, runs, dates and gaps are shown" {
	report --project nsh-2024-0002
	n=$(jq -s '[.[] | select(.outcome == "allowed" and .project == "nsh-2024-0002")] | length' "$j")
	says "<dd>nsh-2024-0002</dd>"
	[ "$(cut -d, -f4 "$c/ran.csv" | tail -n +2 | jq -s add)" -eq "$n" ]
	for table in may-run ran hours unused rights dates; do
		run ! grep -q nsh-2024-0001 "$c/$table.csv"
		grep -q nsh-2024-0002 "$c/$table.csv"
	done
	[ "$(rows gaps-by-severity)" -eq 0 ]
	report --project nsh-2024-0002 --project nsh-2024-0003
	[ "$(cut -d, -f1 "$c/hours.csv" | tail -n +2 | paste -sd,)" = nsh-2024-0002,nsh-2024-0003 ]
}

@test "a project that neither the policy nor the journal has is refused" {
	run policy report --no-host --journal "$j" --project nsh-2024-0009 "$p"
	[ "$status" -eq 2 ]
	says "neither the policy nor the journal has this project"
}

@test "without a journal, the questions that only a journal answers say so" {
	run policy report --no-host --on 2026-12-01 -o "$r" "$p"
	[ "$status" -eq 0 ]
	[ "$(grep -c "Only a journal can say this" "$r")" -eq 3 ]
	run tests/lib/page.py "$r"
	[ "$status" -eq 0 ]
}

@test "a cell that begins like a formula is text, and quotes and commas stay in their cell" {
	{
		for user in '=1+1' '+1' '-1' '@x' 'a,"b"'; do
			jq -nc --arg u "$user" '{time: "2026-10-01T00:00:00.000Z", event: "decision", outcome: "denied", uid: 1, user: $u, verb: "run", image: "=cmd()", reason: "no"}'
		done
	} | tests/lib/relink.py > "$j"
	jq '.projects["nsh-2024-0001"].title = "=HYPERLINK(\"x\")" | .projects["nsh-2024-0002"].title = "Stür, \"ä\""' "$examples/desktop.json" > "$p"
	report
	python3 - "$c" <<- 'PY'
		import csv, sys
		read = lambda n: list(csv.reader(open(f"{sys.argv[1]}/{n}.csv", newline="", encoding="utf-8")))[1:]
		assert sorted(r[1] for r in read("denied")) == ["'+1", "'-1", "'=1+1", "'@x", 'a,"b"']
		assert {r[2] for r in read("denied")} == {"'=cmd()"}
		assert [r[1] for r in read("rights")] == ["'=HYPERLINK(\"x\")", 'Stür, "ä"']
	PY
}

@test "files for a spreadsheet are not made where a file exists" {
	mkdir "$c"
	run policy report --no-host --csv "$c" -o "$r" "$p"
	[ "$status" -eq 2 ]
	[ -z "$(ls -A "$c")" ]
}

@test "a journal with more users and images than a table holds has a row for all others" {
	python3 - > "$j" <<- 'PY'
		import json
		for i in range(7000):
		    print(json.dumps({"time": "2026-10-01T00:00:00.000Z", "event": "decision", "outcome": "denied", "uid": i, "user": f"u{i}",
		                      "verb": "run", "image": "ghcr.io/a/b", "reason": "no"}))
	PY
	tests/lib/relink.py < "$j" > "$j.new"
	mv "$j.new" "$j"
	report
	[ "$(rows denied)" -eq 6001 ] # (a thousand users are in one row each)
	grep -q '^(others),(others),(others),(others),1000,' "$c/denied.csv"
	[ "$(grep -c '<tr><th scope="row">(none)</th><td>u' "$r")" -eq 200 ]
}

@test "a user whose denials fill a table does not hide another's" {
	python3 - > "$j" <<- 'PY'
		import json
		denied = {"time": "2026-10-01T00:00:00.000Z", "event": "decision", "outcome": "denied", "verb": "run", "image": "ghcr.io/a/b", "reason": "no"}
		for i in range(5010):
		    print(json.dumps({**denied, "uid": 4409, "user": "mallory", "project": f"p{i}"}))
		for i in range(3):
		    print(json.dumps({**denied, "uid": 4402, "user": "bob", "project": "nsh-2024-0001", "image": f"ghcr.io/secret/{i}"}))
	PY
	tests/lib/relink.py < "$j" > "$j.new"
	mv "$j.new" "$j"
	report
	[ "$(tail -n 2 "$c/denied.csv" | cut -d, -f1-5)" = $'(others),bob,(others),(others),3\n(others),mallory,(others),(others),10' ]
	run policy audit review --journal "$j" --from 2026-10-01 --to 2026-10-01 --no-host --policy "$p"
	says "  3 x  (others)  bob  (others): (others) (2026-10-01)"
}

@test "two users with one name in the journal have a row each" {
	python3 - > "$j" <<- 'PY'
		import json
		for uid, user, outcome in ((4401, "j??rgen", "denied"), (4402, "j??rgen", "denied"), (4402, "j??rgen", "denied"), (4403, "bob", "denied")):
		    print(json.dumps({"time": "2026-10-01T00:00:00.000Z", "event": "decision", "outcome": outcome, "verb": "run", "uid": uid, "user": user,
		                      "project": "p", "image": "ghcr.io/a/b", "reason": "no"}))
	PY
	tests/lib/relink.py < "$j" > "$j.new"
	mv "$j.new" "$j"
	report
	[ "$(tail -n 3 "$c/denied.csv" | cut -d, -f2,5)" = $'bob,1\nj??rgen (uid 4401),1\nj??rgen (uid 4402),2' ]
	run policy audit review --journal "$j" --from 2026-10-01 --to 2026-10-01 --no-host --policy "$p"
	says "  2 x  p  j??rgen (uid 4402)  ghcr.io/a/b: no (2026-10-01)"
	says "p  bob  "
}

@test "a project of which the journal has pulls alone is known" {
	jq -c 'if .verb == "pull" then .project = "nsh-2024-0009" | .outcome = "allowed" else . end' "$j" | tests/lib/relink.py > "$j.new"
	mv "$j.new" "$j"
	report --project nsh-2024-0009 --month 2026-10
	says "<dd>nsh-2024-0009</dd>"
}

@test "projects that a user made up do not hide those that ran" {
	python3 - "$j" > "$j.new" <<- 'PY'
		import json, sys
		for i in range(100):
		    print(json.dumps({"time": "2026-09-01T00:00:00.000Z", "event": "decision", "outcome": "denied", "uid": 4409, "user": "mallory",
		                      "verb": "run", "image": "ghcr.io/a/b", "project": f"p{i}", "reason": "no"}))
		print(open(sys.argv[1]).read(), end="")
	PY
	tests/lib/relink.py < "$j.new" > "$j"
	report
	for project in nsh-2024-0001 nsh-2024-0002 nsh-2024-0003; do
		n=$(jq -s --arg p "/safe_data/$project" '[.[] | select(.mounts[0].source == $p)] | length' "$j")
		[ "$(grep "^$project," "$c/runs-by-project.csv" | awk -F, '{ print $2 + $3 }')" -eq "$n" ]
	done
	# 64 projects, of which three ran; the denials of the rest are in one row
	[ "$(rows runs-by-project)" -eq 65 ]
	grep -qx '(others),0,0,39.' "$c/runs-by-project.csv"
}

@test "sentences about runs that could not start are one outcome, and hide no other" {
	jq -c 'if .event == "end" and .seq <= 60 then .status = 125 | .reason = "/home/alice/\(.seq): no such directory" else . end' "$j" |
		tests/lib/relink.py > "$j.new"
	mv "$j.new" "$j"
	report
	n=$(jq -s '[.[] | select(.event == "end" and .seq <= 60)] | length' "$j")
	[ "$n" -gt 20 ]
	grep -qx "set-up failed,0,$n,0." "$c/runs-by-outcome.csv"
	grep -qx "time limit,0,$(jq -s '[.[] | select(.reason == "time limit")] | length' "$j"),0." "$c/runs-by-outcome.csv"
}

@test "the table of what may run says who must have signed" {
	jq '.projects["nsh-2024-0001"].images[0].signed_by = ["keys/lab.pub"]' "$examples/desktop.json" > "$p"
	report
	grep -q 'IG-2026-014, only if signed by keys/lab.pub' "$c/may-run.csv"
}

@test "a key that CES does not accept is a gap" {
	jq '.projects["nsh-2024-0001"].images[0].signed_by = ["keys/none.pub"]' "$p" > "$p.new" && mv "$p.new" "$p"
	report
	grep -q 'projects.nsh-2024-0001.images\[0\].signed_by.*names a key that CES does not accept' "$c/gaps-by-severity.csv"
}
