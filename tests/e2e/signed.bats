#!/usr/bin/env bats
# Signatures of images: who must have signed, and when CES checks it.

load ../lib/e2e.bash

keys=/etc/ces/keys

setup_file()
{
	empty_store
	mkdir -p $keys
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $lab/lab.key 2> /dev/null
	openssl genpkey -algorithm ed25519 -out $lab/second.key
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $lab/other.key 2> /dev/null
	public
	hostile
}

# Starts a registry that has the API of OCI 1.1. Its repository says how it misbehaves.
hostile()
{
	cp -a $images/bad $lab/layout
	/usr/bin/python3 tests/lib/lab/bad_registry.py --address $lab_address --port 5444 --cert $lab/server.pem --key $lab/server.key \
		--layout $lab/layout --log $lab/signatures.log > $lab/signatures.out 2>&1 3>&- &
	echo $! > $lab/signatures.pid
	lab_wait_port 5444 $lab/signatures.out
}

teardown_file() { kill "$(cat $lab/signatures.pid)"; }

setup() { public; want '["keys/lab.pub"]'; remember; }

# Puts the public keys where the policy names them.
public()
{
	local k
	rm -rf $keys
	install -d -m 755 $keys
	for k in lab second other; do openssl pkey -in $lab/$k.key -pubout -out $keys/$k.pub; done
	chmod 644 $keys/*
}

# Makes the policy want these signatures for the images of the open registry's epcced, or of the bad registry.
want() # SIGNERS [REGISTRY]
{
	lab_policy ".registries[\"bad.tre.test\"].endpoint = \"https://bad.tre.test:5444\"
		| (.projects[].images[] | select(.allow | startswith(\"${2:-open}.tre.test/\"))).signed_by = $1"
}

sign() { tests/lib/sign.py --ca $lab/ca.pem "$@"; }
signed() # KEY NAME [OPTION...]
{
	local key=$1 name=$2
	shift 2
	sign --key $lab/$key.key "$@" https://open.tre.test:5001 "epcced/$name:1"
}

# Makes a new name for an image, without a signature.
fresh() { lab_push tools "epcced/$1:1"; }

# Fails unless a pull of a new image by alice is denied.
denied() # NAME PATTERN
{
	run --separate-stderr pull alice $open/$1:1
	refused "$2"
}

digest_of() # NAME
{
	skopeo inspect --raw --cert-dir $lab/trust "docker://open.tre.test:5001/epcced/$1:1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
}

@test "an image that the key has signed is pulled and run, and the journal says who signed what" {
	fresh s-good
	signed lab s-good
	run --separate-stderr pull alice $open/s-good:1
	echo "$stderr"
	[ "$status" -eq 0 ]
	journal_new -s -e '.[] | select(.event == "end" and .verb == "pull") | .signed_by | length == 1'
	from=s-good run inside -- echo ran
	[ "$output" = ran ]
	key=sha256:$(sha256sum < $keys/lab.pub | cut -d' ' -f1)
	journal_new -s -e --arg key "$key" '.[] | select(.event == "decision" and .verb == "run")
		| .digest as $digest | .signed_by == [{name: "keys/lab.pub", key: $key, digest: $digest}]'
}

@test "an image that nobody signed is not pulled, and the denial says what would help" {
	fresh s-none
	run --separate-stderr pull alice $open/s-none:1
	refused 'signed by none of keys/lab.pub.*cosign sign --key KEY open.tre.test/epcced/s-none@sha256:'
	journal_new -s -e 'any(.reason != null and (.reason | test("signed by none")))'
}

@test "a signature of another key does not count" {
	fresh s-other
	signed other s-other
	denied s-other 'signed by none of keys/lab.pub'
}

@test "a signature over the payload of another image does not count" {
	fresh s-borrowed
	signed lab s-borrowed --digest "sha256:$(printf '%064d' 1)" --at "$(digest_of s-borrowed)"
	denied s-borrowed 'signed by none of'
}

@test "a signed payload of another kind, or with a key written twice, does not count" {
	fresh s-payload
	while read -r payload; do
		signed lab s-payload --payload "$payload"
		run --separate-stderr pull alice $open/s-payload:1
		[ "$status" -eq 125 ]
		[[ $stderr == *"signed by none of"* ]]
	done <<-'PAYLOADS'
	{"critical":{"image":{"docker-manifest-digest":"DIGEST"},"type":"atomic container signature"}}
	{"critical":{"image":{},"image":{"docker-manifest-digest":"DIGEST"},"type":"cosign container image signature"}}
	{"critical":{"image":{"Docker-Manifest-Digest":"x","docker-manifest-digest":"DIGEST"},"type":"cosign container image signature"}}
	not JSON DIGEST
	PAYLOADS
	signed lab s-payload --payload '{"critical":{"image":{"docker-manifest-digest":"DIGEST"},"type":"cosign container image signature"}}'
	pull alice $open/s-payload:1 -q
}

@test "where the policy wants two keys, one key in two files counts once, also in another form" {
	fresh s-two
	openssl ec -pubin -in $keys/lab.pub -conv_form compressed -pubout -out $keys/again.pub 2> /dev/null
	no cmp -s $keys/lab.pub $keys/again.pub
	want '{"keys": ["keys/lab.pub", "keys/again.pub", "keys/second.pub"], "at_least": 2}'
	signed lab s-two
	denied s-two 'signed by 1 of keys/lab.pub, keys/again.pub, keys/second.pub, and the policy wants 2'
	signed second s-two --add
	pull alice $open/s-two:1 -q
	from=s-two run inside -- true
	[ "$status" -eq 0 ]
	journal_new -s -e '.[] | select(.event == "decision" and .verb == "run")
		| [.signed_by[].name] == ["keys/lab.pub", "keys/second.pub"]'
}

@test "a key that was replaced after the pull ends the runs, until its own signature is there" {
	fresh s-replaced
	signed lab s-replaced
	pull alice $open/s-replaced:1 -q
	cp $keys/second.pub $keys/lab.pub
	remember
	from=s-replaced run --separate-stderr inside -- true
	refused 'signed by none of keys/lab.pub.*then pull it again'
	signed second s-replaced --add
	from=s-replaced run --separate-stderr inside -- true
	[ "$status" -eq 125 ]
	pull alice $open/s-replaced:1 -q
	from=s-replaced run inside -- true
	[ "$status" -eq 0 ]
}

@test "an image that was pulled before the policy wanted signatures does not run, until it is pulled again" {
	fresh s-before
	signed lab s-before
	lab_policy
	pull alice $open/s-before:1 -q
	want '["keys/lab.pub"]'
	remember
	from=s-before run --separate-stderr inside -- true
	refused 'then pull it again'
	pull alice $open/s-before:1 -q
	from=s-before run inside -- true
	[ "$status" -eq 0 ]
}

@test "an image runs after the registry has lost its signatures: CES keeps them" {
	fresh s-kept
	signed lab s-kept
	pull alice $open/s-kept:1 -q
	signed other s-kept
	from=s-kept run inside -- true
	[ "$status" -eq 0 ]
	remember
	denied s-kept 'signed by none of'
	from=s-kept run inside -- true
	[ "$status" -eq 0 ]
}

@test "a key that is no file of root's alone refuses the image, and no other" {
	fresh s-key
	signed lab s-key
	pull alice $open/s-key:1 -q
	pull alice $image/cmd:1 -q
	for harm in "ln -s second.pub $keys/new && mv -T $keys/new $keys/lab.pub" "ln $keys/lab.pub $keys/twin" "chmod 666 $keys/lab.pub" \
		"chown alice $keys/lab.pub" "chmod 777 $keys" "rm $keys/lab.pub" "rm $keys/lab.pub; mkfifo -m 644 $keys/lab.pub" \
		"head -c 20000 /dev/zero > $keys/lab.pub" "head -c 5000000 /dev/zero > $keys/lab.pub"; do
		public
		eval "$harm"
		from=s-key run --separate-stderr inside -- true
		echo "$harm: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"keys/lab.pub"* ]]
		run --separate-stderr pull alice $open/s-key:1
		[ "$status" -eq 125 ]
		[[ $stderr == *"keys/lab.pub"* ]]
		run ces-policy check /etc/ces/policy.json
		[[ $output == *"signed_by names "*"lab.pub"* ]]
	done
	public
	run ces-policy check /etc/ces/policy.json
	[[ $output != *signed_by* ]]
	ces alice run -q $image/cmd:1 true
}

@test "a key that CES does not know refuses the image: RSA, another curve, a certificate, a private key, none" {
	fresh s-kind
	signed lab s-kind
	openssl genpkey -algorithm RSA -out $lab/rsa.key 2> /dev/null
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out $lab/p384.key 2> /dev/null
	for make in "openssl pkey -in $lab/rsa.key -pubout" "openssl pkey -in $lab/p384.key -pubout" "cat $lab/server.pem" "cat $lab/lab.key" "echo none"; do
		$make > $keys/lab.pub
		run --separate-stderr pull alice $open/s-kind:1
		echo "$make: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"keys/lab.pub: "* ]]
		no grep PRIVATE <<< "$stderr"
	done
}

@test "an attestation of the key counts, and one about another image does not" {
	fresh s-att
	signed lab s-att --form att --payload '{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"'"$(printf '%064d' 2)"'"}}],"predicate":{}}'
	denied s-att 'signed by none of'
	signed lab s-att --form att --add
	pull alice $open/s-att:1 -q
	from=s-att run inside -- true
	[ "$status" -eq 0 ]
}

@test "a bundle of cosign 3 counts, found by the list that a registry without the API has at a tag" {
	fresh s-bundle
	signed second s-bundle --form bundle
	denied s-bundle 'signed by none of'
	signed lab s-bundle --form bundle --add
	pull alice $open/s-bundle:1 -q
	from=s-bundle run inside -- true
	[ "$status" -eq 0 ]
	fresh s-message
	signed lab s-message --form message
	pull alice $open/s-message:1 -q
}

@test "a signature of the index counts, and so does one of this machine's manifest in it" {
	lab_push multi epcced/s-index:1 --all
	denied s-index 'signed by none of'
	signed lab s-index
	pull alice $open/s-index:1 -q
	from=s-index run inside --
	[ "$status" -eq 0 ]
	top=$(digest_of s-index)
	journal_new -s -e --arg top "$top" '.[] | select(.event == "decision" and .verb == "run")
		| .digest != $top and .signed_by[0].digest == $top'
	lab_push multi epcced/s-part:1 --all
	part=$(skopeo inspect --raw --cert-dir $lab/trust docker://open.tre.test:5001/epcced/s-part:1 | jq -r --arg a "$(dpkg --print-architecture)" \
		'.manifests[] | select(.platform.architecture == $a) | .digest')
	sign --key $lab/lab.key --digest "$part" https://open.tre.test:5001 epcced/s-part
	pull alice $open/s-part:1 -q
	from=s-part run inside --
	[ "$status" -eq 0 ]
}

@test "a rule without signatures asks the registry for none, and a start looks at no key" {
	fresh s-free
	lab_policy
	rm -rf $keys
	before_sig=$(grep -cE '/manifests/sha256-|/referrers/' $lab/open.log || true)
	pull alice $open/s-free:1 -q
	[ "$(grep -cE '/manifests/sha256-|/referrers/' $lab/open.log || true)" = "$before_sig" ]
	from=s-free run inside -- true
	[ "$status" -eq 0 ]
	journal_new -s -e 'all(has("signed_by") | not)'
}

@test "explain says whose signature is wanted, to those who ask and to those who write the policy" {
	run ces alice explain pull $open/tools:1
	[[ $output == *"only if signed by keys/lab.pub"* ]]
	want '{"keys": ["a", "b"], "at_least": 2}'
	run ces alice explain run $open/tools:1
	[[ $output == *"only if at least 2 of these 2 keys signed it:"*"    a"*"    b"* ]]
	want '["keys/lab.pub"]'
	run ces-policy explain --image $open/tools:1 /etc/ces/policy.json
	[[ $output == *"only if signed by keys/lab.pub"* ]]
}

@test "a registry with the API of OCI 1.1 lists its bundles there" {
	want '["keys/lab.pub"]' bad
	run --separate-stderr pull alice bad.tre.test/x/api:good
	refused 'signed by none of'
	sign --key $lab/lab.key --form bundle $lab/layout x:good
	remember
	run --separate-stderr pull alice bad.tre.test/x/api:good
	echo "$stderr"
	[ "$status" -eq 0 ]
	grep -q 'x/api/referrers/sha256:' $lab/signatures.log
	# (the first pull asked for the tag, too)
	[ "$(grep -cE 'x/api/manifests/sha256-[0-9a-f]{64}"' $lab/signatures.log)" -eq 1 ]
}

@test "a registry that sends hostile signatures is refused, and its images without a rule run" {
	want '["keys/second.pub"]' bad
	for mode in huge redirect-loop garbage headers digest error-500; do
		run --separate-stderr pull alice bad.tre.test/bad-signatures-$mode/x:good
		echo "$mode: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: denied: "*"signed by none of keys/second.pub"* ]]
	done
	nothing_left_behind
	want '["keys/second.pub"]'
	for mode in huge garbage; do
		pull alice bad.tre.test/bad-signatures-$mode/x:good -q
	done
}

@test "signature documents that lead to themselves, or to a thousand others, end" {
	want '["keys/second.pub"]' bad
	python3 - $lab/layout <<-'PY'
	import hashlib, json, os, sys
	layout = sys.argv[1]
	def put(what):
	    data = json.dumps(what).encode()
	    digest = hashlib.sha256(data).hexdigest()
	    with open(f"{layout}/blobs/sha256/{digest}", "wb") as f:
	        f.write(data)
	    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + digest, "size": len(data),
	            "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json"}
	good = next(d for d in json.load(open(f"{layout}/index.json"))["manifests"]
	            if d["annotations"]["org.opencontainers.image.ref.name"] == "good")
	many = [put({"schemaVersion": 2, "n": i, "layers": [dict(put({"n": i}), mediaType="application/vnd.dsse.envelope.v1+json")] * 3})
	        for i in range(1000)]
	inner = put({"schemaVersion": 2, "manifests": many})
	os.makedirs(f"{layout}/referrers", exist_ok=True)
	with open(f"{layout}/referrers/{good['digest'][7:]}", "w") as f:
	    json.dump({"schemaVersion": 2, "manifests": [inner] + many[:400]}, f)
	PY
	run --separate-stderr pull alice bad.tre.test/x/many:good
	refused 'signed by none of keys/second.pub'
	[ "$(grep -c x/many $lab/signatures.log)" -lt 80 ]
}

@test "when a registry does not send its signatures within half a minute, the denial says so" {
	want '["keys/lab.pub"]' bad
	run --separate-stderr pull alice bad.tre.test/bad-signatures-stall/x:good
	refused 'denied: not all signatures could be read \(.*in time\).*signed by none of'
}

verify=/usr/libexec/ces/ces-verify

# Replaces ces-verify by a script.
impostor() # BODY
{
	[ -e $verify.away ] || mv $verify $verify.away
	printf '#!/bin/bash\n%s\n' "$1" > $verify
	chmod 755 $verify
	if lab_has_selinux; then chcon --reference=$verify.away $verify; fi
}

teardown() { [ ! -e $verify.away ] || mv -f $verify.away $verify; }

@test "when ces-verify says nothing, dies, talks nonsense, gives a wrong length or never ends, nothing runs" {
	fresh s-verify
	signed lab s-verify
	pull alice $open/s-verify:1 -q
	# (its own answer, with a wrong length)
	local answer='import struct, os, sys; os.write(4, struct.pack("<QQ", '"$parse_magic"', int(sys.argv[1])) + bytes(620) + b"\xff" * int(sys.argv[2]))'
	for body in 'exit 0' 'kill -KILL $$' 'head -c 100000 /dev/urandom >&4' 'exec sleep 600' "python3 -c '$answer' 0 0" \
		"python3 -c '$answer' 8 8" "python3 -c '$answer' 18446744073709551615 100000"; do
		impostor "$body"
		remember
		from=s-verify run --separate-stderr inside -- true
		echo "$body: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"ces-verify gave no answer"* ]]
		nothing_left_behind
	done
}

@test "ces-verify ends when it makes any call but reading, writing and memory" {
	grep -aq __asan_init $verify && skip "a build with sanitizers"
	lab_has_selinux && skip "its job cannot be kept"
	fresh s-calls
	signed lab s-calls
	pull alice $open/s-calls:1 -q
	touch /tmp/job
	chmod 666 /tmp/job
	impostor 'cat <&3 > /tmp/job'
	from=s-calls run inside -- true
	mv -f $verify.away $verify
	strace -ff -qq -u ces-parse -o $lab/calls $verify 3< /tmp/job 4> $lab/answer
	rm -f /tmp/job
	[ "$(tail -c 16 $lab/answer | od -An -tu1 | tr -s ' \n' ' ')" = ' 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 ' ]
	grep -q 'prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER' $lab/calls.*
	no grep -vE '^(read|write|poll|brk|mmap|munmap|mremap|madvise|futex|getrandom|clock_gettime|exit_group)\(|^\+\+\+ exited' \
		<(sed '1,/PR_SET_SECCOMP, SECCOMP_MODE_FILTER/d' $lab/calls.*)
}
