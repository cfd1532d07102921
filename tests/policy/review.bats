#!/usr/bin/env bats
# ces-policy audit review: it shows what deserves a look, and records that somebody looked.

load common.bash

setup()
{
	j=$BATS_TEST_TMPDIR/audit.jsonl
	f=$BATS_TEST_TMPDIR/reviews.jsonl
	p=$BATS_TEST_TMPDIR/p.json
	cp "$examples/desktop.json" "$p"
	journal 401 --proofs > "$j"
}

# Records are at noon of a working day, unless a test sets another time.
at() { jq -nc --arg t "$1" '{time: ($t + ".000Z"), event: "decision", outcome: "allowed", uid: 0, user: "root", verb: "run",
	image: "ghcr.io/epcced/a:1", project: "nsh-2024-0001", run: "0000000001"}'; }

review() { run policy audit review --journal "$j" --policy "$p" "$@"; }
# Prints the lines below one heading.
part() { sed -n "/^$1/,/^$/p" <<< "$output" | tail -n +2; }

@test "denials, and containers that were not as planned, are counted as the journal has them" {
	review --from 2026-09-01 --to 2026-09-30 --no-host
	[ "$status" -eq 0 ]
	count() { jq -s "map(select($1)) | length" "$j"; }
	says "Denials and refused connections ($(count '.outcome == "denied" or .outcome == "refused"'))"
	says "Containers that were not as planned ($(count '.outcome == "deviates"'))"
	says "401 records from 2026-09-01 to 2026-09-30, up to record 401"
	says "Requests of users who may not run any more (0)"
	says "not checked"
	says "docker.io is not an allowed registry (ghcr.io)"
}

@test "outputs that did not pass, or were not checked, are listed" {
	end() { jq -c "{seq: 1, time: \"2027-06-0$1T12:00:00.000Z\", prev: \"\", event: \"end\", verb: \"run\", uid: 0, user: \"root\", project: \"p\", run: \"000000000$1\",
		image: \"ghcr.io/epcced/a:1\", digest: (\"sha256:\" + \"1\" * 64), status: 0, reason: \"exit\"} + $2" <<< null; }
	{ end 1 '{check: "failed", findings: 2}'; end 2 '{check: "not checked", withheld: "/srv/a"}'; end 3 '{check: "passed", findings: 0}'; end 4 '{}'; } |
		tests/lib/relink.py > "$j"
	review --from 2027-06-01 --to 2027-06-30 --no-host --record "$f" --note x --by x
	says "Outputs that did not pass their check, or were withheld (2)"
	says "ghcr.io/epcced/a:1: failed (2027-06-01)"
	says "ghcr.io/epcced/a:1: not checked, withheld (2027-06-02)"
	jq -e '.found.failed_outputs == 2' "$f"
}

@test "a run in the last seven days of its approval is listed; one before them is not" {
	{ at 2027-06-23T12:00:00; at 2027-06-24T12:00:00; at 2027-06-30T12:00:00; } | tests/lib/relink.py > "$j"
	review --from 2027-06-01 --to 2027-06-30 --no-host
	[ "$(part "Runs in the last 7 days")" = "  2 x  nsh-2024-0001  root  ghcr.io/epcced/a:1: approval ends on 2027-06-30 (2027-06-24 to 2027-06-30)" ]
}

@test "the review says whether an image was first used in these days, or before them" {
	{ at 2026-09-01T12:00:00; at 2026-10-01T12:00:00; at 2026-10-02T12:00:00 | jq -c '.image = "ghcr.io/epcced/b:1"'; } | tests/lib/relink.py > "$j"
	review --from 2026-10-01 --to 2026-10-31 --no-host
	[ "$(part "Images that were used")" = "  1 x  nsh-2024-0001  root  ghcr.io/epcced/b:1: first use (2026-10-02)" ]
}

@test "a request at night or at the weekend is listed; one by day is not" {
	{ at 2026-10-01T06:59:59; at 2026-10-01T07:00:00; at 2026-10-01T19:59:59; at 2026-10-01T20:00:00; at 2026-10-03T12:00:00; } |
		tests/lib/relink.py > "$j"
	review --from 2026-10-01 --to 2026-10-31 --no-host
	part "Requests at night" | grep -qx "  2 x .*: at night (2026-10-01)"
	part "Requests at night" | grep -qx "  1 x .*: at the weekend (2026-10-03)"
}

@test "a request of a user or member who no longer exists, or of a project that is gone, is listed" {
	{ at 2026-10-01T12:00:00; at 2026-10-01T12:00:00 | jq -c '.uid = 3999999999 | .user = "gone"'; at 2026-10-01T12:00:00 | jq -c '.project = "old"'; } |
		tests/lib/relink.py > "$j"
	review --from 2026-10-01 --to 2026-10-31
	part "Requests of users" | grep -qF "gone  ghcr.io/epcced/a:1: no user of this machine any more"
	part "Requests of users" | grep -qF "nsh-2024-0001  root  ghcr.io/epcced/a:1: no member of the project any more"
	part "Requests of users" | grep -qF "old  root  ghcr.io/epcced/a:1: the project is not in the policy any more"
	jq '.projects["nsh-2024-0001"].members.users = ["root"]' "$examples/desktop.json" > "$p"
	review --from 2026-10-01 --to 2026-10-31
	says_not "no member of the project"
}

@test "a review is recorded with its record's number and digest, in a chain" {
	review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note 'one "note", ä' --by "IG officer"
	[ "$status" -eq 0 ]
	says "recorded as review 1, by IG officer, up to record 401:sha256:$(tail -n 1 "$j" | tr -d '\n' | sha256sum | cut -d' ' -f1)"
	[ "$(stat -c %a "$f")" = 600 ]
	review --from 2026-10-01 --to 2026-10-31 --no-host --record "$f" --note two --by x
	n=$(jq -s 'map(select(.outcome == "deviates")) | length' "$j")
	jq -es --argjson n "$n" '.[0] | .seq == 1 and .prev == "" and .event == "review" and .by == "IG officer" and .note == "one \"note\", ä"
		and .record == 401 and .from == "2026-09-01" and .to == "2026-09-30" and .found.failed_proofs == $n' "$f"
	[ "$(jq -sr '.[1].prev' "$f")" = "sha256:$(head -n 1 "$f" | tr -d '\n' | sha256sum | cut -d' ' -f1)" ]
}

@test "the list shows each review, the days between them, and the records since the last" {
	journal 401 | jq -c '.time = ((.seq * 40000 + 1780000000) | todate | sub("Z$"; ".000Z"))' | tests/lib/relink.py > "$j"
	review --from 2026-06-01 --to 2026-06-30 --no-host --record "$f" --note june --by a
	review --from 2026-08-01 --to 2026-08-31 --no-host --record "$f" --note august --by b
	last=$(jq -s '[.[] | select(.time < "2026-09-01") | .seq] | max' "$j")
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "1  "*"  a  2026-06-01 to 2026-06-30, up to record "*": june" ]]
	[ "${lines[1]}" = "not reviewed: 2026-07-01 to 2026-07-31" ]
	[[ "${lines[2]}" == "2  "*"  b  2026-08-01 to 2026-08-31, up to record $last: august" ]]
	[ "${lines[3]}" = "not reviewed: $((401 - last)) records, $((last + 1)) to 401" ]
}

@test "records of a new chain are not reviewed, whatever their numbers" {
	review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note x --by x
	mv "$j" "$j.1"
	journal 30 > "$j"
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 0 ]
	says "not reviewed: 30 records, 1 to 30"
	journal 420 > "$j"
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 0 ]
	says "not reviewed: 420 records, 1 to 420"
	# (the review is of the second chain)
	rm "$f"
	review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note x --by x
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 0 ]
	says "no record since the last review"
}

@test "days that a later line of the file is about are reviewed" {
	n=0
	for days in "2026-06-01 2026-06-30" "2026-08-01 2026-08-31" "2026-07-05 2026-07-20"; do
		# shellcheck disable=SC2086 # (two words)
		set -- $days
		jq -nc --arg f "$1" --arg t "$2" '{seq: 1, time: "2026-09-01T00:00:00Z", event: "review", by: "a", from: $f, to: $t, record: 401,
			digest: "sha256:'"$(tail -n 1 "$j" | tr -d '\n' | sha256sum | cut -d' ' -f1)"'", note: "x"}'
	done | tests/lib/relink.py > "$f"
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 0 ]
	[ "$(grep -c '^not reviewed' <<< "$output")" -eq 2 ]
	says "not reviewed: 2026-07-01 to 2026-07-04"
	says "not reviewed: 2026-07-21 to 2026-07-31"
}


@test "a changed file of reviews is found, and not written to" {
	for note in one two three; do
		review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note $note --by x
	done
	cp "$f" "$f.good"
	for edit in 's/two/TWO/' 2d 2p 's/"seq":2/"seq":3/' '3s/}$//' '$s/.*/not json/'; do
		sed "$edit" "$f.good" > "$f"
		cp "$f" "$f.bad"
		run policy audit review --journal "$j" --list "$f"
		echo "$edit: $output"
		[ "$status" -eq 1 ]
		says "does not follow from the one before it"
		review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note four --by x
		[ "$status" -eq 2 ]
		cmp "$f" "$f.bad"
	done
}

@test "a journal made anew is found by the last review" {
	review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note x --by x
	sed '$d' "$j" > "$j.new" && tail -n 1 "$j" | sed 's/"uid":44/"uid":45/' >> "$j.new" && mv "$j.new" "$j"
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 1 ]
	says "record 401 is not the one that was reviewed"
	journal 30 > "$j"
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 1 ]
}

@test "a review of a broken journal is not recorded" {
	sed -i 7d "$j"
	review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note x --by x
	[ "$status" -eq 1 ]
	says "the journal is broken"
	[ ! -s "$f" ]
}

@test "without a terminal or a note, nothing is recorded" {
	review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --by x < /dev/null
	[ "$status" -eq 2 ]
	says "write --note TEXT"
	[ ! -s "$f" ]
}

@test "on a terminal, the review asks for the note" {
	script -qec "$top/${B:-build}/ces-policy audit review --journal $j --policy $p --no-host --from 2026-09-01 --to 2026-09-30 --record $f --by x" /dev/null <<< "from a terminal" > "$BATS_TEST_TMPDIR/out"
	grep -q "Note: " "$BATS_TEST_TMPDIR/out"
	[ "$(jq -r .note "$f")" = "from a terminal" ]
}

@test "an option or file that makes no sense is refused" {
	for wrong in "" "--from 2026-09-01" "--from 2026-09-30 --to 2026-09-01" "--from 2026-9-1 --to 2026-09-30" "--list $f --from 2026-09-01" \
		"--from 2026-09-01 --to 2026-09-30 --note x" "--from 2026-09-01 --to 2026-09-30 --user bob" "--list /nowhere/x"; do
		# shellcheck disable=SC2086 # (words)
		run policy audit review --journal "$j" $wrong
		echo "$wrong: $output"
		[ "$status" -eq 2 ]
	done
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$f"
	review --from 2026-09-01 --to 2026-09-30 --record "$f" --note x
	[ "$status" -eq 2 ]
	[ ! -e "$BATS_TEST_TMPDIR/elsewhere" ]
	rm "$f"
	mkfifo "$f"
	review --from 2026-09-01 --to 2026-09-30 --record "$f" --note x
	[ "$status" -eq 2 ]
	rm "$f"
	review --from 2026-09-01 --to 2026-09-30 --record "$f" --note $'two\nlines' --by x
	[ "$status" -eq 2 ]
	[ ! -s "$f" ]
}

@test "two reviews at once never get the same number" {
	exec 9>> "$f"
	flock 9
	review --from 2026-09-01 --to 2026-09-30 --no-host --record "$f" --note x --by x
	[ "$status" -eq 2 ]
	says "another review is being recorded"
	exec 9>&-
}

@test "a journal and a file with bytes of any kind print none of those bytes" {
	at 2026-10-01T12:00:00 | jq -c '.user = "\u001b[31m" | .image = "\u202e" | .outcome = "denied" | .reason = "a\nb"' | tests/lib/relink.py > "$j"
	review --from 2026-10-01 --to 2026-10-31 --no-host
	[ "$status" -eq 0 ]
	printable
	jq -nc '{seq: 1, time: "\u001b[2J", prev: "", by: "\u001b[1m", from: "2026-10-01", to: "2026-10-31", record: 1, digest: "", note: "\u202e"}' > "$f"
	run policy audit review --journal "$j" --list "$f"
	[ "$status" -eq 1 ]
	printable
}
