#!/usr/bin/env bats
# ces-policy receipt: makes a signed statement about one run from the journal, and checks it with a public key.

load common.bash
load signed.bash

type=application/vnd.in-toto+json
run=0000007919

setup()
{
	make_keys
	j=$BATS_TEST_TMPDIR/audit.jsonl
	journal 40 --proofs > "$j"
}

receipt() { policy receipt --journal "$j" "$@"; }
check() { policy receipt verify "$@"; }
statement() { jq -r .payload "$1" | base64 -d; }
refused() { run check --key "$2" "$3"; [ "$status" -eq "$1" ] || { echo "$status: $output"; return 1; }; }

@test "a receipt by either kind of key is verified with its public key" {
	for k in p256 ed25519; do
		receipt $run --key $k.pem -o $k.json
		run check --key $k.pub $k.json
		[ "$status" -eq 0 ]
		says "good: signed by key $(openssl pkey -pubin -in $k.pub -outform DER | sha256sum | cut -d' ' -f1)"
		says IG-2026-014
		says ghcr.io/epcced/tool1:1
	done
}

@test "a receipt says what the records of the run say, and follows its schema" {
	receipt $run --key p256.pem > r.json
	statement r.json > s.json
	python3 - s.json "$top/policy/receipt.schema.json" "$j" <<- 'PY'
		import hashlib, json, sys
		import jsonschema
		statement, schema = (json.load(open(f)) for f in sys.argv[1:3])
		jsonschema.Draft202012Validator.check_schema(schema)
		jsonschema.Draft202012Validator(schema).validate(statement)
		lines = open(sys.argv[3], "rb").read().splitlines()
		records = [json.loads(l) for l in lines]
		of = {r["event"]: (r, "sha256:" + hashlib.sha256(l).hexdigest()) for r, l in zip(records, lines)
		      if r.get("run") == "0000007919"}
		p = statement["predicate"]
		decision, proof, end = of["decision"][0], of["proof"][0], of["end"][0]
		assert statement["subject"] == [{"name": decision["image"], "digest": {"sha256": decision["digest"][7:]}}]
		assert p["image"] == {"reference": decision["image"], "digest": decision["digest"]}
		assert p["permission"] == {k: decision[k] for k in ("policy", "rule", "approval")}
		assert p["user"] == {"uid": 4402, "name": "bob"} and p["project"] == decision["project"]
		assert (p["decided"], p["proof"]["time"], p["ended"]) == (decision["time"], proof["time"], end["time"])
		assert p["granted"]["mounts"] == decision["mounts"] and p["granted"]["limits"] == decision["limits"]
		assert p["proof"]["outcome"] == "as planned" and p["proof"]["kernel"] == {"mounted": proof["mounted"]}
		assert p["end"] == {k: end[k] for k in ("status", "reason", "peak_memory", "cpu_us")}
		for event, name in (("decision",) * 2, ("proof",) * 2, ("end",) * 2):
		    assert p["journal"][name] == {"seq": of[event][0]["seq"], "digest": of[event][1]}
		assert p["journal"]["head"] == {"seq": 40, "digest": "sha256:" + hashlib.sha256(lines[-1]).hexdigest()}
		assert p["journal"]["first"] == 1
	PY
}

@test "a statement with another type, an unknown key or a missing one is refused by the schema" {
	receipt $run --key p256.pem > r.json
	for edit in '.predicateType = "x"' '.predicate.x = 1' 'del(.predicate.journal.head)' '.predicate.run = "1"' '.subject = []'; do
		statement r.json | jq "$edit" > s.json
		run ! python3 -c 'import json, jsonschema, sys
jsonschema.validate(*(json.load(open(f)) for f in sys.argv[1:]))' s.json "$top/policy/receipt.schema.json"
		says ValidationError
	done
}

@test "OpenSSL's program alone checks a receipt" {
	receipt $run --key p256.pem > r.json
	statement r.json | encoded "$(jq -r .payloadType r.json)" > signed
	jq -r '.signatures[0].sig' r.json | base64 -d > sig
	openssl dgst -sha256 -verify p256.pub -signature sig signed
	receipt $run --key ed25519.pem > r.json
	statement r.json | encoded "$(jq -r .payloadType r.json)" > signed
	jq -r '.signatures[0].sig' r.json | base64 -d > sig
	openssl pkeyutl -verify -pubin -inkey ed25519.pub -rawin -in signed -sigfile sig
}

@test "an envelope that OpenSSL's program made is verified, also with URL-safe base64 and unknown keys" {
	receipt $run --key p256.pem > r.json
	for k in p256 ed25519; do
		statement r.json | seal $k.pem $type > sealed.json
		check --key $k.pub sealed.json
		jq '.payload |= gsub("\\+"; "-") | .payload |= gsub("/"; "_") | .signatures[0].sig |= (gsub("\\+"; "-") | gsub("/"; "_"))
			| .other = 1 | .signatures[0].keyid = "x"' sealed.json > safe.json
		check --key $k.pub safe.json
	done
}

@test "one signature by the key is enough, whatever others there are; without one the receipt is refused" {
	receipt $run --key p256.pem > a.json
	statement a.json | seal other.pem $type > b.json
	jq -s '.[0].signatures = [.[1].signatures[0], .[0].signatures[0]] | .[0]' a.json b.json > both.json
	check --key p256.pub both.json
	check --key other.pub both.json
	refused 1 ed25519.pub both.json
	says "no signature of this key"
	jq '.signatures = []' a.json > none.json
	refused 2 p256.pub none.json
	jq '.signatures = [range(17) | {sig: "AAAA"}]' a.json > many.json
	refused 2 p256.pub many.json
}

@test "a changed payload, type or signature is refused, and no word of it is printed" {
	receipt $run --key p256.pem > r.json
	statement r.json | sed 's/"status":3/"status":0/' | base64 -w 0 > payload
	[ "$(base64 -d payload)" != "$(statement r.json)" ]
	jq --rawfile p payload '.payload = $p' r.json > changed.json
	refused 1 p256.pub changed.json
	says "no signature of this key"
	says_not 7919
	statement r.json | seal p256.pem text/plain > type.json
	refused 2 p256.pub type.json
	says "another type"
	jq --arg t $type '.payloadType = $t' type.json > type2.json
	refused 1 p256.pub type2.json
	jq '.signatures[0].sig |= "AAAA" + .[4:]' r.json > sig.json
	refused 1 p256.pub sig.json
}

@test "a receipt by another key is refused" {
	receipt $run --key p256.pem > r.json
	for k in other ed25519; do
		run check --key $k.pub r.json
		[ "$status" -eq 1 ]
	done
}

@test "an envelope that is cut anywhere is refused" {
	receipt $run --key p256.pem > r.json
	size=$(stat -c %s r.json)
	for n in 0 1 10 $((size / 2)) $((size - 3)) $((size - 2)); do
		head -c "$n" r.json > cut.json
		run check --key p256.pub cut.json
		echo "$n"
		[ "$status" -eq 2 ]
		says "not an envelope"
	done
}

@test "a duplicate key is refused, in the envelope and in the statement" {
	receipt $run --key p256.pem > r.json
	sed 's/^{/{"payload":"AAAA",/' r.json > twice.json
	run check --key p256.pub twice.json
	[ "$status" -eq 2 ]
	says "written twice"
	statement r.json | sed 's/"run":"/"run":"1111111111","run":"/' | seal p256.pem $type > inner.json
	run check --key p256.pub inner.json
	[ "$status" -eq 2 ]
	says "written twice"
}

@test "base64 with other bytes than those of the text is refused" {
	receipt $run --key p256.pem > r.json
	for edit in '.payload |= . + "\n"' '.payload |= " " + .' '.payload |= .[:-4] + "===="' '.payload |= . + "A"' '.payload = "AAAA"' \
		'.payload = 7' 'del(.payload)' '.signatures = 3' '[.]'; do
		jq "$edit" r.json > odd.json
		run check --key p256.pub odd.json
		echo "$edit"
		[ "$status" -eq 2 ]
	done
}

@test "a signed document that is no receipt is refused" {
	for text in '{}' '[]' 7 '{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1"}' \
		'{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://github.com/EPCCed/ces/receipt/v1","predicate":{}}'; do
		printf %s "$text" | seal p256.pem $type > odd.json
		run check --key p256.pub odd.json
		[ "$status" -eq 2 ]
		says "well signed, but not a receipt"
	done
}

@test "control characters of a statement reach no terminal" {
	receipt $run --key p256.pem > r.json
	statement r.json | jq -c '.predicate.user.name = "red\u009b\u202e"' | seal p256.pem $type > odd.json
	run check --key p256.pub odd.json
	[ "$status" -eq 0 ]
	printable
	statement r.json | jq -c '.predicate.user.name = "\u001b[31mred"' | seal p256.pem $type > odd.json
	run check --key p256.pub odd.json
	[ "$status" -eq 2 ]
	printable
}

@test "a receipt of megabytes is refused" {
	head -c 20000000 /dev/zero | tr '\0' a > big.json
	run check --key p256.pub big.json
	[ "$status" -eq 2 ]
}

@test "keys of other kinds are refused, to sign and to check" {
	receipt $run --key p256.pem > r.json
	for k in p384 rsa; do
		run receipt $run --key $k.pem
		[ "$status" -eq 2 ]
		says "neither ECDSA P-256 nor Ed25519"
		run check --key $k.pub r.json
		[ "$status" -eq 2 ]
	done
	for key in p256.pub r.json /dev/null missing.pem; do
		run receipt $run --key $key
		[ "$status" -eq 2 ]
	done
	run check --key p256.pem r.json
	[ "$status" -eq 2 ]
	says "no public key"
}

@test "a private key that others can read, a link and a FIFO are refused" {
	chmod 640 p256.pem
	run receipt $run --key p256.pem
	[ "$status" -eq 2 ]
	says "chmod 600"
	chmod 600 p256.pem
	ln -s p256.pem link.pem
	run receipt $run --key link.pem
	[ "$status" -eq 2 ]
	mkfifo -m 600 fifo.pem
	run timeout 10 "$top/${B:-build}/ces-policy" receipt $run --journal "$j" --key fifo.pem
	[ "$status" -eq 2 ]
	if [ "$(id -u)" = 0 ]; then
		chown 65534 p256.pem
		run receipt $run --key p256.pem
		[ "$status" -eq 2 ]
	fi
}

@test "a journal that is broken gets no receipt" {
	sed -i '20s/"uid":44/"uid":45/' "$j"
	run receipt $run --key p256.pem
	[ "$status" -eq 1 ]
	says "the journal is broken"
	says_not payload
}

@test "a run that never existed, was denied or has not ended gets no receipt" {
	run receipt 1111111111 --key p256.pem
	[ "$status" -eq 1 ]
	says "no run 1111111111"
	sed -i 4,40d "$j"
	run receipt $run --key p256.pem
	[ "$status" -eq 1 ]
	says "has not ended"
	sed -i 's/"outcome":"allowed"/"outcome":"denied"/; 2,$d' "$j"
	run receipt $run --key p256.pem
	[ "$status" -eq 1 ]
}

@test "a record with a key twice gets no receipt" {
	head -n 3 "$j" > "$j.new"
	digest=$(sed -n 3p "$j" | head -c -1 | sha256sum | cut -d' ' -f1)
	printf '{"seq":4,"time":"2026-10-01T00:00:00.000Z","prev":"sha256:%s","event":"end","run":"%s","status":0,"x":1,"x":2,"reason":"exit"}\n' \
		"$digest" $run >> "$j.new"
	mv "$j.new" "$j"
	policy audit verify --journal "$j"
	run receipt $run --key p256.pem
	[ "$status" -eq 2 ]
	says "written twice"
}

@test "rotated and compressed files give the same receipt" {
	receipt $run --key p256.pem > a.json
	mv "$j" all
	sed -n 1,3p all | gzip > "$j.2.gz"
	sed -n 4,20p all > "$j.1"
	sed -n '21,$p' all > "$j"
	receipt $run --key p256.pem > b.json
	diff <(statement a.json | jq 'del(.predicate.issued)') <(statement b.json | jq 'del(.predicate.issued)')
}

@test "the process that reads the journal has given up root, and never has the key" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	chmod 600 "$j"
	export ASAN_OPTIONS=detect_leaks=0
	run strace -f -o trace -e trace=openat,read,setresuid "$top/${B:-build}/ces-policy" receipt $run --journal "$j" --key p256.pem
	[ "$status" -eq 0 ]
	reader=$(grep 'setresuid(65534' trace | cut -d' ' -f1)
	opener=$(grep 'p256.pem' trace | cut -d' ' -f1 | sort -u)
	[ -n "$reader" ]
	[ "$opener" != "$reader" ]
	grep "^$reader " trace | sed -n '/setresuid(65534/,$p' | grep -q 'seq'
	run ! grep -q 'seq' <(grep "^$reader " trace | sed '/setresuid(65534/,$d')
	run ! grep "^$opener .*audit.jsonl" trace
}

@test "a command line that makes no sense is refused" {
	for wrong in "" "$run" "abc --key p256.pem" "$run more --key p256.pem" "$run --key p256.pem --format json" "$run --key p256.pem --outputs x"; do
		# shellcheck disable=SC2086
		run policy receipt $wrong
		echo "$wrong"
		[ "$status" -eq 2 ]
	done
	for wrong in "" "--key p256.pub" "r.json" "--key p256.pub r.json -o x" "--key p256.pub missing.json" "--key p256.pub --format xml r.json"; do
		# shellcheck disable=SC2086
		run policy receipt verify $wrong
		[ "$status" -eq 2 ]
	done
	run policy receipt --help
	[ "$status" -eq 0 ]
}

# Starts a TPM in software, which OpenSSL's provider uses like any other.
tpm()
{
	local port=$((20000 + RANDOM % 10000))
	mkdir tpm
	swtpm socket --tpm2 --tpmstate dir=tpm --server type=tcp,port=$port,bindaddr=127.0.0.1 \
		--ctrl type=tcp,port=$((port + 1)),bindaddr=127.0.0.1 --flags not-need-init,startup-clear > tpm.log 2>&1 3>&- &
	tpm_pid=$!
	export TPM2OPENSSL_TCTI=swtpm:host=127.0.0.1,port=$port
	for _ in $(seq 100); do
		! openssl list -providers -provider tpm2 > /dev/null 2>&1 || return 0
		sleep 0.1
	done
	cat tpm.log
	return 1
}

teardown() { [ -z "${tpm_pid:-}" ] || kill "$tpm_pid"; }

@test "a key that only a TPM can use signs receipts and heads" {
	tpm
	(umask 077; openssl genpkey -provider tpm2 -provider default -algorithm EC -pkeyopt group:P-256 -out tpm.pem)
	openssl pkey -provider tpm2 -provider default -in tpm.pem -pubout -out tpm.pub
	grep -q 'BEGIN TSS2 PRIVATE KEY' tpm.pem
	receipt $run --key tpm.pem -o r.json
	check --key tpm.pub r.json
	policy audit head --journal "$j" --key tpm.pem > heads
	policy audit verify --journal "$j" --key tpm.pub --against heads
	kill "$tpm_pid"
	wait "$tpm_pid" || true
	tpm_pid=
	run receipt $run --key tpm.pem
	[ "$status" -eq 2 ]
}

@test "a key of a token without its provider, or without the token, is an error" {
	for key in pkcs11:object=none handle:0x81000001; do
		run receipt $run --key $key
		[ "$status" -eq 2 ]
		says_not payload
	done
}

# Prints the manual's commands between two lines, without their prompts.
typed() # FIRST-WORDS LAST-WORDS
{
	sed -n "/$1/,/$2/p" "$top/man/ces-policy.1" | sed -n '/^\.Bd/,/^\.Ed/p' | grep -v '^\.' | sed 's/^[#$] //; s/\\e$/\\/; s/\\e/\\/g'
}

@test "the commands of the manual check a receipt with OpenSSL alone" {
	typed 'The same check by OpenSSL' 'For Ed25519' > ecdsa.sh
	typed 'For Ed25519' 'Sign the head' > ed25519.sh
	grep -q 'openssl dgst' ecdsa.sh
	grep -q 'openssl pkeyutl' ed25519.sh
	receipt $run --key p256.pem -o receipt.json
	cp p256.pub ces-public.pem
	run bash -e ecdsa.sh
	[ "$status" -eq 0 ]
	says "Verified OK"
	sed -i 's/"payload":"eyJf/"payload":"eyJg/' receipt.json
	run bash -e ecdsa.sh
	[ "$status" -ne 0 ]
	receipt $run --key ed25519.pem -o receipt.json
	cp ed25519.pub ces-public.pem
	run bash -e <(grep -v 'dgst\|-signature' ecdsa.sh; cat ed25519.sh)
	[ "$status" -eq 0 ]
	says "Verified Successfully"
}

@test "a crate carries the receipt of its run, and no other" {
	receipt $run --key p256.pem > r.json
	crate() { policy audit export --journal "$j" --crate crate "$@"; }
	crate --run $run --receipt r.json --key p256.pub
	cmp r.json crate/receipt.json
	jq -e '.["@graph"] | any(.["@id"] == "receipt.json") and any(.["@id"] == "./" and any(.hasPart[]; .["@id"] == "receipt.json"))' \
		crate/ro-crate-metadata.json
	check --key p256.pub crate/receipt.json > /dev/null
	rm -r crate
	run crate --run $run --receipt r.json --key other.pub
	[ "$status" -ne 0 ]
	rm -r crate
	another=$(jq -r 'select(.event == "end" and .run != "'$run'") | .run' "$j" | head -n 1)
	run crate --run "$another" --receipt r.json --key p256.pub
	[ "$status" -ne 0 ]
	says "it is of another run than $another"
	[ ! -s crate/receipt.json ]
	rm -r crate
	for statement in null '{"predicateType":null}' \
		'{"predicateType":"https://github.com/EPCCed/ces/receipt/v1","predicate":{"run":null}}'; do
		echo -n "$statement" | seal p256.pem application/vnd.in-toto+json > n.json
		run crate --run $run --receipt n.json --key p256.pub
		[ "$status" -eq 2 ]
		says "n.json: well signed, but not a receipt"
		rm -r crate
	done
	for wrong in "--receipt r.json" "--key p256.pub"; do
		# shellcheck disable=SC2086
		run crate --run $run $wrong
		[ "$status" -eq 2 ]
		says "--receipt needs --key"
	done
	run policy audit export --journal "$j" --receipt r.json --key p256.pub
	[ "$status" -eq 2 ]
}
