#!/usr/bin/env bats
# ces-policy audit: it shows what ran, from a journal that may have been changed.

load common.bash

setup()
{
	j=$BATS_TEST_TMPDIR/audit.jsonl
	journal 40 > "$j"
}

# shellcheck disable=SC2120 # (they are, through run)
verify() { policy audit verify --journal "$j" "$@"; }
list() { policy audit list --journal "$j" "$@"; }

@test "an untouched journal is intact" {
	run verify
	[ "$status" -eq 0 ]
	says "intact"
	says "40 records"
}

@test "a changed byte is found, and the record after it is named" {
	sed -i '7s/alice\|bob\|carol\|dave/mallo/' "$j"
	run verify
	[ "$status" -eq 1 ]
	says "audit.jsonl, line 8"
}

@test "a removed, repeated, added or moved line is found" {
	for edit in 9d 9p '9{h;d};10G' '9i{"seq":9,"time":"2026-10-01T00:00:00.000Z","prev":"","event":"end"}'; do
		journal 40 | sed "$edit" > "$j"
		run verify
		[ "$status" -eq 1 ]
		[[ $output =~ "line 9:"|"line 10:"|"line 11:" ]]
	done
}

@test "a journal cut in the middle of a line is found" {
	truncate -s -20 "$j"
	run verify
	[ "$status" -eq 1 ]
	says "line 40"
	says "cut off"
}

@test "a journal that is cut between two lines is found by the head that was noted before" {
	head=$(verify | sed -n 's/^head //p')
	run verify --expect "$head"
	[ "$status" -eq 0 ]
	sed -i '$d' "$j"
	run verify
	[ "$status" -eq 0 ]
	run verify --expect "$head"
	[ "$status" -eq 1 ]
	says "cut off"
}

@test "a journal made anew is found by the head that was noted before" {
	head=$(verify | sed -n 's/^head //p')
	journal 41 --first "0:sha256:$(printf %064d 5)" | tail -n 40 > "$j"
	run verify --expect "$head"
	[ "$status" -eq 1 ]
	says "not in it"
}

@test "a line torn by a crash is reported and does not break the chain" {
	head -n 20 "$j" > "$BATS_TEST_TMPDIR/torn"
	sed -n 21p "$j" | head -c 100 > "$BATS_TEST_TMPDIR/piece"
	digest=$(sha256sum < "$BATS_TEST_TMPDIR/piece" | cut -d' ' -f1)
	cat "$BATS_TEST_TMPDIR/piece" >> "$BATS_TEST_TMPDIR/torn"
	echo >> "$BATS_TEST_TMPDIR/torn"
	journal 5 --first "21:sha256:$digest" >> "$BATS_TEST_TMPDIR/torn"
	mv "$BATS_TEST_TMPDIR/torn" "$j"
	run verify
	[ "$status" -eq 0 ]
	says "1 line was torn by a crash; the chain goes on over it"
	run verify --strict
	[ "$status" -eq 1 ]
}

@test "a last line that is no record is broken, and the head is that of the record before it" {
	head=$(verify | sed -n 's/^head //p')
	echo garbage >> "$j"
	run verify
	[ "$status" -eq 1 ]
	says "BROKEN: $j, line 41: it is not a record"
	says "40 records before it are intact"
	says "head $head"
	says_not "line was torn"
	run verify --format json
	jq -e --arg head "$head" '.intact == false and .records == 40 and .torn == 0 and .last == 40 and .head == $head' <<< "$output"
	echo more >> "$j"
	run verify
	[ "$status" -eq 1 ]
	says "line 42"
	says "head $head"
}

@test "a line that is no record breaks the chain if the next line does not confirm it" {
	sed -i '20s/.*/not a record/' "$j"
	run verify
	[ "$status" -eq 1 ]
	says "line 21"
}

@test "the verdict for machines names the place" {
	sed -i '9d' "$j"
	run verify --format json
	[ "$status" -eq 1 ]
	jq -e '.intact == false and .bad.line == 9 and .records == 8' <<< "$output"
}

@test "a clock that was set back is noted, also for machines" {
	run policy audit verify --journal "$j" --format json
	jq -e 'has("clock_set_back") | not' <<< "$output"
	journal 3 >> "$j.more"
	mv "$j" "$j.1"
	mv "$j.more" "$j"
	back=$(jq -r .time "$j" | head -n 1)
	run policy audit verify --journal "$j"
	says "note: the clock was set back at $back"
	run policy audit verify --journal "$j" --format json
	[ "$status" -eq 0 ]
	jq -e --arg t "$back" '.intact and .clock_set_back == $t' <<< "$output"
}

@test "an empty journal is intact, and a missing one is an error" {
	: > "$j"
	run verify
	[ "$status" -eq 0 ]
	run list --format json
	[ "$output" = "[]" ]
	rm "$j"
	run verify
	[ "$status" -eq 2 ]
}

@test "a pull that failed is listed as failed, and its reason is in the JSON" {
	printf '%s\n' '{"seq":1,"time":"2026-10-01T00:00:00.000Z","prev":"","event":"end","verb":"pull","uid":4401,"user":"alice","project":"p","image":"ghcr.io/a/b:1","status":125,"reason":"https://ghcr-proxy.safe-haven.example:5000 refused the login for a/b"}' > "$j"
	run list
	[[ $output == *"pull     failed        -           ghcr.io/a/b:1"* ]]
	[[ $(list --format json | jq -r '.[0].reason') == "https://ghcr-proxy.safe-haven.example:5000 refused "* ]]
	# the columns of a longer verb are below the same headings
	printf '%s\n' '{"seq":1,"time":"2026-10-01T00:00:00.000Z","prev":"","event":"decision","outcome":"denied","uid":4401,"verb":"inspect"}' > "$j"
	run list
	[ "$(awk '{ print index($0, NR == 1 ? "OUTCOME" : "denied") }' <<< "$output" | uniq | wc -l)" = 1 ]
}

@test "a wrong command, a wrong option and a journal that is not there are named" {
	run policy chek x
	[ "$status" -eq 2 ]
	[ "$output" = "ces-policy: there is no command 'chek': did you mean 'ces-policy check'?" ]
	run policy frobnicate
	[ "$output" = "ces-policy: there is no command 'frobnicate': 'ces-policy --help' lists them" ]
	run policy audit lst
	[ "$status" -eq 2 ]
	[ "$output" = "ces-policy: there is no command 'lst': did you mean 'ces-policy audit list'?" ]
	run policy $'\e[31m'
	printable
	for command in check "audit list"; do
		# shellcheck disable=SC2086 # (two words)
		run policy $command --nope x
		[ "${lines[0]}" = "ces-policy ${command%% *}: unrecognized option '--nope'" ]
	done
	[ "$(policy help)" = "$(policy --help)" ]
	run policy audit list --journal "$BATS_TEST_TMPDIR/no/audit.jsonl"
	[ "$status" -eq 2 ]
	[ "$output" = "ces-policy: $BATS_TEST_TMPDIR/no/audit.jsonl: No such file or directory" ]
}

@test "each filter passes the records that jq passes" {
	rows() { list --format json "$@" | jq -c '.[] | .seq'; }
	diff <(rows --user bob) <(jq -c 'select(.uid == 4402) | .seq' "$j")
	diff <(rows --user 4402) <(jq -c 'select(.uid == 4402) | .seq' "$j")
	diff <(rows --image 'ghcr.io/epcced/tool1') <(jq -c 'select(.image == "ghcr.io/epcced/tool1:1") | .seq' "$j")
	diff <(rows --image 'ghcr.io/**') <(jq -c 'select(.image | startswith("ghcr.io/")) | .seq' "$j")
	diff <(rows --outcome denied) <(jq -c 'select(.outcome == "denied") | .seq' "$j")
	diff <(rows --outcome failed) <(jq -c 'select(.event == "end" and .status != 0) | .seq' "$j")
	digest=$(jq -r 'select(.digest) | .digest' "$j" | head -n 1)
	diff <(rows --digest "$digest") <(jq -c --arg d "$digest" 'select(.digest == $d) | .seq' "$j")
	diff <(rows --since 2026-09-21T14:20 --until 2026-09-21T14:29) \
		<(jq -c 'select(.time >= "2026-09-21T14:20" and .time < "2026-09-21T14:30") | .seq' "$j")
	[ "$(rows --user bob | wc -l)" -gt 4 ]
}

@test "a word of a filter that no record can have is an error, not an answer" {
	for wrong in "--since 2026-1" "--since 2026-" "--since 2026-09-2" "--since 2026-09-21T1" "--since 2026-09-21T14:2" "--since 2026-09-21T14:20:00." \
		"--until 2026-09-21T14:20:1" "--until 2026-31-12" "--until 2026-13" "--since 2026-00-01" "--since 2026-09-31" \
		"--since 2027-02-29" "--since 2026-09-21T24:00" "--until 2026-09-21T14:60" "--digest 00000000" "--digest sha256:ABC" \
		"--digest sha512:00" "--run 791" "--run pull-0000007919"; do
		for command in list export; do
			# shellcheck disable=SC2086 # (two words)
			run policy audit $command --journal "$j" $wrong
			echo "$command $wrong: $output"
			[ "$status" -eq 2 ]
			says "${wrong%% *}"
		done
	done
	for right in "--since 2026" "--since 1999-12-31" "--since 2026-09" "--until 2026-10-01T09" "--until 2028-02-29T23:59:59.999Z" \
		"--until 2026-12-31" "--digest sha256:" "--digest sha256:00"; do
		# shellcheck disable=SC2086
		run policy audit list --journal "$j" $right
		[ "$status" -eq 0 ]
		says ghcr.io
	done
}

@test "a user is found by a name that the journal cannot have as it is" {
	jq -c 'if .uid == 4402 then .user = "j??rgen" else . end' "$j" | tests/lib/relink.py > "$j.new"
	mv "$j.new" "$j"
	diff <(list --format json --user jürgen | jq -c '.[] | .seq') <(jq -c 'select(.uid == 4402) | .seq' "$j")
}

@test "denials left out and strangers belong to their user, and to the project of the run" {
	journal 45 --proofs > "$j.more"
	jq -nc '{time: "2027-01-01T00:00:00.000Z", event: "denials", outcome: "denied", uid: 4402, count: 990, reason: "too many"}' >> "$j.more"
	tests/lib/relink.py < "$j.more" > "$j"
	rows() { list --format json "$@" | jq -c '.[] | .seq'; }
	diff <(rows --user bob) <(jq -c 'select(.uid == 4402) | .seq' "$j")
	[ "$(list --user bob --outcome denied --format json | jq '.[-1].count')" = 990 ]
	list --user bob --outcome denied | tail -n 1 | grep -q ' bob '
	jq -sc '(map(select(.event == "decision" and .run != null) | {(.run): .project}) | add) as $of
		| .[] | select((.project // $of[.run // ""]) == "nsh-2024-0002") | .seq' "$j" > "$BATS_TEST_TMPDIR/wanted"
	diff <(rows --project nsh-2024-0002) "$BATS_TEST_TMPDIR/wanted"
}

@test "the end of a run belongs to the user and project of its decision" {
	run list --user bob --project nsh-2024-0002
	says "exit 3"
	[ "$(list --project nsh-2024-0002 --format json | jq '[.[] | select(.event == "end")] | length')" -gt 3 ]
	[ "$(list --project nsh-2024-0002 --format json | jq -r '.[].run' | sort | uniq -c | grep -vc ' 2 ')" -eq 0 ]
}

@test "show prints everything about one run" {
	run policy audit show --journal "$j" 0000007919
	[ "$status" -eq 0 ]
	for text in bob nsh-2024-0002 ghcr.io/epcced/tool1:1 IG-2026-014 'projects.nsh-2024-0002.images[0]' \
		'/safe_data/nsh-2024-0002 at /safe_data, read-only' '512 MiB' 'exit 3'; do
		says "$text"
	done
}

@test "show has the outputs of a run by number and digest" {
	run policy audit show --journal "$j" 0000023757
	[ "$status" -eq 0 ]
	says "3 files"
	says "listed"
	says "sha256:$(printf %064x 3)"
	run policy audit show --journal "$j" 0000007919
	says_not manifest
}

@test "show of a run that never existed finds nothing" {
	run policy audit show --journal "$j" 1111111111
	[ "$status" -eq 1 ]
}

@test "export gives a table that a spreadsheet can read" {
	jq -nc '{seq: 41, time: "2027-01-01T00:00:00.000Z", prev: "", event: "denials", outcome: "denied", uid: 4402, count: 5000, reason: "too many"},
		{seq: 42, time: "2027-01-01T00:00:00.000Z", prev: "", event: "stranger", uid: 4402, run: "0000007919", count: 7, port: 8888, stranger: 4403}' >> "$j"
	run policy audit export --journal "$j" -o "$BATS_TEST_TMPDIR/out.csv"
	[ "$status" -eq 0 ]
	python3 - "$BATS_TEST_TMPDIR/out.csv" "$j" <<- 'PY'
		import csv, json, sys
		rows = list(csv.DictReader(open(sys.argv[1], newline="")))
		records = [json.loads(l) for l in open(sys.argv[2])]
		assert len(rows) == len(records) == 42
		assert list(rows[0])[-1] == "count" and rows[40]["count"] == "5000" and rows[41]["count"] == "7"
		for row, record in zip(rows, records):
		    for key in ("seq", "time", "event", "uid", "image", "status", "rule", "outputs", "manifest", "count"):
		        assert row[key] == str(record.get(key, "")), (key, row[key], record)
	PY
}

@test "no cell of an export is a formula" {
	printf '{"seq":1,"time":"2026-10-01T00:00:00.000Z","prev":"","event":"decision","user":"=cmd()","image":"@x","rule":"a,\\"b"}\n' > "$j"
	run policy audit export --journal "$j"
	says ",'=cmd(),"
	says ",'@x,"
	says ',"a,""b",'
}

@test "one run is exported as an RO-Crate, with its records beside the description" {
	c=$BATS_TEST_TMPDIR/crate
	run policy audit export --journal "$j" --crate "$c" --run 0000007919
	[ "$status" -eq 0 ]
	diff "$c/records.jsonl" <(grep '"run":"0000007919"' "$j")
	python3 - "$c" <<- 'PY'
		import json, os, sys
		crate = json.load(open(sys.argv[1] + "/ro-crate-metadata.json"))
		assert crate["@context"] == "https://w3id.org/ro/crate/1.2/context"
		by_id = {e["@id"]: e for e in crate["@graph"]}
		assert len(by_id) == len(crate["@graph"])
		root = by_id["./"]
		assert by_id["ro-crate-metadata.json"]["about"]["@id"] == "./" and root["@type"] == "Dataset"
		assert {p["@id"] for p in root["hasPart"]} | {"ro-crate-metadata.json"} == set(os.listdir(sys.argv[1]))
		def references(value):
		    if isinstance(value, dict) and set(value) == {"@id"}:
		        yield value["@id"]
		    elif isinstance(value, (dict, list)):
		        for v in value.values() if isinstance(value, dict) else value:
		            yield from references(v)
		for entity in crate["@graph"]:
		    for target in references(entity):
		        assert target in by_id or target.startswith("https://w3id.org/"), target
		action = by_id["#run"]
		assert action["@type"] == "CreateAction" and action["startTime"] < action["endTime"]
		assert action["actionStatus"].endswith("FailedActionStatus") and action["error"] == "exit 3"
		assert by_id["#user"]["name"] == "bob" and by_id["#project"]["name"] == "nsh-2024-0002"
		assert by_id["#image"]["identifier"].startswith("sha256:")
	PY
}

@test "the crate of a run that left files has the digest of their manifest" {
	c=$BATS_TEST_TMPDIR/crate
	run policy audit export --journal "$j" --crate "$c" --run 0000023757
	[ "$status" -eq 0 ]
	jq -e --arg digest "sha256:$(printf %064x 3)" '.["@graph"] | INDEX(.["@id"])
		| .["#run"].result["@id"] == "#outputs" and .["#outputs"].identifier == $digest' "$c/ro-crate-metadata.json"
}

@test "of two runs with one number, the crate is about the later one, and has no record of the other" {
	c=$BATS_TEST_TMPDIR/crate
	{
		cat "$j"
		# another user's, a year later, which has not ended
		jq -c 'select(.run == "0000023757" and .event == "decision") | .uid = 4407 | .user = "eve" | .project = "nsh-2027-0009"
			| .time = "2027-09-21T10:00:00.000Z"' "$j"
	} | tests/lib/relink.py > "$j.new"
	mv "$j.new" "$j"
	run policy audit export --journal "$j" --crate "$c" --run 0000023757
	[ "$status" -eq 0 ]
	diff "$c/records.jsonl" <(tail -n 1 "$j")
	[ "$(wc -l < "$c/records.csv")" -eq 2 ]
	[ "$(head -c 9 "$c/records.csv")" = seq,time, ]
	jq -e '.["@graph"] | INDEX(.["@id"]) | .["#run"].startTime == "2027-09-21T10:00:00.000Z" and (.["#run"] | has("endTime") | not)
		and (.["#run"].actionStatus | endswith("ActiveActionStatus")) and (has("#outputs") | not) and .["#user"].name == "eve"' \
		"$c/ro-crate-metadata.json"
}

@test "a crate takes no filter that would leave out records of its run, and no other output" {
	for wrong in "--until 2026-01-01" "--since 2026" "--outcome allowed" "--user bob" "--project p" "--image x" "--digest sha256:0" \
		"--format cef" "-o $BATS_TEST_TMPDIR/file"; do
		# shellcheck disable=SC2086 # (two words)
		run policy audit export --journal "$j" --crate "$BATS_TEST_TMPDIR/crate" --run 0000023757 $wrong
		echo "$wrong: $output"
		[ "$status" -eq 2 ]
		says "--crate"
		[ -z "$(ls -d "$BATS_TEST_TMPDIR"/{crate,file} 2> /dev/null)" ]
	done
}

@test "a crate is not made where a file exists, nor for a run that never existed" {
	mkdir "$BATS_TEST_TMPDIR/there"
	run policy audit export --journal "$j" --crate "$BATS_TEST_TMPDIR/there" --run 0000007919
	[ "$status" -eq 2 ]
	run policy audit export --journal "$j" --crate "$BATS_TEST_TMPDIR/new" --run 1111111111
	[ "$status" -eq 1 ]
	run policy audit export --journal "$j" --crate "$BATS_TEST_TMPDIR/new2"
	[ "$status" -eq 2 ]
}

@test "a journal with escape sequences and bytes of any kind prints none of those bytes" {
	printf '{"seq":1,"time":"t","prev":"","event":"end","user":"\033[31mred"}\n' > "$j"
	printf '{"seq":2,"time":"\\u001b[2J","prev":"","event":"decision","user":"\\u001b[31m\\nx","image":"\\u202e"}\n' >> "$j"
	head -c 3000 /dev/urandom | tr -d '\n' >> "$j"
	for command in verify list export; do
		run policy audit $command --journal "$j"
		printable
	done
	[ "$status" -le 2 ]
}

@test "show prints no control character of a run, and takes any value for a key that it does not know" {
	{
		jq -nca '{time: "2026-10-01T12:00:00.000Z", event: "decision", outcome: "allowed", uid: 1, user: "x", verb: "run", run: "0000000001",
			mounts: [{source: "\u001b[2J/a\"\\b", destination: "/safe_data", access: null}], signed_by: [{name: "\u001b]0;x\u0007", key: "k"}],
			"new\u001bkey": "\u009b1m\ud83d\ude00"}'
		jq -nca '{time: "2026-10-01T12:00:01.000Z", event: "proof", outcome: "as planned", uid: 1, verb: "run", run: "0000000001",
			capabilities: {effective: null, bounding: 7}, namespaces: {"\u001b[1m": "\u001b[31m"}, mounted: ["\u001b[2J", null], "\u001b": "\n"}'
	} | tests/lib/relink.py > "$j"
	run policy audit show --journal "$j" 0000000001
	[ "$status" -eq 0 ]
	printable
	says '?[2J/a"\b at /safe_data, -'
	says "bounding CAP_CHOWN"
}


@test "a line of megabytes is no record, and costs no memory" {
	{ printf '{"seq":1,"time":"'; head -c 50000000 /dev/zero | tr '\0' a; printf '"}\n'; } > "$j"
	run verify
	[ "$status" -eq 1 ]
	says "longer than any record"
	run list
	[ "$status" -eq 0 ]
}

@test "root is given up before a journal is read" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	chmod 600 "$j"
	# The leak checker cannot run under a tracer.
	export ASAN_OPTIONS=detect_leaks=0
	d=$BATS_TEST_TMPDIR p=$examples/desktop.json
	for command in "audit verify" "audit export --format ocsf -o $d/x" "report --no-host --csv $d/csv -o $d/r.html $p" \
		"audit review --from 2026-09-01 --to 2026-09-30 --policy $p --record $d/reviews --note x --by x"; do
		# shellcheck disable=SC2086 # (words)
		run strace -f -o "$d/trace" -e trace=read,setresuid "$top/${B:-build}/ces-policy" $command --journal "$j"
		echo "$command: $output"
		[ "$status" -eq 0 ]
		sed -n '/setresuid/,$p' "$d/trace" | grep -q 'seq'
		run ! grep -q seq <(sed '/setresuid/,$d' "$d/trace")
	done
}

@test "an option or command that makes no sense is refused" {
	for wrong in "list --since yesterday" "list --outcome maybe" "verify --user bob" "show" "show abc" "verify --expect 3" \
		"list extra" "list --format xml" "nothing"; do
		# shellcheck disable=SC2086
		run policy audit $wrong --journal "$j"
		echo "$wrong"
		[ "$status" -eq 2 ]
	done
}
