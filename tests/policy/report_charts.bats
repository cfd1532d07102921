#!/usr/bin/env bats
# ces-policy report: its pictures, and their numbers.

load common.bash
load report.bash

# Writes runs that last for hours, on several days, with GPUs.
busy()
{
	journal 401 | jq -c '.time = ((.seq * 1700 + 1790000000) | todate | sub("Z$"; ".000Z"))
		| if .gpus then .gpus = .seq % 3 else . end | if .cpu_us then .cpu_us = .seq * 900000000 else . end' |
		tests/lib/relink.py > "$j"
}

report() { page --no-host --journal "$j"; }

svg() { xmllint --xpath "//*[local-name()='svg'][@aria-labelledby='$1-t $1-d']/$2" "$r"; }

@test "with a journal, each picture has a role, a title, a description, and a table with its numbers" {
	busy
	report
	for id in by-day cpu-hours gpu-hours time-line months projects outcomes; do
		[ "$(svg "$id" '@role')" = ' role="img"' ]
		[[ "$(svg "$id" '*[1]')" == "<title id=\"$id-t\">"* ]]
		[ -n "$(svg "$id" "*[local-name()='desc']/text()")" ]
	done
	for table in days hours dates runs-by-month runs-by-project runs-by-outcome; do
		says "<table id=\"table-$table\">"
	done
}

@test "on each day, the table counts the runs and denials that the journal has" {
	busy
	report
	python3 - "$j" "$c/days.csv" <<- 'PY'
		import collections, csv, json, sys
		days = collections.defaultdict(lambda: [0, 0, 0])
		for line in open(sys.argv[1]):
		    r = json.loads(line)
		    if r["event"] == "end":
		        days[r["time"][:10]][r["status"] != 0] += 1
		    elif r.get("outcome") == "denied":
		        days[r["time"][:10]][2] += 1
		rows = {r[0]: [int(n) for n in r[1:]] for r in list(csv.reader(open(sys.argv[2], newline="")))[1:]}
		assert len(rows) > 5 and rows == days, (rows, days)
	PY
	good=$(jq -s '[.[] | select(.event == "end" and .status == 0)] | length' "$j")
	failed=$(jq -s '[.[] | select(.event == "end" and .status != 0)] | length' "$j")
	denied=$(jq -s '[.[] | select(.outcome == "denied")] | length' "$j")
	svg by-day "*[local-name()='desc']/text()" | grep -q ": $good ended well, $failed failed, $denied denied\. "
}

@test "the bars of a day are as high as its numbers" {
	busy
	report
	python3 - "$r" "$c/days.csv" <<- 'PY'
		import csv, sys, xml.etree.ElementTree as tree
		page = tree.parse(sys.argv[1])
		chart = next(s for s in page.iter("svg") if s.get("aria-labelledby", "").startswith("by-day"))
		rows = [[int(n) for n in r[1:]] for r in list(csv.reader(open(sys.argv[2], newline="")))[1:]]
		most = max(map(sum, rows))
		for kind, i in (("good", 0), ("failed", 1), ("denied", 2)):
		    heights = [float(b.get("height")) for b in chart.iter("rect") if b.get("class") == kind]
		    wanted = [r[i] * 120 / most for r in rows if r[i]]
		    assert len(heights) == len(wanted) and all(abs(a - b) < 0.06 for a, b in zip(heights, wanted)), kind
	PY
}

@test "hours of a project are those between its decisions and ends, by processors and by GPUs" {
	busy
	report
	python3 - "$j" "$c/hours.csv" "$r" <<- 'PY'
		import collections, csv, datetime, json, sys
		at = lambda r: datetime.datetime.fromisoformat(r["time"].replace("Z", "+00:00")).timestamp()
		begun, sums = {}, collections.defaultdict(lambda: [0, 0, 0, 0])
		for line in open(sys.argv[1]):
		    r = json.loads(line)
		    if r.get("outcome") == "allowed":
		        begun[r["run"]] = r
		    elif r["event"] == "end":
		        first = begun[r["run"]]
		        hours = (at(r) - at(first)) / 3600
		        for i, n in enumerate((1, hours, r["cpu_us"] / 3.6e9, hours * first["gpus"])):
		            sums[first["project"]][i] += n
		rows = list(csv.reader(open(sys.argv[2], newline="")))[1:]
		page = open(sys.argv[3]).read()
		assert len(rows) == len(sums) == 3
		for name, *numbers in rows:
		    assert all(abs(float(a) - b) < 0.011 for a, b in zip(numbers, sums[name])), (name, numbers, sums[name])
		    assert f"{name}: {numbers[2]} hours</text>" in page and f"{name}: {numbers[3]} hours</text>" in page
		    assert float(numbers[3]) > 1
	PY
}

@test "a run that asked for all GPUs counts with those that it got" {
	# eight are allowed, and two were free
	jq -c 'select(.seq <= 2) | .time = (if .event == "end" then "2026-10-01T03:00:00.000Z" else "2026-10-01T01:00:00.000Z" end)
		| if .gpus then .gpus = 8 | .devices = ["nvidia.com/gpu=0", "nvidia.com/gpu=1"] else . end' "$j" | tests/lib/relink.py > "$j.new"
	mv "$j.new" "$j"
	report
	grep -qx 'nsh-2024-0002,1,2.00,0.00,4.00.' "$c/hours.csv"
	jq -c 'del(.devices)' "$j" | tests/lib/relink.py > "$j.new"
	mv "$j.new" "$j"
	report
	grep -qx 'nsh-2024-0002,1,2.00,0.00,16.00.' "$c/hours.csv"
}

@test "when there are more days than the picture has room for, it has the last ones, and the table all" {
	journal 401 | jq -c '.time = ((.seq * 86400 + 1750000000) | todate | sub("Z$"; ".000Z"))' | tests/lib/relink.py > "$j"
	report
	[ "$(wc -l < "$c/days.csv")" -gt 150 ]
	[ "$(svg by-day "*[local-name()='rect']" | grep -o '<rect' | wc -l)" -le 92 ]
	svg by-day "*[local-name()='desc']/text()" | grep -q " to $(tail -n 1 "$c/days.csv" | cut -d, -f1): "
	says "This table has "
}

@test "the time line has each approval with its end, and says which have ended" {
	busy
	jq '.projects["nsh-2024-0002"].images += [{allow: "ghcr.io/a/b", approval: "IG-1", expires: "2026-11-01"}]
		| del(.projects["nsh-2024-0001"].expires, .projects["nsh-2024-0001"].images[].expires)' "$examples/desktop.json" > "$p"
	report
	says "<text x=\"0\" y=\"69\">nsh-2024-0001: no end</text>"
	says "nsh-2024-0002: ghcr.io/a/b: ended 2026-11-01</text>"
	says "the policy, for its review: until 2027-10-01</text>"
	grep -qx $'nsh-2024-0002: ghcr.io/a/b,IG-1,2026-10-01,2026-11-01\r' "$c/dates.csv"
	grep -qx $'nsh-2024-0002: ghcr.io/a/b,IG-1,2026-11-01,ended\r' "$c/soon.csv"
}

@test "names of a forged journal cannot become markup in a picture or table" {
	journal 30 | jq -c '.user = "<b>\"x\"" | .project = "a&<i>" | .image = "ghcr.io/<svg onload=x>\u0001" | if .reason then .reason = "]]><script>\u001b[31m\u202e" else . end' |
		tests/lib/relink.py > "$j"
	report
	xmllint --noout "$r"
	run tests/lib/page.py "$r"
	[ "$status" -eq 0 ]
	output=$(cat "$r")
	says "a&amp;&lt;i&gt;"
	for text in '<script' '<b>' '<i>' 'onload=x>' "]]>" $'\e' $'\u202e'; do
		says_not "$text"
	done
}

@test "the page prints on A4, and wide tables on A4 across" {
	command -v chromium || skip "needs chromium"
	busy
	report
	chromium --headless --no-sandbox --disable-gpu --user-data-dir="$BATS_TEST_TMPDIR/profile" --no-pdf-header-footer \
		--print-to-pdf="$BATS_TEST_TMPDIR/r.pdf" "$r" 2> /dev/null
	python3 - "$BATS_TEST_TMPDIR/r.pdf" <<- 'PY'
		import re, sys
		boxes = {tuple(round(float(n)) for n in b.split()[2:]) for b in re.findall(rb"/MediaBox \[([^\]]*)\]", open(sys.argv[1], "rb").read())}
		assert boxes == {(595, 842), (842, 595)}, boxes
	PY
}
