#!/usr/bin/env bats
# The journal records each decision before it takes effect, and how it ended. Nobody can rewrite it unnoticed.

load ../lib/e2e.bash

head=${journal%/*}/head # the chain goes on from here

setup_file() { lab_policy; have alice tools; }
setup() { remember; }
teardown() { rm -rf /home/*/outputs_*; }

@test "a run has a decision, a proof and an end with status on record, in order" {
	run inside -- sh -c 'exit 3'
	journal_new -s -e 'map(.event) == ["decision", "proof", "end"] and .[0].outcome == "allowed"
		and .[0].run == .[1].run and .[1].run == .[2].run and .[2].status == 3 and .[2].reason == "exit"'
}

@test "an end names user and project, after a run, a pull, a failure and a run whose helper was killed" {
	inside -- true
	pull alice $open/tools:1 -q
	run pull alice $open/no-such-image:1 -q
	[ "$status" -ne 0 ]
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q $open/tools:1 sh -c 'echo up; exec sleep 600' > $lab/up 2> /dev/null 3>&- < /dev/null &
	client=$!
	eventually test -s $lab/up
	kill -KILL "$(pgrep -P $client -x 'ces-helper|ces-admit|ces-session')"
	wait $client || true
	eventually no pgrep -xf 'sleep 600'
	inside -- true
	journal_new -s -e 'map(select(.event == "end")) | length == 5 and all(.user == "alice" and .project == "nsh-2024-0001")
		and any(.reason == "helper died")'
}

@test "the decision is on record before the container starts" {
	ces alice run -q -i $open/tools:1 sh -c 'echo up; read x' < <(eventually test -s $lab/up; tail -n +$((before_lines + 1)) $journal > $lab/then; echo) > $lab/up
	jq -s -e '.[0].event == "decision" and all(.event != "end")' $lab/then
}

@test "a record names user, project, image, digest, rule and policy" {
	run inside -- true
	journal_new -s -e '.[0] | .uid == 4401 and .project == "nsh-2024-0001" and (tostring | contains("open.tre.test/epcced/tools"))
		and (tostring | contains("projects.nsh-2024-0001.images[1]"))'
	digest=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 | jq -r .Digest)
	journal_new -s -e --arg d "$digest" '.[0] | tostring | contains($d)'
	policy=$(sha256sum < /etc/ces/policy.json | cut -d' ' -f1)
	journal_new -s -e --arg d "$policy" '.[0] | tostring | contains($d)'
}

@test "a pull is on record with the digest that it got" {
	run pull alice $open/tools:1 -q
	digest=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 | jq -r .Digest)
	journal_new -s -e --arg d "$digest" 'map(tostring) | any(contains($d))'
}

@test "a denied request is on record with its rule" {
	run ces alice pull open.tre.test/other/x
	journal_new -s -e 'length == 1 and .[0].outcome == "denied" and .[0].uid == 4401'
	run ces dave pull open.tre.test/other/x
	journal_new -s -e 'length == 2 and .[1].uid == 4404'
}

# Writes a user's count of denials: level, time, and the number left out.
put_bucket() { python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack("<3Q", *map(int, sys.argv[1:])))' "$@" > $bucket; }
show_bucket() { python3 -c 'import struct, sys; print(*struct.unpack("<3Q", sys.stdin.buffer.read()))' < $bucket; }

@test "a flood of denials is counted and not written; each is still refused, and the count comes on record" {
	run ces dave pull open.tre.test/other/x
	bucket=${journal%/*}/denied-4404
	[ "$(stat -c '%U %a' $bucket)" = "root 600" ]
	# nearly empty, so that the test need not ask a thousand times
	put_bucket 130 "$(date +%s)" 0
	remember
	for i in {1..12}; do
		run --separate-stderr ces dave pull open.tre.test/other/x
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "* ]]
	done
	[ "$(journal_new -s length)" -lt 12 ]
	# other users are not affected
	run ces alice pull open.tre.test/other/x
	journal_new -s -e 'any(.uid == 4401 and .event == "decision")'
	# the next recorded denial, or the janitor, reports the denials that were left out
	put_bucket 60 "$(date +%s)" "$(show_bucket | cut -d' ' -f3)"
	run ces dave pull open.tre.test/other/x
	journal_new -s -e 'map(select(.uid == 4404)) | (map(select(.event == "decision")) | length)
		+ (map(select(.event == "denials") | .count) | add) == 13'
	put_bucket 0 "$(date +%s)" 7
	ces-client clean
	journal_new -s -e 'any(.event == "denials" and .uid == 4404 and .count >= 7)'
	tests/lib/chain.py $journal
}

@test "when the count of a user's denials is damaged, a denial is still recorded" {
	bucket=${journal%/*}/denied-4404
	for damaged in '' x '0 1' "0 $(date +%s) 0 of an older version" "60001 $(date +%s) 0" "0 18446744073709551615 0" "0 $(date +%s) 18446744073709551615"; do
		if [[ $damaged =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]]; then
			put_bucket $damaged
		else
			printf '%s\n' "$damaged" > $bucket
		fi
		remember
		run ces dave pull open.tre.test/other/x
		[ "$status" -eq 125 ]
		journal_new -s -e 'map(.event) == ["decision"] and .[0].uid == 4404'
	done
	# and the journal is whole again
	[[ $(head -c 24 $bucket | python3 -c 'import struct, sys; print(*struct.unpack("<3Q", sys.stdin.buffer.read()))') =~ ^[0-9]+\ [0-9]+\ 0$ ]]
}

@test "when the helper of a pull was killed, the next helper records the pull's end" {
	# (this registry accepts the connection and sends nothing)
	/usr/bin/python3 -c 'import socket, time; s = socket.create_server(("'$lab_address'", 5999)); time.sleep(60)' 3>&- &
	silent=$!
	lab_wait_port 5999 /dev/null
	remember
	as alice ces-client pull -q down.tre.test/epcced/x:1 > /dev/null 2>&1 3>&- &
	client=$!
	eventually compgen -G '/run/ces/pull-*'
	pkill -KILL -x 'ces-helper|ces-admit|ces-session' # (also one that is about to be a worker)
	wait $client || true
	kill -KILL $silent
	[ "$(journal_new -s length)" -eq 1 ]
	run ces bob pull $open/tools:1 -q
	journal_new -s -e 'any(.event == "end" and .verb == "pull" and .uid == 4401 and .user == "alice"
		and .project == "nsh-2024-0001" and .reason == "helper died" and .status == 125)'
	no compgen -G '/run/ces/pull-*'
}

@test "USER, LOGNAME and HOME do not change who is on record" {
	run as alice env USER=root LOGNAME=root HOME=/root SUDO_USER=root ces-client run -q $open/tools:1 true
	journal_new -s -e 'all(.uid == 4401 or .uid == null)'
	journal_new -s -e 'map(tostring) | any(contains("\"root\"")) | not'
}

@test "arguments and environment values are not on record" {
	run inside -e SECRET=canary-value -- echo canary-argument
	[ "$output" = canary-argument ]
	no grep -q canary $journal
}

@test "each record has the digest of the one before: a changed, removed or reordered line is found" {
	run tests/lib/chain.py $journal
	[ "$status" -eq 0 ]
	sed '2s/4401/4402/' $journal > $lab/changed
	sed '2d' $journal > $lab/removed
	sed '2{h;d};3G' $journal > $lab/reordered
	for f in changed removed reordered; do
		no cmp -s $journal $lab/$f
		run tests/lib/chain.py $lab/$f
		echo "$f: $output"
		[ "$status" -ne 0 ]
	done
}

# Rotates like logrotate: renames the file, and does nothing else.
rotate() { mv $journal $journal.1; }

verified() # FILES
{
	run ces-policy audit verify --strict
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"in $1 file"* && $output != *chain* ]]
}

@test "the chain goes on over rotations, when the old file is compressed, and when it is gone" {
	rm -f $journal.*
	inside -- true
	rotate
	inside -- true
	verified 2
	mv $journal.1 $journal.2
	gzip $journal.2
	rotate
	install -m 600 /dev/null $journal # (as with logrotate's create)
	inside -- true
	verified 3
	rm $journal.2.gz
	verified 2
	rm $journal.1
	tests/lib/chain.py $journal
}

@test "when a run lives over a rotation, its end is in the new file, in the one chain" {
	rm -f $journal.*
	ces alice run -q -i $open/tools:1 sh -c 'echo up; read x' \
		< <(eventually test -s $lab/up; rotate; run ces alice pull open.tre.test/other/x; echo) > $lab/up
	[ "$(jq -r .event $journal | paste -sd' ')" = "decision end" ]
	verified 2
	rm $journal.1
}

@test "when the last records of a journal were removed or changed, the next record shows it" {
	inside -- true
	for how in '$d' '$s/4401/4402/' '1,$d'; do
		cp -p $journal $lab/kept
		cp -p $head $lab/kept.head
		sed "$how" $lab/kept > $journal
		run ces alice pull open.tre.test/other/x
		run ces-policy audit verify --strict
		echo "$output"
		cp -p $lab/kept $journal
		cp -p $lab/kept.head $head
		[ "$status" -ne 0 ] || [[ $output == *"records before number"* ]]
	done
}

@test "a record follows the one before, however long that was" {
	inside -- true
	cp -p $journal $lab/kept
	cp -p $head $lab/kept.head
	for length in 4094 4095 4096 4097 9000 98000; do
		last=$(tail -n 1 $journal)
		line=$(jq -nc --argjson seq "$(($(jq .seq <<< "$last") + 1))" \
			--arg prev "sha256:$(printf %s "$last" | sha256sum | cut -d' ' -f1)" '{$seq, $prev, event: "test", long: ""}')
		printf '%s%0*d"}\n' "${line%\"\}}" $((length - ${#line} - 1)) 0 >> $journal
		[ "$(tail -n 1 $journal | wc -c)" -eq $length ]
		run ces alice pull open.tre.test/other/x
		run tests/lib/chain.py $journal
		echo "$length: $output"
		[ "$status" -eq 0 ]
	done
	cp -p $lab/kept $journal
	cp -p $lab/kept.head $head
}

@test "only root can read the journal" {
	for f in $journal $head; do
		[ "$(stat -c '%U %a' $f)" = "root 600" ]
		run as alice cat $f
		[ "$status" -ne 0 ]
	done
}

@test "fifty requests at once make fifty whole records, in one chain" {
	pids=()
	for i in {1..50}; do
		ces alice pull open.tre.test/other/x 2> /dev/null 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p" || true; done
	[ $(($(journal_lines) - before_lines)) -eq 50 ]
	journal_new -e . > /dev/null
	tests/lib/chain.py $journal
}

# Prints times of directories: a file put into one, even for a moment, changes its time.
touched() { stat -c %y /run/ces $store/staging; }

@test "when the journal's disk is full, nothing of a run begins" {
	mount -t tmpfs -o mode=700,size=64k ces-full /var/log/ces
	lab_label
	install -m 600 /dev/null $journal # (an empty file has no page with room left)
	cat /dev/zero > /var/log/ces/filler 2> /dev/null || true
	remember
	entered=$(touched)
	run --separate-stderr ces alice run $open/tools:1 true
	after=$(touched)
	umount /var/log/ces
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "*"journal"*"No space left"* ]]
	[ "$entered" = "$after" ]
	nothing_left_behind
	[ -z "$(outputs alice)" ]
	run inside -- true
	[ "$status" -eq 0 ]
}

# A record of more than a page: one with many binds.
long_record()
{
	local binds=() i
	for i in {1..32}; do binds+=(-v "./many:/$(printf 'a%.0s' {1..200})$i"); done
	ces alice run "${binds[@]}" $open/tools:1 true
}

# (where SELinux is enforcing, the journal can only be appended to)
# bats test_tags=without-selinux
@test "records that a full disk has cut short, one after the other, do not make the journal look forged" {
	lab_policy '.defaults.binds = ["~"]'
	as alice mkdir -p many
	mount -t tmpfs -o mode=700,size=256k ces-full /var/log/ces
	lab_label
	inside -- true
	cat /dev/zero > /var/log/ces/filler 2> /dev/null || true
	for i in 1 2 3; do
		run --separate-stderr long_record
		echo "$stderr"
		[ "$status" -eq 125 ] || break
		truncate -s -4096 /var/log/ces/filler # (one page more)
	done
	rm /var/log/ces/filler
	run inside -- true
	verified=$(ces-policy audit verify --journal $journal 2>&1) || true
	umount /var/log/ces
	lab_policy
	rmdir /home/alice/many
	echo "$verified"
	[[ $verified == intact* ]]
	[ "$status" -eq 0 ]
	nothing_left_behind
}

@test "without a journal no run starts" {
	mv $journal $lab/kept
	mkdir $journal
	remember
	run --separate-stderr ces alice run $open/tools:1 true
	rmdir $journal
	mv $lab/kept $journal
	[ "$status" -eq 125 ]
	[[ $stderr == *"ces: "*journal* ]]
	nothing_left_behind
	[ -z "$(outputs alice)" ]
}

@test "a user may not read the journal, and ces-policy says who may" {
	for command in "audit list" "audit verify" "audit show 1234567890" "receipt --key x 1234567890"; do
		# shellcheck disable=SC2086 # (words)
		run as alice ces-policy $command
		[ "$status" -eq 2 ]
		[ "$output" = "ces-policy: $journal: you may not read it: type this as root" ]
	done
}
