#!/usr/bin/env bats
# The manifest of a run's outputs. It is made inside the run's user namespace and written into ces-run.json; its digest is in
# the journal and in the receipt.

load ../lib/e2e.bash

setup_file()
{
	lab_policy
	have alice tools
}
teardown_file() { lab_policy; }
setup()
{
	remember
	chmod 600 "$(key)"
}
teardown() { rm -rf /home/alice/outputs_* /home/alice/.local /home/alice/results "${BATS_TEST_TMPDIR:?}"/*; }

key()
{
	[ -e "$BATS_TEST_TMPDIR/key.pem" ] ||
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$BATS_TEST_TMPDIR/key.pem" 2> /dev/null
	openssl pkey -in "$BATS_TEST_TMPDIR/key.pem" -pubout -out "$BATS_TEST_TMPDIR/key.pub"
	echo "$BATS_TEST_TMPDIR/key.pem"
}

# Runs a script in a container. Sets $about to its ces-run.json and $end to the record of its end.
leaves() # SCRIPT
{
	ces alice run -q $open/tools:1 sh -c "cd /safe_outputs; $1"
	about=$(ls /home/alice/outputs_*/ces-run.json)
	end=$(jq -c "select(.event == \"end\" and .run == \"$(jq -r .run "$about")\")" $journal)
	echo "$end"
	jq -c .manifest "$about"
}

listed() { jq -e "$1" "$about" > /dev/null || { jq .manifest "$about"; return 1; }; }

@test "each file is listed with its path, size, digest and kind, and the journal has the list's digest" {
	leaves 'mkdir -p a/b; echo one,two > a/b/t.csv; printf "\\211PNG\\r\\n\\032\\nx" > p.csv; : > none; printf "#!/bin/sh\n" > s
		printf "\\177ELF" > e; printf "%%PDF-1.7" > d; printf "PK\\003\\004" > z; printf "a\\000b" > bin; printf "SQLite format 3\\000" > q'
	listed '[.manifest.files[].path] == ["a/b/t.csv", "bin", "d", "e", "none", "p.csv", "q", "s", "z"]'
	listed '[.manifest.files[].content] == ["text", "other", "pdf", "program", "empty", "image", "data", "script", "archive"]'
	listed ".manifest.run == .run and .manifest.ces_manifest == 1 and (.manifest | has(\"cut\") | not)"
	for f in a/b/t.csv none p.csv; do
		listed ".manifest.files[] | select(.path == \"$f\") | .type == \"file\" and .size == $(stat -c %s "${about%/*}/$f")
			and .sha256 == \"$(sha256sum < "${about%/*}/$f" | cut -d' ' -f1)\""
	done
	jq -e --arg d "sha256:$(jq -jc .manifest "$about" | sha256sum | cut -d' ' -f1)" \
		'.outputs == "listed" and .manifest == $d and .files == 9 and .bytes > 0' <<< "$end"
	[ "$(find "${about%/*}" -name '*ces-*')" = "$about" ]
	[ "$(stat -c '%U %a' "$about")" = 'alice 644' ]
	nothing_left_behind
}

@test "a run without outputs has an empty list on record, and no file" {
	ces alice run -q $open/tools:1 true
	[ -z "$(ls -d /home/alice/outputs_* 2> /dev/null)" ]
	jq -es 'map(select(.event == "end")) | last | .outputs == "listed" and .files == 0 and .bytes == 0' $journal
}

@test "links and special files are named as such, and not followed" {
	leaves 'echo x > f; ln -s /etc/passwd l; ln -s f m; ln -s . loop; mkfifo p; mkdir d; ln -s /etc d/e; ln f hard'
	listed '[.manifest.files[] | {(.path): .type}] | add == {"d/e": "link", "f": "file", "hard": "file", "l": "link", "loop": "link", "m": "link", "p": "fifo"}'
	listed 'all(.manifest.files[] | select(.type != "file"); (has("sha256") or has("size") or has("content")) | not)'
	jq -e '.files == 7' <<< "$end"
}

@test "names with line feeds, quotes, escapes and no UTF-8 are escaped, and the digest is right" {
	leaves 'for n in "a
b" "q\"\\" "$(printf "\\033[31m")" "$(printf "\\377\\376")" "$(printf "d\\177")" é "$(printf "\\001\\010\\t")"; do echo x > "$n"; done'
	LC_ALL=C jq -c . "$about" | LC_ALL=C grep -qP '\x1b' && return 1
	listed '[.manifest.files[] | .path // .path_hex] | contains(["a\nb", "q\"\\", "\u001b[31m", "fffe", "647f", "é", "\u0001\u0008\t"])'
	[ "$(jq -r .manifest <<< "$end")" = "sha256:$(jq -jc .manifest "$about" | sha256sum | cut -d' ' -f1)" ]
}

@test "files without rights for their owner are the caller's, and listed as unread" {
	leaves 'echo x > closed; chmod 0 closed; mkdir shut; echo x > shut/in; chmod 0 shut; echo y > open'
	listed '.manifest.files[] | select(.path == "closed") | has("unread") and (has("sha256") | not)'
	listed '.manifest.files[] | select(.path == "open") | has("sha256")'
	listed '.manifest.cut == "a directory that cannot be read"'
	jq -e '.outputs == "cut"' <<< "$end"
	chmod 700 "${about%/*}/shut"
}

@test "a sparse file of terabytes ends at the bound of time" {
	lab_policy '.defaults.outputs.manifest.max_time = "3s"'
	leaves 'truncate -s 4398046511104 big; echo x > after'
	lab_policy
	listed '.manifest.cut == "time"'
	listed '.manifest.files[] | select(.path == "big") | .size == 4398046511104 and .unread == "a bound was reached"'
	jq -e '.outputs == "cut" and (.bytes > 0)' <<< "$end"
	[ "$(jq -r .manifest <<< "$end")" = "sha256:$(jq -jc .manifest "$about" | sha256sum | cut -d' ' -f1)" ]
}

@test "when there are more files than the bound, or too deep directories, the list says that it left them out" {
	leaves 'for i in $(seq 20100); do : > f$i; done'
	listed '.manifest.cut == "number of files" and (.manifest.files | length) == 20000'
	jq -e '.outputs == "cut" and .files == 20000' <<< "$end"
	rm -r /home/alice/outputs_*
	leaves 'd=.; for i in $(seq 80); do d=$d/d; mkdir $d; done; echo x > $d/f'
	listed '.manifest.cut == "depth"'
	listed '.manifest.files | length == 1 and .[0].type == "directory"'
}

@test "a file that is written to while it is read is listed as changed" {
	as alice mkdir results
	lab_policy '.defaults.outputs = {source: "~/results", check: {max_files: 100}}'
	as alice truncate -s 500M results/grows
	as alice timeout 50 sh -c 'until [ -e over ]; do echo x >> results/grows; sleep 0.02; done' &
	writer=$!
	ces alice run -q $open/tools:1 true
	as alice touch over
	wait $writer || true
	rm /home/alice/over
	jq -e '.manifest.files[] | select(.path == "grows") | .changed and .check == [{rule: "changed"}]' /home/alice/results/ces-run.json
	jq -es 'map(select(.event == "end")) | last | .outputs == "changed" and .check == "failed"' $journal
	lab_policy
}

@test "where ces-run.json is somebody's own, the list stays beside it" {
	as alice mkdir results
	lab_policy '.defaults.outputs = {"source":"~/results"}'
	as alice sh -c 'echo mine > results/ces-run.json'
	ces alice run -q $open/tools:1 true
	[ "$(cat /home/alice/results/ces-run.json)" = mine ]
	run=$(jq -rs 'map(select(.event == "end")) | last | .run' $journal)
	[ "$(sha256sum < "/home/alice/results/ces-manifest-$run.json" | cut -d' ' -f1)" = \
		"$(jq -rs 'map(select(.event == "end")) | last | .manifest[7:]' $journal)" ]
	lab_policy
}

@test "ces-list has the caller's rights, no capability, and a user that the caller cannot stop" {
	grep -aq __asan_init /usr/libexec/ces/ces-list && skip "a build with sanitizers has no filter"
	number=$(ces alice run -q -d $open/tools:1 sleep 60)
	list=$(process ces-list)
	eventually grep -q 'Seccomp:.2' "/proc/$list/status"
	grep -E '^(Uid|Gid|Cap|NoNewPrivs|Seccomp:|Groups)' "/proc/$list/status"
	[ "$(grep -c -E '^Cap(Prm|Eff|Inh|Bnd|Amb):.0000000000000000$' "/proc/$list/status")" -eq 5 ]
	grep -q 'NoNewPrivs:.1' "/proc/$list/status"
	works_for_alice "$list"
	[ "$(stat -L -c %d:%i "/proc/$list/root")" = "$(stat -c %d:%i "/home/alice/outputs_$number")" ]
	ces alice stop "$number"
	eventually no pgrep -x ces-list
}

@test "without its lister a run ends as it would, and the record says that nothing was listed" {
	number=$(ces alice run -q -d $open/tools:1 sh -c 'echo x > /safe_outputs/f; sleep 2')
	kill -KILL "$(process ces-list)"
	ces alice wait "$number"
	jq -e "select(.event == \"end\" and .run == \"$number\") | .outputs == \"not listed\" and (has(\"manifest\") | not)" $journal
	[ -e "/home/alice/outputs_$number/f" ]
}

@test "a receipt names the manifest, and verify compares ces-run.json with it" {
	leaves 'echo one > f'
	run=$(jq -r .run "$about")
	cd "$BATS_TEST_TMPDIR"
	ces-policy receipt "$run" --key key.pem -o receipt.json
	ces-policy receipt verify --key key.pub --outputs "$about" receipt.json
	jq -r .payload receipt.json | base64 -d > statement.json
	python3 -c 'import json, jsonschema, sys
jsonschema.validate(*(json.load(open(f)) for f in sys.argv[1:]))' statement.json "$CES_TOP/policy/receipt.schema.json"
	jq -e --argjson e "$end" '.subject[0].digest.sha256 == $e.manifest[7:] and .predicate.outputs ==
		{manifest: $e.manifest, state: "listed", files: 1, bytes: 4} and .predicate.proof.outcome == "as planned"' statement.json
	jq '.manifest.files[0].size = 5' "$about" > changed.json
	run ces-policy receipt verify --key key.pub --outputs changed.json receipt.json
	[ "$status" -eq 1 ]
	[[ $output == *"its manifest is not the one of the receipt"* ]]
	cd "$CES_TOP"
}

# Uses a /dev of its own: the lab must not change the machine's.
@test "the signed head goes to syslog, as the timer sends it, and a broken journal raises an alert" {
	cd "$BATS_TEST_TMPDIR"
	jq --arg k "$PWD/key.pem" '.host.audit_key = $k' /etc/ces/policy.json > policy.json
	sed '1s/"uid"/"UID"/' $journal > broken.jsonl
	cat > listen.py <<- 'PY'
		import socket
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind("/dev/log")
		s.settimeout(20)
		open("ready", "w").close()
		for name in "one", "two":
		    open(name, "wb").write(s.recv(65536))
	PY
	cat > send.sh <<- 'SH'
		mount -t tmpfs dev /dev
		mknod -m 666 /dev/null c 1 3
		ces-policy audit head --sign --syslog --policy policy.json > none.line
		echo "none $?"
		python3 listen.py &
		for _ in $(seq 100); do [ -e ready ] && break; sleep 0.1; done
		chmod 666 /dev/log
		ces-policy audit head --sign --syslog --policy policy.json > signed.line
		echo "signed $?"
		ces-policy audit head --sign --syslog --policy policy.json --journal broken.jsonl
		echo "broken $?"
		wait
	SH
	run unshare -m bash send.sh
	[[ $output == *"none 2"*"signed 0"*"broken 1"* ]]
	[[ $output == *"--syslog: /dev/log"* ]]
	[ "$(cat one)" = "<85>ces: journal head $(cat signed.line)" ]
	ces-policy audit verify --against one --key key.pub
	grep -q '^<81>ces: journal head not signed: ' two
	cd "$CES_TOP"
}
