#!/usr/bin/env bats
# ces-fetch alone, with tests/lib/fetch_driver in the place of the helper: real registries (anonymous, basic,
# bearer tokens) and every bad thing that a registry can do. Needs root, to start ces-fetch as another user.

# shellcheck disable=SC2154 # load_image sets manifest, manifest_size, layer and size
bats_require_minimum_version 1.5.0

setup_file()
{
	top=${CES_TOP:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
	B=${B:-build}
	export top B dir=$BATS_FILE_TMPDIR
	# `make check` has built them; by hand it is done here.
	[ -n "${CES_LAB:-}" ] || env -u MAKEFLAGS make -s -C "$top" "$B/tests/fetch_driver" "$B/ces-fetch" B="$B" >&2
	cd "$dir" || return 1
	certificates
	layout
	basic=$(free_port) anonymous=$(free_port) bearer=$(free_port) none=$(free_port)
	start elsewhere "$top/tests/lib/bad_registry.py" --cert server.pem --key server.key --layout layout --ready elsewhere.port --log elsewhere.log
	elsewhere=$(cat elsewhere.port)
	start bad "$top/tests/lib/bad_registry.py" --cert server.pem --key server.key --layout layout --ready bad.port --log bad.log \
		--elsewhere "https://elsewhere.localhost:$elsewhere"
	start plain "$top/tests/lib/bad_registry.py" --plain --layout layout --ready plain.port --log plain.log
	start stranger "$top/tests/lib/bad_registry.py" --cert stranger.pem --key stranger.key --layout layout --ready stranger.port
	start expired "$top/tests/lib/bad_registry.py" --cert expired.pem --key expired.key --layout layout --ready expired.port
	start tokens "$top/tests/lib/token_server.py" --cert server.pem --key server.key --sign-cert sign.pem --sign-key sign.key \
		--user researcher --password s3cret --ready tokens.port --log tokens.log
	htpasswd -Bbc htpasswd researcher s3cret 2> /dev/null
	registry anonymous "$anonymous"
	registry basic "$basic" "auth: { htpasswd: { realm: lab, path: $dir/htpasswd } }"
	registry bearer "$bearer" "auth: { token: { realm: 'https://auth.localhost:$(cat tokens.port)/token', service: 'test registry', issuer: 'test token server', rootcertbundle: $dir/sign.pem } }"
	skopeo --insecure-policy copy --quiet --dest-tls-verify=false oci:layout:1 "docker://localhost:$anonymous/lab/tool:1"
	bad=$(cat bad.port) plain=$(cat plain.port) tokens=$(cat tokens.port)
	stranger=$(cat stranger.port) expired=$(cat expired.port)
	export basic anonymous bearer none elsewhere bad plain tokens stranger expired
}

teardown_file()
{
	local f
	for f in "$dir"/*.pid; do kill "$(cat "$f")" 2> /dev/null || true; done
}

setup() { out=$BATS_TEST_TMPDIR; mkdir -p "$out"; load_image; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

eventually() # COMMAND...
{
	local i
	for ((i = 0; i < 200; i++)); do
		if "$@"; then return 0; fi
		sleep 0.05
	done
	return 1
}

# fd 3 is bats' own: a server that kept it open would keep bats waiting.
start() # NAME COMMAND...
{
	local name=$1
	shift
	"$@" > "$name.out" 2>&1 3>&- < /dev/null &
	echo $! > "$name.pid"
	eventually test -s "$name.port" || { cat "$name.out" >&2; return 1; }
}

listens() { (exec 4<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

registry() # NAME PORT [AUTH]
{
	cat > "$1.yml" <<-YAML
	version: 0.1
	log: { level: error }
	storage: { filesystem: { rootdirectory: $dir/storage } }
	http: { addr: "127.0.0.1:$2", secret: x, tls: { certificate: $dir/server.pem, key: $dir/server.key } }
	${3:-}
	YAML
	docker-registry serve "$1.yml" > "$1.log" 2>&1 3>&- < /dev/null &
	echo $! > "$1.pid"
	eventually listens "$2" || { cat "$1.log" >&2; return 1; }
}

certificates()
{
	local new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
	# shellcheck disable=SC2086
	{
		openssl req -x509 $new -subj "/CN=test authority" -keyout ca.key -out ca.pem
		openssl req -x509 $new -subj "/CN=stranger" -addext "subjectAltName=DNS:localhost" -keyout stranger.key -out stranger.pem
		openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=token signer" -keyout sign.key -out sign.pem
		openssl req $new -subj "/CN=server" -keyout server.key -out server.csr
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out server.pem \
			-extfile <(echo "subjectAltName=DNS:localhost,DNS:bad.localhost,DNS:elsewhere.localhost,DNS:auth.localhost,DNS:registry.test")
		openssl req $new -subj "/CN=expired" -keyout expired.key -out expired.csr
		mkdir -p past && : > past/index && echo 01 > past/serial
		printf '[ca]\ndefault_ca=d\n[d]\ndir=past\ndatabase=past/index\nserial=past/serial\nnew_certs_dir=past\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost\n' > past/cnf
		openssl ca -batch -config past/cnf -in expired.csr -cert ca.pem -keyfile ca.key -out expired.pem \
			-startdate 20200101000000Z -enddate 20200201000000Z
	} > certificates.out 2>&1 || { cat certificates.out >&2; return 1; }
	chmod 644 ./*.pem
}

# An image with one layer of 300 kB, tag 1, and another manifest, tag 2.
layout()
{
	python3 - <<-'PY'
	import hashlib, io, json, os, random, tarfile, gzip
	os.makedirs("layout/blobs/sha256")
	def put(data, media):
	    digest = hashlib.sha256(data).hexdigest()
	    with open("layout/blobs/sha256/" + digest, "wb") as f:
	        f.write(data)
	    return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}
	def image(tag, size):
	    raw = io.BytesIO()
	    with tarfile.open(fileobj=raw, mode="w") as t:
	        member = tarfile.TarInfo("data")
	        member.size = size
	        t.addfile(member, io.BytesIO(random.Random(tag).randbytes(size)))
	    layer = put(gzip.compress(raw.getvalue()), "application/vnd.oci.image.layer.v1.tar+gzip")
	    diff_id = "sha256:" + hashlib.sha256(raw.getvalue()).hexdigest()
	    config = put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode(), "application/vnd.oci.image.config.v1+json")
	    manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]}).encode(), "application/vnd.oci.image.manifest.v1+json")
	    with open("layout/image" + tag, "w") as f:
	        f.write(f"manifest={manifest['digest']} manifest_size={manifest['size']} layer={layer['digest']} size={layer['size']}\n")
	    return dict(manifest, annotations={"org.opencontainers.image.ref.name": tag})
	index = {"schemaVersion": 2, "manifests": [image("1", 300000), image("2", 5000)]}
	json.dump(index, open("layout/index.json", "w"))
	json.dump({"imageLayoutVersion": "1.0.0"}, open("layout/oci-layout", "w"))
	PY
}

load_image()
{
	local key value
	while IFS='=' read -r key value; do export "$key=$value"; done < <(tr ' ' '\n' < "$dir/layout/image1")
}

fetch() { run timeout 80 "$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" -o "$out" "$@"; echo "$status: $output"; }
fetch_ca() { fetch -c "$dir/ca.pem" "$@"; }

# The layer, from a repository of the bad registry. The repository is new for each test: what a mode does
# once it does once for each.
fetch_bad() # MODE [OPTION...]
{
	local mode=$1
	shift
	repository=bad-$mode/t$BATS_TEST_NUMBER
	fetch_ca "$@" "https://localhost:$bad" "$repository" "blob|$layer|$size"
}

whole() { [ "$(sha256sum < "$out/0" | cut -d' ' -f1)" = "${layer#sha256:}" ]; }
got_at_most() { [ "$(stat -c %s "$out/0")" -le "$1" ]; }
requests() { jq -c "select(.event == \"request\" and (.path | contains(\"$repository/\")))" "$dir/bad.log"; }
count() { wc -l < "$1" 2> /dev/null || echo 0; }

# Runs the rest and holds that the other host has seen nothing at all, not even a connection.
elsewhere_untouched()
{
	local before
	before=$(count "$dir/elsewhere.log")
	"$@"
	[ "$(count "$dir/elsewhere.log")" = "$before" ]
}

failed() # CODE TEXT
{
	[ "$status" -eq 1 ]
	[[ $output == "0 failed $1 "*"$2"* ]]
}

# Registries as they should be

@test "a manifest and a blob come whole from a real registry, anonymously" {
	fetch_ca "https://localhost:$anonymous" lab/tool "blob|$layer|$size" "manifest|1|4194304"
	[ "$status" -eq 0 ]
	whole
	[ "$(sha256sum < "$out/1" | cut -d' ' -f1)" = "${manifest#sha256:}" ]
}

@test "a manifest comes by its digest" {
	fetch_ca "https://localhost:$anonymous" lab/tool "manifest|$manifest|4194304"
	[ "$status" -eq 0 ]
	[ "$(sha256sum < "$out/0" | cut -d' ' -f1)" = "${manifest#sha256:}" ]
}

@test "basic login gets in, and without a login or with a wrong one nobody does" {
	fetch_ca -u researcher -t s3cret "https://localhost:$basic" lab/tool "blob|$layer|$size"
	[ "$status" -eq 0 ]
	whole
	fetch_ca "https://localhost:$basic" lab/tool "manifest|1|4194304"
	failed registry "needs a login for lab/tool: give --username and --token-stdin"
	fetch_ca -u researcher -t wrong "https://localhost:$basic" lab/tool "manifest|1|4194304"
	failed registry "refused the login for lab/tool"
}

@test "a bearer token gets in, asked for once, with a scope of one repository and pull" {
	: > "$dir/tokens.log"
	fetch_ca -u researcher -t s3cret -a "auth.localhost:$tokens" "https://localhost:$bearer" lab/tool "manifest|1|4194304"
	[ "$status" -eq 0 ]
	jq -se 'length == 1 and .[0].known and .[0].scope == ["repository:lab/tool:pull"] and .[0].service == ["test registry"]' "$dir/tokens.log"
}

@test "four blobs at once share one session with a bearer token" {
	local g="blob|$layer|$size"
	fetch_ca -u researcher -t s3cret -a "auth.localhost:$tokens" "https://localhost:$bearer" lab/tool "$g" "$g" "$g" "$g" "$g" "$g"
	[ "$status" -eq 0 ]
	whole
	cmp "$out/0" "$out/5"
}

@test "a token server that refuses the login is told as that" {
	fetch_ca -u researcher -t wrong -a "auth.localhost:$tokens" "https://localhost:$bearer" lab/tool "manifest|1|4194304"
	failed registry "refused the login for lab/tool"
	fetch_ca -a "auth.localhost:$tokens" "https://localhost:$bearer" lab/tool "manifest|1|4194304"
	failed registry "needs a login for lab/tool"
}

@test "a token server outside the policy's hosts gets no connection and no credential" {
	local before
	before=$(count "$dir/tokens.log")
	fetch_ca -u researcher -t s3cret "https://localhost:$bearer" lab/tool "manifest|1|4194304"
	failed registry "https://auth.localhost:$tokens, which is not among this registry's token_hosts"
	[ "$(count "$dir/tokens.log")" = "$before" ]
}

@test "a missing image is told as that" {
	fetch_ca "https://localhost:$anonymous" lab/absent "manifest|1|4194304"
	failed "not found" "no such image or tag at https://localhost:$anonymous: lab/absent:1"
}

@test "a slow reader holds the transfer, and gets every byte" {
	fetch_ca -r 3000 "https://localhost:$anonymous" lab/tool "blob|$layer|$size" "manifest|1|4194304"
	[ "$status" -eq 0 ]
	whole
}

@test "progress is told, at most ten times a second" {
	fetch_ca -v -r 600 "https://localhost:$anonymous" lab/tool "blob|$layer|$size"
	[ "$status" -eq 0 ]
	[ "$(grep -c '^0 bytes' <<< "$output")" -le 20 ]
}

@test "a redirect to an allowed path is followed" {
	fetch_bad redirect
	[ "$status" -eq 0 ]
	whole
}

@test "a redirect to an allowed other host is followed, without Authorization" {
	: > "$dir/elsewhere.log"
	repository='bad-redirect-elsewhere/allowed'
	fetch_ca -a "elsewhere.localhost:$elsewhere" "https://localhost:$bad" $repository "blob|$layer|$size"
	[ "$status" -eq 0 ]
	whole
	jq -se 'map(select(.event == "request")) | length == 1 and (.[0].authorization | not)' "$dir/elsewhere.log"
}

@test "a login is not carried along by a redirect: basic" {
	: > "$dir/elsewhere.log"
	fetch_bad login-redirect -u researcher -t s3cret -a "elsewhere.localhost:$elsewhere"
	[ "$status" -eq 0 ]
	[ "$(requests | jq -s 'map(.scheme) == [null, "Basic"]')" = true ]
	jq -se 'map(select(.event == "request")) | length == 1 and (.[0].authorization | not)' "$dir/elsewhere.log"
}

@test "a login is not carried along by a redirect: bearer" {
	: > "$dir/elsewhere.log"
	fetch_bad realm-redirect -u researcher -t s3cret -a "elsewhere.localhost:$elsewhere"
	[ "$status" -eq 0 ]
	[ "$(requests | jq -s 'map(.scheme) == [null, "Bearer"]')" = true ]
	jq -se 'map(select(.event == "request")) | length == 1 and (.[0].authorization | not)' "$dir/elsewhere.log"
}

@test "a token that expires in the middle of a blob is asked for again" {
	fetch_bad realm-expire -u researcher -t s3cret
	[ "$status" -eq 0 ]
	whole
	[ "$(requests | jq -s 'map(.authorization) == [false, true, true, true]')" = true ]
}

# Lines that drop, servers that are busy

@test "a dropped connection resumes by Range" {
	fetch_bad drop-once
	[ "$status" -eq 0 ]
	whole
	[ "$(requests | jq -r .range | tail -n 1)" = "bytes=$((size / 2))-" ]
}

@test "a dropped connection resumes where Range is ignored" {
	fetch_bad drop-norange
	[ "$status" -eq 0 ]
	whole
}

@test "a resume at the wrong place is refused" { fetch_bad drop-wrongrange; failed registry "resumed at the wrong place"; }

@test "a connection that always drops is given up after five tries" {
	fetch_bad drop-always
	failed registry "dropped the connection"
	[ "$(requests | wc -l)" -eq 5 ]
}

@test "a request without any answer is given up" { fetch_bad silent; failed registry "dropped the connection"; }

@test "a busy registry is asked again, when it says" {
	fetch_bad busy-once
	[ "$status" -eq 0 ]
	whole
}

@test "a registry that failed once is asked again, for a manifest too" {
	fetch_bad error-once
	[ "$status" -eq 0 ]
	fetch_ca "https://localhost:$bad" bad-manifest-error-once/t "manifest|1|4194304"
	[ "$status" -eq 0 ]
}

@test "a registry that always fails is given up, and its words are not passed on" {
	fetch_bad error-500
	failed registry "answered with an error (HTTP status 500)"
	[[ $output != *evil* ]]
}

# bats test_tags=slow
@test "one byte a second is given up" { fetch_bad slow; failed registry "is too slow"; }

# Nobody there, or somebody else

@test "a registry that is down is told as that, at once" {
	fetch_ca "https://localhost:$none" lab/tool "manifest|1|4194304"
	failed registry "cannot reach https://localhost:$none: connection refused"
}

@test "a name that does not exist is told as that" {
	fetch_ca https://no-such-host.invalid lab/tool "manifest|1|4194304"
	failed registry "cannot reach https://no-such-host.invalid: its name cannot be resolved"
}

@test "a certificate of an unknown authority is refused" {
	fetch_ca "https://localhost:$stranger" lab/tool "manifest|1|4194304"
	failed registry "the certificate of https://localhost:$stranger is self-signed: not trusted"
}

@test "the machine's own authorities are not asked when the policy names a CA file" {
	fetch -c "$dir/stranger.pem" "https://localhost:$bad" lab/tool "manifest|1|4194304"
	failed registry "is not trusted"
	run -1 strace -f -e trace=file,seccomp -o "$out/trace" "$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" \
		-c "$dir/stranger.pem" "https://localhost:$bad" lab/tool "manifest|1|4194304"
	grep -q 'seccomp(SECCOMP_SET_MODE_FILTER, .* = 0' "$out/trace"
	run -1 grep -E '/etc/ssl/certs|/etc/pki|ca-certificates|ca-bundle' <(sed '1,/SECCOMP_SET_MODE_FILTER/d' "$out/trace")
}

@test "a test authority is not trusted without a CA file" {
	fetch "https://localhost:$bad" lab/tool "manifest|1|4194304"
	failed registry "is not trusted: unknown certificate authority"
}

@test "the machine's own authorities are trusted where the policy names no CA file" {
	# shellcheck disable=SC2016
	run -0 unshare -m sh -c 'mount --bind "$1" "$(curl-config --ca)" && shift && exec "$@"' - "$dir/ca.pem" \
		"$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" "https://localhost:$bad" lab/tool "manifest|1|4194304"
}

@test "an expired certificate is refused" {
	fetch_ca "https://localhost:$expired" lab/tool "manifest|1|4194304"
	failed registry "has expired"
}

@test "a certificate for another name is refused" {
	fetch_ca "https://other.localhost:$bad" lab/tool "manifest|1|4194304"
	failed registry "the certificate of https://other.localhost:$bad is for another name"
}

@test "a CA file without a certificate is told as that" {
	echo nothing > "$out/empty.pem"
	fetch -c "$out/empty.pem" "https://localhost:$bad" lab/tool "manifest|1|4194304"
	failed host "holds no usable certificate"
}

@test "a server without TLS is refused" {
	fetch_ca "https://localhost:$plain" lab/tool "manifest|1|4194304"
	failed registry "does not speak TLS"
}

@test "an endpoint that is not https is refused before anything is sent" {
	fetch_ca "http://localhost:$plain" lab/tool "manifest|1|4194304"
	failed policy "not https"
	run -1 grep -s request "$dir/plain.log"
}

@test "a name that leads to this very machine gets no connection" {
	local before
	before=$(count "$dir/bad.log")
	echo "127.0.0.1 registry.test" > "$out/hosts"
	# shellcheck disable=SC2016
	run unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' - "$out/hosts" \
		"$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" -c "$dir/ca.pem" "https://registry.test:$bad" lab/tool "manifest|1|4194304"
	echo "$output"
	failed registry "leads to an address of this machine"
	[ "$(count "$dir/bad.log")" = "$before" ]
}

# Redirects and logins that lead elsewhere

@test "a redirect elsewhere gets no connection" {
	elsewhere_untouched fetch_bad redirect-elsewhere -u researcher -t s3cret
	failed registry "redirects to: https://elsewhere.localhost:$elsewhere, which is not among"
}

@test "a redirect to plain http is refused" { fetch_bad redirect-http; failed registry "not https (http)"; }
@test "a redirect to a file is refused" { fetch_bad redirect-file; failed registry "not https (file)"; }
@test "a redirect with a password in it is refused" { fetch_bad redirect-user; failed registry "user name, password"; }
@test "a redirect to a metadata service is refused" { fetch_bad redirect-metadata; failed registry "not among"; }

@test "a redirect to a metadata service is refused even where the policy allows it" {
	fetch_bad redirect-metadata -a 169.254.169.254
	failed registry "leads to an address of this machine or of its own link"
}

@test "redirects that go round end after three" {
	fetch_bad redirect-loop
	failed registry "redirects more than 3 times"
	[ "$(requests | wc -l)" -eq 4 ]
}

@test "a token server elsewhere gets no connection and no credential" {
	elsewhere_untouched fetch_bad realm-elsewhere -u researcher -t s3cret
	failed registry "wants the login sent to: https://elsewhere.localhost:$elsewhere, which is not among"
	[ "$(requests | jq -s 'map(select(.authorization)) | length')" -eq 0 ]
}

@test "a token server without TLS gets no credential" { fetch_bad realm-http -u researcher -t s3cret; failed registry "not https"; }
@test "a token server on a metadata address is refused" { fetch_bad realm-metadata -u a -t b; failed registry "not among"; }
@test "a challenge with two realms is refused" { elsewhere_untouched fetch_bad realm-two -u a -t b; failed registry "not understood"; }
@test "an unknown way to log in is refused" { fetch_bad login-odd -u a -t b; failed registry "not understood"; }

@test "a registry that always asks for a login gets it once" {
	fetch_bad login-never -u researcher -t s3cret
	failed registry "refused the login"
	[ "$(requests | jq -s 'map(.scheme) == [null, "Basic"]')" = true ]
}

@test "the password goes to nobody who does not ask for it" {
	fetch_bad drop-once -u researcher -t s3cret
	[ "$status" -eq 0 ]
	[ "$(requests | jq -s 'map(select(.authorization)) | length')" -eq 0 ]
}

# Bodies that lie

@test "a body longer than due is cut at its size" { fetch_bad longer; failed registry "more than the $size bytes"; got_at_most "$size"; }
@test "an endless body is cut at its size" { fetch_bad endless; failed registry "more than the $size bytes"; got_at_most "$size"; }
@test "a body shorter than due fails" { fetch_bad shorter; failed registry "sent only"; }
@test "an announced size that is too long is refused unread" { fetch_bad long-length; failed registry "announces more"; got_at_most 0; }
@test "an announced size that is too short is refused unread" { fetch_bad short-length; failed registry "announces fewer"; got_at_most 0; }
@test "a compressed answer is refused unread" { fetch_bad gzip; failed registry "compressed answer"; got_at_most 0; }
@test "a compressed transfer is refused unread" { fetch_bad transfer-gzip; failed registry "compressed answer"; got_at_most 0; }
@test "endless headers are cut" { fetch_bad headers; failed registry "too many or malformed headers"; }
@test "what is not HTTP is refused" { fetch_bad garbage; failed registry "does not answer as a registry does"; }

@test "a manifest of 100 MB is refused unread" {
	fetch_ca "https://localhost:$bad" bad-manifest-huge/t "manifest|1|4194304"
	failed registry "announces more than the 4194304 bytes"
	got_at_most 0
}

@test "an endless manifest is cut at its cap" {
	fetch_ca "https://localhost:$bad" bad-manifest-endless/t "manifest|1|4194304"
	failed registry "more than the 4194304 bytes"
	got_at_most 4194304
}

@test "a wrong body of the right size passes here: its digest is looked at behind the pipe" {
	fetch_bad digest
	[ "$status" -eq 0 ]
	run -1 whole
}

# ces-fetch itself

@test "one bad blob fails alone, the others arrive" {
	fetch_ca "https://localhost:$bad" bad-endless/t "blob|$layer|$size" "manifest|1|4194304"
	[ "$status" -eq 1 ]
	[[ $output == *"0 failed"* && $output == *"1 done $manifest_size"* ]]
}

@test "names that would change the path are refused" {
	local bad_name
	for bad_name in ../x x/../y 'a?b' 'a#b' 'a%2fb' /a a/ a//b A; do
		fetch_ca "https://localhost:$bad" "$bad_name" "manifest|1|4194304"
		failed internal "no image's name"
	done
	for bad_name in '../x' 'a/b' 'a?b' '.a' 'sha256:x'; do
		fetch_ca "https://localhost:$bad" lab/tool "manifest|$bad_name|4194304"
		failed internal "no image's name"
	done
}

@test "ces-fetch does nothing when it is started by hand" {
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$top/$B/ces-fetch" 3>&-
	[ "$status" -eq 1 ]
	[[ $output == *"is started by ces-helper"* ]]
}

@test "the environment changes nothing: no proxy, no key log" {
	# fetch_driver passes https_proxy, ALL_PROXY, SSLKEYLOGFILE and SSL_CERT_FILE.
	rm -f /tmp/ces-fetch-keys
	fetch_ca "https://localhost:$anonymous" lab/tool "manifest|1|4194304"
	[ "$status" -eq 0 ]
	[ ! -e /tmp/ces-fetch-keys ]
}

@test "the password is in no argument and no environment" {
	local driver worker
	"$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" -u researcher -t s3cret-canary -c "$dir/ca.pem" \
		"https://localhost:$bad" bad-stall/canary "blob|$layer|$size" > /dev/null 3>&- &
	driver=$!
	eventually grep -qs bad-stall/canary "$dir/bad.log"
	worker=$(pgrep -P $driver)
	run -0 grep -c ces-fetch "/proc/$worker/cmdline"
	run -1 grep -a canary "/proc/$worker/cmdline" "/proc/$worker/environ"
	kill -KILL $driver
	wait $driver 2> /dev/null || true
}

@test "ces-fetch dies with the helper" {
	"$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" -c "$dir/ca.pem" "https://localhost:$bad" bad-stall/dies "blob|$layer|$size" > /dev/null 3>&- &
	local driver=$! worker
	eventually grep -qs bad-stall/dies "$dir/bad.log"
	worker=$(pgrep -P $driver)
	kill -KILL $driver
	wait $driver 2> /dev/null || true
	eventually bash -c "! kill -0 $worker 2> /dev/null"
}
