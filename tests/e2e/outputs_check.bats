#!/usr/bin/env bats
# The policy's checks of a run's outputs: what they find, and where they report it. Unchecked outputs must not pass.

load ../lib/e2e.bash
airlock=/home/.airlock

setup_file()
{
	lab_policy
	have alice tools
}
teardown_file()
{
	lab_policy
	! id carl > /dev/null 2>&1 || userdel -r carl 2> /dev/null
	! getent group airlock > /dev/null || groupdel airlock
}
setup() { remember; }
teardown()
{
	! mountpoint -q $airlock || umount $airlock
	rm -rf $airlock /home/alice/outputs_* /home/alice/.local /home/alice/results "${BATS_TEST_TMPDIR:?}"/*
	lab_policy
}

checks() # JSON: what the project's outputs should pass
{
	lab_policy ".contact = \"the airlock\" | .defaults.outputs.check = $1"
}

# Runs a script in a container. Sets $about to its ces-run.json and $end to the record of its end.
leaves() # SCRIPT
{
	ces alice run -q $open/tools:1 sh -c "cd /safe_outputs; $1" 2> "$BATS_TEST_TMPDIR/said" || true
	cat "$BATS_TEST_TMPDIR/said"
	about=$(ls /home/alice/outputs_*/ces-run.json)
	end=$(jq -c "select(.event == \"end\" and .run == \"$(jq -r .run "$about")\")" $journal)
	echo "$end"
	jq -c .manifest "$about"
}

found() { jq -e "$1" "$about" > /dev/null || { jq .manifest "$about"; return 1; }; }

@test "outputs that pass are reported as passed in ces-run.json, in the journal and in the receipt" {
	checks '{types: ["csv", "png"], max_files: 3, max_size: "1M", csv: {max_rows: 3, max_columns: 2, forbidden_columns: ["*name*"],
		min_count: {columns: ["n"], at_least: 10}}, forbidden_values: ["nhs-number"], forbidden_patterns: ["S######"]}'
	leaves 'printf "sex,n\r\nF,10\r\n\"M, other\",<10\r\nX,NA\r\n" > t.csv; printf "\\211PNG\\r\\n\\032\\nx" > p.PNG; mkdir d; : > d/none.csv'
	found '[.manifest.files[].check] == ["passed", "passed", "passed"]'
	found '.manifest.check == {result: "passed", not_passed: 0, findings: []}'
	jq -e '.check == "passed" and .findings == 0 and .outputs == "listed"' <<< "$end"
	no grep check "$BATS_TEST_TMPDIR/said"
	[ "$(jq -r .manifest <<< "$end")" = "sha256:$(jq -jc .manifest "$about" | sha256sum | cut -d' ' -f1)" ]
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$BATS_TEST_TMPDIR/key.pem" 2> /dev/null
	openssl pkey -in "$BATS_TEST_TMPDIR/key.pem" -pubout -out "$BATS_TEST_TMPDIR/key.pub"
	ces-policy receipt "$(jq -r .run "$about")" --key "$BATS_TEST_TMPDIR/key.pem" -o "$BATS_TEST_TMPDIR/receipt.json"
	ces-policy receipt verify --key "$BATS_TEST_TMPDIR/key.pub" --outputs "$about" "$BATS_TEST_TMPDIR/receipt.json" |
		grep -E '^  check +passed$'
	jq -r .payload "$BATS_TEST_TMPDIR/receipt.json" | base64 -d > "$BATS_TEST_TMPDIR/statement.json"
	jq -e '.predicate.outputs | .check == "passed" and .findings == 0' "$BATS_TEST_TMPDIR/statement.json"
	python3 -c 'import json, jsonschema, sys
jsonschema.validate(*(json.load(open(f)) for f in sys.argv[1:]))' "$BATS_TEST_TMPDIR/statement.json" "$CES_TOP/policy/receipt.schema.json"
}

@test "each finding names its rule, line and column, and never the value" {
	checks '{types: ["csv", "text"], max_file_size: "1K", csv: {max_rows: 4, max_columns: 3, forbidden_columns: ["*NAME*", "dob"],
		min_count: {columns: ["n", "count*"], at_least: 10}}, forbidden_values: ["nhs-number", "uk-postcode"], forbidden_patterns: ["S###"]}'
	leaves 'printf "n,Surname,count_b\n12,x,9\n3,y,0\n20,943 476 5919,11\n" > a.csv; printf "one\ntwo EH8 9YL and s123\n" > b.txt
		printf "a,b,c,d\n1\n2\n3\n4\n5\n" > c.csv; echo x > d.sh; echo x > e.png; printf "a\\000b" > f.csv; head -c 1025 /dev/zero | tr "\\0" x > g.txt
		echo x > 9434765919.txt; printf "n\n\"x\n" > h.csv; echo "{}" > i.txt'
	for row in 'a.csv:{"rule":"csv.forbidden_columns","what":"*NAME*","line":1,"column":2}' \
		'a.csv:{"rule":"csv.min_count","what":"count*","line":2,"column":3,"times":2}' \
		'a.csv:{"rule":"csv.min_count","what":"n","line":3,"column":1}' \
		'a.csv:{"rule":"forbidden_values","what":"nhs-number","line":4,"column":2}' \
		'b.txt:{"rule":"forbidden_values","what":"uk-postcode","line":2}' 'b.txt:{"rule":"forbidden_patterns","what":"S###","line":2}' \
		'c.csv:{"rule":"csv.max_columns","line":1,"column":4}' 'c.csv:{"rule":"csv.max_rows","line":6,"column":1}' \
		'd.sh:{"rule":"types"}' 'e.png:{"rule":"types"}' 'f.csv:{"rule":"types"}' 'g.txt:{"rule":"max_file_size"}' \
		'9434765919.txt:{"rule":"forbidden_values","what":"nhs-number"}' \
		'h.csv:{"rule":"csv","what":"quotes that do not pair","line":2,"column":1}'; do
		found ".manifest.files[] | select(.path == \"${row%%:*}\") | .check | contains([${row#*:}])" || { echo "$row"; return 1; }
	done
	found '[.manifest.files[] | select(.check == "passed") | .path] == ["i.txt"]'
	found '.manifest.check | .result == "failed" and .not_passed == 9'
	jq -c .manifest "$about" | no grep -E '943 476|EH8|s123'
	jq -e '.check == "failed" and .findings == 9' <<< "$end"
	grep -F "9 of 10 outputs did not pass the check of project nsh-2024-0001: \"manifest\" in ${about%/*}/ces-run.json says why; correct them, or ask the airlock" \
		"$BATS_TEST_TMPDIR/said"
}

@test "bounds of all outputs together, links and special files do not pass" {
	checks '{max_files: 2, max_size: "1K"}'
	leaves 'head -c 1025 /dev/zero > a; ln -s a l; mkfifo p'
	found '[.manifest.check.findings[].rule] == ["max_files", "max_size"]'
	found '[.manifest.files[].check] == ["passed", [{rule: "no file"}], [{rule: "no file"}]]'
	found '.manifest.check.not_passed == 2'
}

@test "unread outputs do not pass: cut lists, closed directories, files beyond the bound" {
	checks '{types: ["csv"], max_files: 100} | .defaults.outputs.manifest = {max_files: 5, max_time: "2s", max_size: "1M"}'
	leaves 'for i in 1 2 3 4 5 6; do echo x > $i.csv; done'
	found '.manifest.cut == "number of files" and (.manifest.files | length) == 5'
	found '.manifest.check == {result: "failed", not_passed: 0, findings: [{rule: "manifest", what: "number of files"}]}'
	jq -e '.outputs == "cut" and .check == "failed"' <<< "$end"
	grep 'the outputs together did not pass the check' "$BATS_TEST_TMPDIR/said"
	rm -r /home/alice/outputs_*
	leaves 'mkdir shut; echo x > shut/in; chmod 0 shut; echo x > a.csv'
	found '.manifest.check | .result == "failed" and .findings == [{rule: "manifest", what: "a directory that cannot be read"}]'
	chmod 700 /home/alice/outputs_*/shut
	rm -r /home/alice/outputs_*
	leaves 'truncate -s 2M big.csv; echo x > last.csv'
	found '.manifest.cut == "bytes" and all(.manifest.files[]; .unread == "a bound was reached" and (.check | contains([{rule: "unread"}])))'
}

@test "hostile tables end within the bounds, and do not pass" {
	checks '{csv: {max_rows: 1000000, max_columns: 100, min_count: {columns: ["*"], at_least: 1}}, forbidden_values: ["e-mail-address", "date"]}
		| .defaults.outputs.manifest.max_time = "4s"'
	leaves 'head -c 30000000 /dev/zero | tr "\\0" x > line.csv; { echo "\"a"; yes b, | head -n 500000; } > quote.csv
		head -c 10000000 /dev/zero | tr "\\0" , > columns.csv; { yes a | head -c 5000; head -c 100000 /dev/zero; } > nul.csv; truncate -s 1099511627776 sparse.csv
		{ echo a,b; echo 1,2,3; } > ragged.csv; echo x > "new
line.csv"'
	found '[.manifest.files[] | select(.check == "passed") | .path] == ["new\nline.csv"]'
	found '.manifest.files[] | select(.path == "line.csv") | .check == [{rule: "csv", what: "a field or a row that is too long", line: 1, column: 1}]'
	found '.manifest.files[] | select(.path == "columns.csv") | .check | contains([{rule: "csv.max_columns"}, {rule: "csv"}])'
	found '.manifest.files[] | select(.path == "quote.csv") | .check[0].rule == "csv"'
	found '.manifest.files[] | select(.path == "nul.csv") | .check | contains([{rule: "types", what: "text"}])'
	found '.manifest.files[] | select(.path == "sparse.csv") | .unread == "a bound was reached"'
	found '.manifest.files[] | select(.path == "ragged.csv") | .check[0].what == "more fields than names of columns"'
}

@test "when the checker is missing, a run's outputs are not checked, and its user reads so" {
	checks '{types: ["csv"]}'
	number=$(ces alice run -q -d $open/tools:1 sh -c 'echo x > /safe_outputs/f.csv; sleep 2')
	kill -KILL "$(process ces-list)"
	run ces alice wait "$number"
	[[ $output == *"the outputs could not be checked, as project nsh-2024-0001 asks for: run it again, or ask the airlock"* ]]
	jq -e "select(.event == \"end\" and .run == \"$number\") | .check == \"not checked\" and .outputs == \"not listed\"" $journal
}

@test "without a check, or if the project cancels it, no check is mentioned" {
	checks '"none"'
	leaves 'echo 943 476 5919 > f'
	found '(.manifest | has("check") | not) and (.manifest.files[0] | has("check") | not)'
	jq -e 'has("check") | not' <<< "$end"
}

# ---- withheld ----

withholds() # JSON: the check, without its end
{
	groupadd -f airlock
	id carl > /dev/null 2>&1 || useradd -m -G airlock carl
	[ -d $airlock ] || install -d -m 750 -g airlock $airlock
	! lab_has_selinux || chcon -t ces_data_t $airlock
	checks "($1 + {on_fail: \"withhold\", withhold: \"$airlock\"})"
}

# Starts a run that writes a result, and ends when root makes a file.
waits='cd /safe_outputs; echo a > a.csv; until [ -e go ]; do sleep 0.1; done; rm go'
goes() { touch "$airlock/$1/go"; }

@test "outputs that do not pass stay where only the airlock's group can read" {
	withholds '{types: ["csv"]}'
	run ces alice run $open/tools:1 sh -c 'cd /safe_outputs; mkdir -m 700 d; umask 077; echo secret > d/f.txt; chmod 0 d/f.txt; ln -s /etc/shadow l; echo a > a.csv'
	[[ $output == *"2 of 3 outputs did not pass the check of project nsh-2024-0001: all outputs of this run are withheld; ask the airlock"* ]]
	[ -z "$(ls -d /home/alice/outputs_* 2> /dev/null)" ]
	run=$(jq -rs 'map(select(.event == "end")) | last | .run' $journal)
	jq -es "map(select(.event == \"end\")) | last | .check == \"failed\" and .findings == 2 and .withheld == \"$airlock\"" $journal
	no as alice ls $airlock
	no as alice cat "$airlock/$run/d/f.txt"
	no as bob ls "$airlock/$run"
	[ "$(as carl cat "$airlock/$run/d/f.txt")" = secret ]
	[ "$(as carl jq -r '.files[] | select(.path == "d/f.txt") | .check[0].rule' "$airlock/$run/ces-manifest-$run.json")" = unread ]
	[ "$(stat -c %a /etc/shadow)" != 644 ]
	ces-policy audit show "$run" | grep -E "^  withheld +$airlock$"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$BATS_TEST_TMPDIR/key.pem" 2> /dev/null
	openssl pkey -in "$BATS_TEST_TMPDIR/key.pem" -pubout -out "$BATS_TEST_TMPDIR/key.pub"
	ces-policy receipt "$run" --key "$BATS_TEST_TMPDIR/key.pem" -o "$BATS_TEST_TMPDIR/receipt.json"
	list=$airlock/$run/ces-manifest-$run.json
	ces-policy receipt verify --key "$BATS_TEST_TMPDIR/key.pub" --outputs "$list" "$BATS_TEST_TMPDIR/receipt.json"
	[ "$(sha256sum < "$list" | cut -d' ' -f1)" = "$(jq -rs 'map(select(.event == "end")) | last | .manifest[7:]' $journal)" ]
	sed -i s/a.csv/b.csv/ "$list"
	no ces-policy receipt verify --key "$BATS_TEST_TMPDIR/key.pub" --outputs "$list" "$BATS_TEST_TMPDIR/receipt.json"
}

# (a container's host name has the run's number)
forges='cd /safe_outputs; n=${HOSTNAME#ces-}; echo bad > x.exe
	echo "{\"ces_manifest\":1,\"run\":\"$n\",\"files\":[],\"check\":{\"result\":\"passed\"}}" > ces-manifest-$n.json'

@test "a list that the program wrote in place of CES's is replaced by that of CES" {
	withholds '{types: ["csv", "json"]}'
	for more in true 'chmod 555 .' 'chmod 444 ces-*; chown 5 ces-*; chmod 1777 .; chown 5 .'; do
		ces alice run -q $open/tools:1 sh -c "$forges; $more" || true
		run=$(jq -rs 'map(select(.event == "end")) | last | .run' $journal)
		as carl jq -e '.check.result == "failed" and (.files | length) == 2' "$airlock/$run/ces-manifest-$run.json"
		[ "$(sha256sum < "$airlock/$run/ces-manifest-$run.json" | cut -d' ' -f1)" = \
			"$(jq -rs 'map(select(.event == "end")) | last | .manifest[7:]' $journal)" ]
	done
	ces alice run -q $open/tools:1 sh -c "cd /safe_outputs; mkdir ces-manifest-\${HOSTNAME#ces-}.json; echo bad > ces-manifest-\${HOSTNAME#ces-}.json/x.exe" || true
	run=$(jq -rs 'map(select(.event == "end")) | last | .run' $journal)
	as carl jq -e '.check.result == "failed" and .files[0].path == "ces-manifest-'$run'.json.moved/x.exe"' "$airlock/$run/ces-manifest-$run.json"
	# a list that cannot be written is no list: nothing passes by it
	ces alice run -q $open/tools:1 sh -c "cd /safe_outputs; mkdir -p ces-manifest-\${HOSTNAME#ces-}.json/x ces-manifest-\${HOSTNAME#ces-}.json.moved/y" 2> "$BATS_TEST_TMPDIR/said" || true
	grep "could not be checked, as project nsh-2024-0001 asks for, and are withheld" "$BATS_TEST_TMPDIR/said"
	jq -es 'map(select(.event == "end")) | last | .outputs == "not listed" and .check == "not checked" and (has("manifest") | not)' $journal
	checks '{types: ["csv", "json"]}'
	leaves "$forges"
	found '.manifest.check.result == "failed" and (.manifest.files | length) == 2'
}

@test "outputs that pass come to their user in one step, and to no one else before" {
	withholds '{types: ["csv"]}'
	number=$(ces alice run -q -d $open/tools:1 sh -c "$waits")
	eventually [ -e "$airlock/$number/a.csv" ]
	[ -z "$(ls "/home/alice/outputs_$number")" ]
	no as alice ls "$airlock/$number"
	for way in root/safe_outputs cwd; do no as alice ls "/proc/$(pgrep -nf 'until .*e go')/$way"; done
	goes "$number"
	ces alice wait "$number"
	[ "$(as alice cat "/home/alice/outputs_$number/a.csv")" = a ]
	[ "$(stat -c '%U %a' "/home/alice/outputs_$number")" = 'alice 700' ]
	jq -e '.manifest.check.result == "passed"' "/home/alice/outputs_$number/ces-run.json"
	jq -es 'map(select(.event == "end")) | last | .check == "passed" and (has("withheld") | not)' $journal
	[ -z "$(ls -A $airlock)" ]
	ces alice run -q $open/tools:1 true
	[ -z "$(ls -A $airlock)$(find /home/alice -maxdepth 1 -name 'outputs_*' ! -name "*$number*")" ]
	nothing_left_behind
}

@test "a name that its user has taken meanwhile is left alone, and the outputs are withheld" {
	withholds '{types: ["csv"]}'
	for swap in 'echo mine > DIR/mine' 'rmdir DIR; ln -s /home/bob DIR' 'rmdir DIR; echo mine > DIR'; do
		number=$(ces alice run -q -d $open/tools:1 sh -c "$waits")
		as alice sh -c "${swap//DIR//home/alice/outputs_$number}"
		goes "$number"
		run ces alice wait "$number"
		[[ $output == *"the outputs passed the check of project nsh-2024-0001, and could not be put at /home/alice/outputs_$number: they are withheld; ask the airlock"* ]]
		[ "$(as carl cat "$airlock/$number/a.csv")" = a ]
		[ ! -e /home/bob/a.csv ]
	done
	[ "$(cat /home/alice/outputs_*/mine)" = mine ]
}

@test "unchecked outputs are withheld: without a checker, or after the helper was killed" {
	withholds '{types: ["csv"]}'
	number=$(ces alice run -q -d $open/tools:1 sh -c "$waits")
	kill -KILL "$(process ces-list)"
	goes "$number"
	run ces alice wait "$number"
	[[ $output == *"could not be checked, as project nsh-2024-0001 asks for, and are withheld"* ]]
	[ "$(as carl cat "$airlock/$number/a.csv")" = a ]
	number=$(ces alice run -q -d $open/tools:1 sh -c 'echo a > /safe_outputs/a.csv; sleep 60')
	eventually [ -e "$airlock/$number/a.csv" ]
	[ -d "/home/alice/outputs_$number" ]
	kill -KILL "$(pgrep -x ces-session)"
	eventually no pgrep -x ces-session
	ces-client clean
	[ -e "$airlock/$number/a.csv" ]
	no as alice ls "$airlock/$number"
	# (the directory that kept the name)
	[ ! -e "/home/alice/outputs_$number" ]
}

@test "a directory that is open, missing or elsewhere refuses the run before it begins" {
	withholds '{types: ["csv"]}'
	refused() { run ces alice run -q $open/tools:1 true; [ "$status" -eq 125 ]; [[ $output == *"outputs.check.withhold: $1"* ]]; }
	chmod 755 $airlock
	refused "$airlock: not a directory of root's with mode 0750 or less"
	chmod 770 $airlock
	refused "$airlock: directory \"$airlock\" is writable by others than root"
	chmod 750 $airlock
	local label=
	! lab_has_selinux || label=,context=system_u:object_r:ces_data_t:s0
	mount -t tmpfs -o mode=750$label none $airlock
	refused "outputs cannot go from $airlock to /home/alice/outputs_"
	[ -z "$(ls -A $airlock)" ]
	umount $airlock
	mount --bind $airlock $airlock
	refused "outputs cannot go from $airlock to /home/alice/outputs_"
	umount $airlock
	rmdir $airlock
	refused "$airlock: not a directory of root's with mode 0750 or less"
	[ -z "$(ls -d /home/alice/outputs_* 2> /dev/null)" ]
	nothing_left_behind
	install -d -m 750 -g airlock $airlock
	! lab_has_selinux || chcon -t ces_data_t $airlock
	as alice mkdir results
	checks "{on_fail: \"withhold\", withhold: \"$airlock\"} | .defaults.binds = [\"~\"]"
	run ces alice run -q -v /home/alice/results:/safe_outputs $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $output == *"outputs are checked before you get them"*"outputs.check"* ]]
}
