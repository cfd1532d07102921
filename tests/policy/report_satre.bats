#!/usr/bin/env bats
# ces-policy report: the controls of SATRE. tests/policy/satre.tsv has the specification's numbers.

load common.bash
load report.bash

report() { page "$@"; }

# Prints the result of a control.
result() { python3 -c 'import csv, sys; print(*[r[6] for r in csv.reader(open(sys.argv[1], newline="")) if r[0] == sys.argv[2]])' "$c/satre.csv" "$1"; }

@test "each number on the page is in the specification, and the table has its capability and importance" {
	report --journal "$j"
	cat > "$BATS_TEST_TMPDIR/check.py" <<- 'PY'
		import csv, re, sys
		spec = {n: (i, c) for n, i, c in (l.rstrip("\n").split("\t") for l in open(sys.argv[1]) if l[0] != "#")}
		page = open(sys.argv[2]).read()
		headings = [n for m in re.findall(r"SATRE ((?:\d[\d.]*\d(?:, )?)+)</span>", page) for n in m.split(", ")]
		rows = list(csv.reader(open(sys.argv[3], newline="")))[1:]
		assert len(headings) > 15 and len(rows) > 20
		wrong = [n for n in headings if n not in spec] + [r[0] for r in rows if spec.get(r[0]) != (r[2], r[1])]
		assert not wrong, wrong
		assert len({r[0] for r in rows}) == len(rows)
		assert set(headings) <= {r[0] for r in rows}, set(headings) - {r[0] for r in rows}
		assert {r[3] for r in rows} == {"Safe " + s for s in ("projects", "people", "settings", "data", "outputs")}
	PY
	python3 "$BATS_TEST_TMPDIR/check.py" tests/policy/satre.tsv "$r" "$c/satre.csv"
	for edit in 's/SATRE 1\.2\.01</SATRE 1.2.1</' 's/SATRE 2\.2\.13,/SATRE 2.2.16,/'; do
		sed "$edit" "$r" > "$r.bad"
		run ! python3 "$BATS_TEST_TMPDIR/check.py" tests/policy/satre.tsv "$r.bad" "$c/satre.csv"
	done
	sed 's/^1\.2\.01,/1.9.01,/' "$c/satre.csv" > "$c/bad.csv"
	run ! python3 "$BATS_TEST_TMPDIR/check.py" tests/policy/satre.tsv "$r" "$c/bad.csv"
}

@test "each number of a control in the sources is in the specification" {
	grep -ohE '"[0-9]\.[0-9]+\.[0-9]+(, [0-9]\.[0-9]+\.[0-9]+)*"' policy/tool/report_*.c | tr -d '"' | sed 's/, /\n/g' | sort -u > "$BATS_TEST_TMPDIR/used"
	[ "$(wc -l < "$BATS_TEST_TMPDIR/used")" -gt 20 ]
	[ -z "$(comm -23 "$BATS_TEST_TMPDIR/used" <(grep -v '^#' tests/policy/satre.tsv | cut -f1 | sort))" ]
}

@test "the command of each control can be typed as it is written" {
	report
	echo '{"ces_cases": 1, "cases": []}' > "$BATS_TEST_TMPDIR/cases.json"
	python3 - "$c/satre.csv" "$p" "$BATS_TEST_TMPDIR/cases.json" "$BATS_TEST_TMPDIR/new" <<- 'PY' > "$BATS_TEST_TMPDIR/commands"
		import csv, re, sys
		table, policy, cases, new = sys.argv[1:]
		for i, row in enumerate(list(csv.reader(open(table, newline="")))[1:]):
		    words = {"/etc/ces/policy.json": policy, "CASES": cases, "NAME": "alice", "P": "nsh-2024-0001", "RUN": "0000007919",
		             "IMAGE": "ghcr.io/epcced/tool", "DIRECTORY": new + str(i)}
		    print(" ".join(words.get(w, w) for w in row[5].split()))
	PY
	[ "$(grep -c '^ces-policy ' "$BATS_TEST_TMPDIR/commands")" -gt 20 ]
	while read -r program command rest; do
		[ "$program" = ces-policy ] || continue
		[ "$command" != audit ] || rest+=" --journal $j"
		[[ $rest != "--user "* ]] || rest+=" --groups nsh-2024-0001"
		# shellcheck disable=SC2086 # (words)
		run policy "$command" $rest
		echo "$command $rest: $output"
		[ "$status" -le 1 ]
		says_not "no record matches"
	done < "$BATS_TEST_TMPDIR/commands"
}

@test "a result is what the policy, the machine and the journal show" {
	report --journal "$j"
	[ "$(result 1.2.04)" = "intact, 401 records" ]
	[ "$(result 1.4.04)" = "2 of 2 projects have an end" ]
	[ "$(result 2.1.13)" = "3 of 3 image rules name an approval" ]
	[ "$(result 2.5.03)" = "$(jq -s '[.[] | select(.outcome == "denied")] | length' "$j") denials" ]
	[ "$(result 3.1.11)" = "1 of 2 projects have their data read-only" ]
	[[ "$(result 1.2.01)" == "owner "*", mode "* ]]
	[[ "$(result 2.2.12)" == *" of 6 kernel settings are as CES advises" ]]
	sed -i 7d "$j"
	jq 'del(.projects["nsh-2024-0001"].expires) | .projects["nsh-2024-0001"].data.access = "read-only"' "$examples/desktop.json" > "$p"
	report --journal "$j"
	[ "$(result 1.2.04)" = "the journal is broken" ]
	[ "$(result 1.4.04)" = "1 of 2 projects have an end" ]
	[ "$(result 3.1.11)" = "2 of 2 projects have their data read-only" ]
}

@test "without journal and machine, a result does not claim what nobody checked" {
	report --no-host
	for control in 1.2.04 1.5.06 2.2.13 2.2.14 2.2.15 2.5.03; do
		[ "$(result $control)" = "not known: no journal was given" ]
	done
	for control in 1.2.01 2.2.12; do
		[ "$(result $control)" = "not checked (--no-host)" ]
	done
}

# Prints the answer to a control, and what follows it.
answer() { python3 -c 'import html, re, sys; print(html.unescape(re.sub("<[^>]+>", " ", re.search(r"SATRE " + re.escape(sys.argv[2]) + "<.*?</article>", open(sys.argv[1]).read(), re.S)[0])))' "$r" "$1"; }
answers() { output=$(answer "$1"); says "$2"; }

@test "what inferred projects get is in the answers, as if they were one project" {
	jq 'del(.projects) | .infer_projects = {base: "/safe_data", group_prefixes: [""], images: [{allow: "ghcr.io/x", approval: "1", expires: "2027-01-01"}]}' "$examples/desktop.json" > "$p"
	report
	[ "$(result 1.4.04)" = "0 of 1 projects (the inferred ones count as one) have an end" ]
	answers "1.4.02, 1.4.04" Partly
	answers 3.1.11 "Yes 1 of 1 projects"
	answers 3.1.12 Yes
	jq '.defaults += {binds: ["~", "/srv"], display: true} | .defaults.data.access = "read-write"' "$p" > "$p.wide"
	mv "$p.wide" "$p"
	report
	[ "$(result 3.1.11)" = "0 of 1 projects (the inferred ones count as one) have their data read-only" ]
	[ "$(result 3.1.12)" = "of 1 projects (the inferred ones count as one), 0 have a proxy, 1 may bind directories, 1 may open windows on a display" ]
	answers 3.1.11 Partly
	says "defaults.data.access (line"
	answers 3.1.12 Partly
	says "): ~, /srv"
	says "runs may open windows on their user's display"
}

@test "an answer is not yes while read-only data can be written as outputs, or a run has a display" {
	jq '.projects["nsh-2024-0002"].outputs.source = "/safe_data/{project}" | .projects["nsh-2024-0001"] |= (.data.access = "read-only" | .display = true)' "$examples/desktop.json" > "$p"
	report
	answers 3.1.11 "Partly 2 of 2 projects have their data read-only"
	says "Directories of outputs or scratch that hold read-only data: 1; see Gaps."
	[ "$(result 3.1.11)" = "2 of 2 projects have their data read-only; 1 directories of outputs or scratch hold them" ]
	answers 3.1.12 Partly
	says "projects.nsh-2024-0001.display (line"
}

@test "a written project in the data of inferred ones is no separation" {
	jq '.infer_projects = {base: "/safe_data", group_prefixes: [""], images: []} | .projects["nsh-2024-0001"].data.source = "/safe_data/heart"' "$examples/desktop.json" > "$p"
	report
	answers "3.2.03, 2.1.14" "No Some projects"
	[ "$(result 3.2.03)" = "1 project directories overlap" ]
}
