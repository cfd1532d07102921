#!/usr/bin/env bats
# ces-policy audit head, and audit verify --against: heads that were signed before show what a chain alone cannot.

load common.bash
load signed.bash

type=application/vnd.ces.journal-head+json

setup()
{
	make_keys
	mkdir log
	j=$BATS_TEST_TMPDIR/log/audit.jsonl
	journal 40 > "$j"
}

head_of() { policy audit head --journal "$j" "$@"; }
against() { policy audit verify --journal "$j" --key p256.pub --against "$@"; }
digest() { printf 'sha256:%s' "$(sed -n "$1p" "$j" | head -c -1 | sha256sum | cut -d' ' -f1)"; }
time_of() { sed -n "$1p" "$j" | jq -r .time; }

# Prints the head of record N, as it would have been signed a second after the record.
signed_at() # N [JQ-EDIT]
{
	jq -nc --arg d "$(digest "$1")" --arg t "$(time_of "$1" | cut -c 1-19)Z" --argjson n "$1" \
		'{ces_head: 1, host: "node", time: $t, first: 1, seq: $n, digest: $d, written: $t}' | jq -jc "${2:-.}" | seal p256.pem $type
}

@test "the head that is printed is the one that verify prints" {
	run head_of
	[ "$status" -eq 0 ]
	[ "head $output" = "$(policy audit verify --journal "$j" | grep '^head')" ]
	policy audit verify --journal "$j" --expect "$output"
}

@test "a signed head is one line that syslog takes, and says sequence, digest, time and host" {
	for k in p256 ed25519; do
		head_of --key $k.pem > line
		[ "$(wc -l < line)" -eq 1 ]
		[ "$(stat -c %s line)" -lt 1000 ]
		jq -r .payload line | base64 -d > payload
		jq -e --arg d "$(digest 40)" --arg h "$(uname -n)" \
			'.ces_head == 1 and .seq == 40 and .first == 1 and .digest == $d and .host == $h and (.time | fromdate > 1700000000)' payload
		[ "$(jq -r .written payload)" = "$(time_of 40)" ]
		policy audit verify --journal "$j" --key $k.pub --against line
	done
	jq -r .payload line | base64 -d | encoded $type > signed
	jq -r '.signatures[0].sig' line | base64 -d > sig
	openssl pkeyutl -verify -pubin -inkey ed25519.pub -rawin -in signed -sigfile sig
}

@test "a journal that has grown agrees with the heads that were signed" {
	{ signed_at 10; signed_at 20; signed_at 40; signed_at 40 '.time = "2026-12-31T00:00:00Z"'; } > heads
	run against heads
	[ "$status" -eq 0 ]
	says "agrees with 4 signed heads, the last of 2026-12-31T00:00:00Z"
	says_not "look like signed heads"
	run against heads --format json
	jq -e '.intact and .heads == 4 and .unsigned == 0 and (has("first_unsigned") | not)' <<< "$output"
}

@test "heads are found in the lines of syslog" {
	{
		echo 'Nov 29 00:10:01 node systemd[1]: Starting ces-anchor.service'
		printf 'Nov 29 00:10:02 node ces: journal head %s\n' "$(signed_at 10)"
		printf 'Nov 30 00:10:02 node ces: journal head %s\n' "$(signed_at 30)"
	} > log/messages
	run --separate-stderr against log/messages
	[ "$status" -eq 0 ]
	says "agrees with 2 signed heads"
	echo nothing > log/messages
	run against log/messages
	[ "$status" -eq 2 ]
	says "no signed head"
}

@test "lines that anyone can write to syslog are counted and named, and hide no head" {
	{
		echo 'Nov 29 00:10:01 node alice: {"payload":'
		printf 'Nov 29 00:10:02 node ces: journal head %s\n' "$(signed_at 10)"
		printf 'Nov 29 00:10:03 node alice: %s\n' "$(echo '{"seq":99}' | seal other.pem $type)"
		printf 'Nov 29 00:10:04 node alice: %s\n' "$(signed_at 20 | jq -c '.payload |= (@base64d | sub("\"seq\":20"; "\"seq\":21") | @base64)')"
		printf 'Nov 29 00:10:05 node alice: %s\n' "$(echo '{"seq":99}' | seal p256.pem application/vnd.in-toto+json)"
		printf 'Nov 30 00:10:02 node ces: journal head %s\n' "$(signed_at 30)"
	} > log/messages
	run against log/messages
	[ "$status" -eq 0 ]
	says "agrees with 2 signed heads, the last of $(time_of 30 | cut -c 1-19)Z"
	says "4 lines look like signed heads, but this key signed no head there: they are not CES's (the first is line 1)"
	run against log/messages --strict
	[ "$status" -eq 0 ]
	run against log/messages --format json
	jq -e '.intact and .heads == 2 and .unsigned == 4 and .first_unsigned == 1' <<< "$output"
	sed -i '1d;4,5d' log/messages
	run against log/messages
	says "line 2 looks like a signed head, but this key signed no head there: it is not CES's"
	# (nor do they hide what a head shows)
	journal 40 --proofs > "$j"
	run against log/messages
	[ "$status" -eq 1 ]
	says "record 10 is not the one that the head of"
	says "line 2 looks like a signed head"
}

@test "an old head that somebody repeats accuses nobody" {
	{ signed_at 10; signed_at 20; signed_at 40; } > heads
	run against heads
	says "agrees with 3 signed heads"
	agreed=$output
	# (an ECDSA signature of the same text can be written in many ways)
	for again in "sed -n 1p heads" "signed_at 10" "sed -n 2p heads"; do
		{ cat heads; $again; } > again
		run against again
		echo "$again"
		[ "$status" -eq 0 ]
		[ "$output" = "$agreed" ]
	done
	{ cat heads heads; } > again
	run against again
	[ "$output" = "$agreed" ]
	# (as after syslog has rotated the first one away)
	{ sed 1d heads; sed -n 1p heads; } > again
	run against again
	[ "$status" -eq 0 ]
	[ "$output" = "$agreed" ]
	# (it is compared all the same)
	{ sed 1d heads; signed_at 10 '.digest = "sha256:" + ("0" * 64)'; } > again
	run against again
	[ "$status" -eq 1 ]
	says "record 10 is not the one that the head of"
}

@test "a head with fewer records that was signed later is one of a journal made anew" {
	{ signed_at 20; signed_at 40; signed_at 10 ".time = \"2027-01-01T00:00:00Z\""; } > heads
	run against heads
	[ "$status" -eq 1 ]
	says "the head of $(time_of 40 | cut -c 1-19)Z has record 40, and that of 2027-01-01T00:00:00Z only 10: the journal was made anew between them"
	# (nor does a head that is older than both hide it)
	{ cat heads; signed_at 5; } > more.heads
	run against more.heads
	[ "$status" -eq 1 ]
	says "made anew between them"
	{ signed_at 40; signed_at 10 ".time = \"2027-01-01T00:00:00Z\""; signed_at 20; } > more.heads
	run against more.heads
	[ "$status" -eq 1 ]
	says "made anew between them"
}

@test "a journal made anew is found" {
	{ signed_at 10; signed_at 30; } > heads
	journal 45 --proofs > "$j"
	policy audit verify --journal "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "record 10 is not the one that the head of"
	says "made anew"
	run against heads --format json
	[ "$status" -eq 1 ]
	jq -e '.intact == false and (.bad.what | contains("made anew"))' <<< "$output"
}

@test "an end that was cut off is found, also when the journal went on" {
	{ signed_at 10; signed_at 40; } > heads
	sed -i '31,$d' "$j"
	policy audit verify --journal "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "ends with record 30"
	says "has record 40: its end was cut off"
	journal 20 --first "30:$(digest 30)" > next.jsonl
	cat next.jsonl >> "$j"
	policy audit verify --journal "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "record 40 is not the one"
}

@test "a beginning that was cut off is found" {
	{ signed_at 10; signed_at 30; } > heads
	sed -i 1,5d "$j"
	policy audit verify --journal "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "records 1 to 5 were there"
	says "its beginning was cut off"
	sed -i 1,10d "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "records 1 to 15 were there"
}

@test "a beginning that was removed before the last head was signed is no fault" {
	{ signed_at 10; signed_at 30 '.first = 6'; } > heads
	sed -i 1,5d "$j"
	run against heads
	[ "$status" -eq 0 ]
	says "records before number 6 are not here"
}

@test "a new chain after the head is found" {
	signed_at 30 > heads
	journal 50 --proofs > "$j.new"
	sed -n 1,20p "$j" > "$j.1"
	mv "$j.new" "$j"
	policy audit verify --journal "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "made anew"
}

@test "a journal that begins with a torn line has a head, and a beginning that was cut off up to that line is found" {
	sed -n 1,20p "$j" > all
	printf '{"seq":21,"time":"2026-' >> all
	printf '\n' >> all
	torn=$(sed -n 21p all | tr -d '\n' | sha256sum | cut -d' ' -f1)
	journal 10 --first "21:sha256:$torn" >> all
	cp all "$j"
	policy audit verify --journal "$j"
	head_of --key p256.pem > heads
	against heads
	sed -i 1,20d "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "records 1 to 21 were there"
	run policy audit verify --journal "$j"
	[ "$status" -eq 0 ]
	says "numbers 22 to 31, 2"
	says "records before number 22 are not here"
	# (a head of the rest is one that verify takes)
	head_of --key p256.pem > heads
	against heads
}

@test "a head of a new chain beside older files is one of that chain" {
	sed -n '11,$p' "$j" > "$j.1"
	journal 8 > "$j"
	head_of --key p256.pem > heads
	run against heads
	[ "$status" -eq 0 ]
	says "agrees with 1 signed head"
	says "begins a new chain"
	cp "$j" good
	journal 8 --proofs > "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "record 8 is not the one"
	sed 8d good > "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "its end was cut off"
	cp good "$j"
	rm "$j.1"
	against heads
	sed -i 1d "$j"
	run against heads
	[ "$status" -eq 1 ]
	says "its beginning was cut off"
	# (nor does an older chain hide what the heads name)
	cp good "$j"
	journal 3 --first "8:$(digest 8)" > "$j.1"
	: > "$j"
	run against heads
	[ "$status" -eq 1 ]
}

@test "a head is asked for on each day, also before the first record after a rotation" {
	run ! grep -qE '^Condition.*audit.jsonl' "$top/systemd/ces-anchor.service"
	grep -qx 'ConditionPathExists=/var/log/ces/head' "$top/systemd/ces-anchor.service"
	mv "$j" "$j.1"
	head_of --key p256.pem > heads
	mv "$j.1" "$j"
	against heads
}

@test "a file of heads with a NUL is refused, not read to there" {
	{ signed_at 10; printf '\0\n'; signed_at 30 '.digest |= sub("^sha256:."; "sha256:0")'; } > heads
	run against heads
	[ "$status" -eq 2 ]
	says "it has a NUL byte"
}


@test "a clock that goes back is found between records, after a head and between heads" {
	signed_at 30 '.time = "2027-01-01T00:00:00Z"' > heads
	run against heads
	[ "$status" -eq 1 ]
	says "the clock was set back: record 31 is of $(time_of 31), and was written after 2027-01-01T00:00:00Z"
	{ signed_at 20 '.time = "2027-01-01T00:00:00Z"'; signed_at 40; } > heads
	run against heads
	[ "$status" -eq 1 ]
	says "the clock was set back"
	{ signed_at 40 '.time = "2027-01-02T00:00:00Z"'; signed_at 40 '.time = "2027-01-01T00:00:00Z"'; } > heads
	run against heads
	[ "$status" -eq 1 ]
	says "the clock was set back: a head of 2027-01-01T00:00:00Z follows one of 2027-01-02T00:00:00Z"
	python3 - "$j" <<- 'PY'
		import hashlib, json, sys
		prev, out = "", []
		for line in open(sys.argv[1]):
		    r = json.loads(line)
		    r["prev"] = prev
		    if r["seq"] > 20:
		        r["time"] = "2020" + r["time"][4:]
		    text = json.dumps(r, separators=(",", ":"))
		    prev = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
		    out.append(text + "\n")
		open(sys.argv[1], "w").writelines(out)
	PY
	policy audit verify --journal "$j"
	signed_at 40 '.time = "2027-01-01T00:00:00Z"' > heads
	run against heads
	[ "$status" -eq 1 ]
	says "record 21 is of 2020"
}

@test "a step of the clock of less than a second is no fault" {
	signed_at 30 ".time = \"$(time_of 31 | cut -c 1-19)Z\"" > heads
	run against heads
	[ "$status" -eq 0 ]
}

@test "heads with another signature, changed heads, and heads of two machines are refused" {
	signed_at 30 > heads
	run policy audit verify --journal "$j" --key other.pub --against heads
	[ "$status" -eq 1 ]
	says "heads, line 1: no signature of this key"
	jq -c '.payload |= (@base64d | sub("\"seq\":30"; "\"seq\":31") | @base64)' heads > changed
	run against changed
	[ "$status" -eq 1 ]
	{ signed_at 10; head -c 300 heads; } > short
	run against short
	[ "$status" -eq 0 ]
	says "agrees with 1 signed head"
	says "line 2 looks like a signed head"
	sed -i 1d short
	run against short
	[ "$status" -eq 2 ]
	says "short, line 1"
	{ signed_at 10; signed_at 20 '.host = "other"'; } > two
	run against two
	[ "$status" -eq 2 ]
	says "give those of one machine"
	for edit in '.seq = 0' '.first = 31' '.digest = "x"' '.time = "yesterday"' 'del(.host)' '.seq = "30"' '[.]'; do
		signed_at 30 "$edit" > odd
		run against odd
		echo "$edit"
		[ "$status" -eq 2 ]
		says "not a head of a journal"
	done
	jq -jn '7' | seal p256.pem application/vnd.in-toto+json > odd
	run against odd
	[ "$status" -eq 2 ]
}

@test "a journal that is broken, torn or empty is not signed" {
	sed -i '20s/"uid":44/"uid":45/' "$j"
	run head_of --key p256.pem
	[ "$status" -eq 1 ]
	says "not signed"
	says_not payload
	journal 5 > "$j"
	printf '{"seq":6,"ti\n' >> "$j"
	run head_of --key p256.pem
	[ "$status" -eq 1 ]
	says "torn"
	: > "$j"
	run head_of --key p256.pem
	[ "$status" -eq 1 ]
	says "empty"
}

@test "with --sign the policy names the key, and without one there nothing is signed" {
	jq --arg k "$BATS_TEST_TMPDIR/p256.pem" '.host.audit_key = $k' "$examples/desktop.json" > policy.json
	head_of --sign --policy policy.json > heads
	against heads
	run head_of --sign --policy "$examples/desktop.json"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	jq '.host.audit_key = "/nonexistent/key.pem"' "$examples/desktop.json" > policy.json
	run head_of --sign --policy policy.json
	[ "$status" -eq 2 ]
	says "/nonexistent/key.pem"
	echo '{' > policy.json
	run head_of --sign --policy policy.json
	[ "$status" -eq 2 ]
}

@test "the journal and the policy are read by nobody, the key by root alone" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	chmod 600 "$j"
	export ASAN_OPTIONS=detect_leaks=0
	jq --arg k "$BATS_TEST_TMPDIR/p256.pem" '.host.audit_key = $k' "$examples/desktop.json" > policy.json
	run strace -f -o trace -e trace=openat,read,setresuid "$top/${B:-build}/ces-policy" audit head --journal "$j" --sign --policy policy.json
	[ "$status" -eq 0 ]
	reader=$(grep 'setresuid(65534' trace | cut -d' ' -f1)
	opener=$(grep 'p256.pem"' trace | cut -d' ' -f1 | sort -u)
	[ -n "$reader" ]
	[ -n "$opener" ]
	[ "$opener" != "$reader" ]
	run ! grep -qE 'seq|registries' <(grep "^$reader " trace | sed '/setresuid(65534/,$d')
}

@test "a command line that makes no sense is refused" {
	signed_at 30 > heads
	for wrong in "head --against heads" "head --key p256.pem --sign" "head --policy policy.json" "verify --against heads" "verify --key p256.pub" \
		"verify --syslog" "list --key p256.pem" "head extra"; do
		# shellcheck disable=SC2086
		run policy audit $wrong --journal "$j"
		echo "$wrong"
		[ "$status" -eq 2 ]
	done
}
