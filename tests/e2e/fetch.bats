#!/usr/bin/env bats
# ces-fetch alone: its answers with good registries and bad connections, and its messages when nobody answers.

# shellcheck disable=SC2154 # load_image sets manifest, manifest_size, layer and size
load ../lib/fetch.bash

# Registries that behave well

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

@test "with the right basic login the registry answers; without it, or with a wrong one, it does not" {
	fetch_ca -u researcher -t s3cret "https://localhost:$basic" lab/tool "blob|$layer|$size"
	[ "$status" -eq 0 ]
	whole
	fetch_ca "https://localhost:$basic" lab/tool "manifest|1|4194304"
	failed denied "needs a login for lab/tool: give --username and --token-stdin"
	fetch_ca -u researcher -t wrong "https://localhost:$basic" lab/tool "manifest|1|4194304"
	failed denied "refused the login for lab/tool: user name or token is wrong, or the token has expired"
}

@test "a bearer token is asked for once, with a scope of one repository and pull" {
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

@test "a token server that refuses the login is reported as such" {
	fetch_ca -u researcher -t wrong -a "auth.localhost:$tokens" "https://localhost:$bearer" lab/tool "manifest|1|4194304"
	failed denied "refused the login for lab/tool"
	fetch_ca -a "auth.localhost:$tokens" "https://localhost:$bearer" lab/tool "manifest|1|4194304"
	failed denied "needs a login for lab/tool"
}

@test "a token server outside the policy's hosts gets no connection and no credential" {
	local before
	before=$(count "$dir/tokens.log")
	fetch_ca -u researcher -t s3cret "https://localhost:$bearer" lab/tool "manifest|1|4194304"
	failed registry "https://auth.localhost:$tokens, which is not among this registry's token_hosts"
	[ "$(count "$dir/tokens.log")" = "$before" ]
}

@test "a missing image is reported as such" {
	fetch_ca "https://localhost:$anonymous" lab/absent "manifest|1|4194304"
	failed "not found" "no such image or tag at https://localhost:$anonymous: lab/absent:1"
}

@test "a missing tag is reported with the nearest ones that the registry lists, with its login too" {
	fetch_ca "https://localhost:$anonymous" lab/tool "manifest|2|4194304"
	failed "not found" "no such tag at https://localhost:$anonymous: lab/tool:2 (its tags: 1)"
	fetch_ca -u researcher -t s3cret -a "auth.localhost:$tokens" "https://localhost:$bearer" lab/tool "manifest|latest|4194304"
	failed "not found" "lab/tool:latest (its tags: 1)"
	fetch_ca -u researcher -t s3cret "https://localhost:$basic" lab/tool "manifest|10|4194304"
	failed "not found" "lab/tool:10 (its tags: 1)"
}

@test "a missing digest or blob asks for no tags" {
	local before none="sha256:0000000000000000000000000000000000000000000000000000000000000000"
	before=$(count "$dir/bad.log")
	fetch_ca "https://localhost:$bad" lab/tool "manifest|$none|4194304" "blob|$none|1000"
	[[ $output == *"0 failed not found no such image"* && $output == *"1 failed not found "*"does not have a part"* ]]
	[ "$(tail -n "+$((before + 1))" "$dir/bad.log" | grep -c tags/list)" -eq 0 ]
}

@test "a slow reader slows the transfer, and gets every byte" {
	fetch_ca -r 3000 "https://localhost:$anonymous" lab/tool "blob|$layer|$size" "manifest|1|4194304"
	[ "$status" -eq 0 ]
	whole
}

@test "progress is reported at most ten times a second" {
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

@test "a basic login does not follow a redirect" {
	: > "$dir/elsewhere.log"
	fetch_bad login-redirect -u researcher -t s3cret -a "elsewhere.localhost:$elsewhere"
	[ "$status" -eq 0 ]
	[ "$(requests | jq -s 'map(.scheme) == [null, "Basic"]')" = true ]
	jq -se 'map(select(.event == "request")) | length == 1 and (.[0].authorization | not)' "$dir/elsewhere.log"
}

@test "a bearer token does not follow a redirect" {
	: > "$dir/elsewhere.log"
	fetch_bad realm-redirect -u researcher -t s3cret -a "elsewhere.localhost:$elsewhere"
	[ "$status" -eq 0 ]
	[ "$(requests | jq -s 'map(.scheme) == [null, "Bearer"]')" = true ]
	jq -se 'map(select(.event == "request")) | length == 1 and (.[0].authorization | not)' "$dir/elsewhere.log"
}

@test "when a token expires in the middle of a blob, it is asked for again" {
	fetch_bad realm-expire -u researcher -t s3cret
	[ "$status" -eq 0 ]
	whole
	[ "$(requests | jq -s 'map(.authorization) == [false, true, true, true]')" = true ]
}

# Connections that drop, servers that are busy

@test "a dropped connection resumes by Range" {
	fetch_bad drop-once
	[ "$status" -eq 0 ]
	whole
	[ "$(requests | jq -r .range | tail -n 1)" = "bytes=$((size / 2))-" ]
}

@test "a dropped connection resumes even if the registry ignores Range" {
	fetch_bad drop-norange
	[ "$status" -eq 0 ]
	whole
}

@test "a blob that came whole is taken, even if its connection ended badly" {
	fetch_bad drop-end
	[ "$status" -eq 0 ]
	whole
	[ "$(requests | wc -l)" -eq 1 ]
}

@test "a resume at the wrong place is refused" { fetch_bad drop-wrongrange; failed registry "resumed at the wrong place"; }

@test "a connection that always drops is given up after five tries" {
	fetch_bad drop-always
	failed registry "dropped the connection"
	[ "$(requests | wc -l)" -eq 5 ]
}

@test "a request that gets no answer is given up" { fetch_bad silent; failed registry "dropped the connection"; }

@test "a busy registry is asked again, at the time that it names" {
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
@test "a transfer of one byte a second is given up" { fetch_bad slow; failed registry "is too slow"; }

# No server, or another one

@test "a registry that is down is reported at once" {
	fetch_ca "https://localhost:$none" lab/tool "manifest|1|4194304"
	failed registry "cannot reach https://localhost:$none: connection refused"
}

@test "a host name that does not exist is reported as such" {
	fetch_ca https://no-such-host.invalid lab/tool "manifest|1|4194304"
	failed registry "cannot reach https://no-such-host.invalid: its name cannot be resolved"
}

@test "a certificate of an unknown authority is refused" {
	fetch_ca "https://localhost:$stranger" lab/tool "manifest|1|4194304"
	failed registry "the certificate of https://localhost:$stranger is self-signed: not trusted"
}

@test "when the policy names a CA file, the machine's own authorities are not trusted" {
	fetch -c "$dir/stranger.pem" "https://localhost:$bad" lab/tool "manifest|1|4194304"
	failed registry "is not trusted"
	# (-ff: a file for each process, so that no call is written as two lines)
	run -1 strace -ff -e trace=file,seccomp -o "$out/trace" "$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" \
		-c "$dir/stranger.pem" "https://localhost:$bad" lab/tool "manifest|1|4194304"
	# (the process that executed ces-fetch: the other one is its child, which has its own filter)
	local trace
	trace=$(grep -l 'execveat(' "$out"/trace.*)
	grep -q 'seccomp(SECCOMP_SET_MODE_FILTER, .* = 0' "$trace"
	run -1 grep -E '/etc/ssl/certs|/etc/pki|ca-certificates|ca-bundle' <(sed '1,/SECCOMP_SET_MODE_FILTER/d' "$trace")
}

@test "without a CA file, a test authority is not trusted" {
	fetch "https://localhost:$bad" lab/tool "manifest|1|4194304"
	failed registry "is not trusted: unknown certificate authority"
}

@test "when the policy names no CA file, the machine's own authorities are trusted" {
	local bundle=/etc/ssl/certs/ca-certificates.crt
	[ -e $bundle ] || bundle=/etc/pki/tls/certs/ca-bundle.crt
	# shellcheck disable=SC2016
	run -0 unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' - "$dir/ca.pem" $bundle \
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

@test "a CA file without a certificate is reported as such" {
	echo nothing > "$out/empty.pem"
	fetch -c "$out/empty.pem" "https://localhost:$bad" lab/tool "manifest|1|4194304"
	failed host "has no usable certificate"
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

@test "a host name that leads to this very machine gets no connection" {
	local before
	before=$(count "$dir/bad.log")
	echo "127.0.0.1 registry.test" > "$out/hosts"
	# shellcheck disable=SC2016
	run unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' - "$out/hosts" \
		"$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" -c "$dir/ca.pem" "https://registry.test:$bad" lab/tool "manifest|1|4194304"
	echo "$output"
	failed registry "leads to a loopback or link-local address"
	[ "$(count "$dir/bad.log")" = "$before" ]
}

@test "when a name server never answers, the pull fails after 20 seconds" {
	printf 'nameserver 127.0.0.1\noptions timeout:30\n' > "$out/resolv.conf"
	echo 'hosts: dns' > "$out/nsswitch.conf"
	# shellcheck disable=SC2016
	run unshare -mn sh -c 'ip link set lo up; mount --bind "$1" /etc/resolv.conf; mount --bind "$2" /etc/nsswitch.conf; shift 2
		python3 -c "import socket, time; s = socket.socket(type = socket.SOCK_DGRAM); s.bind((\"127.0.0.1\", 53)); print(flush = True); time.sleep(24)" |
			{ read -r ready; timeout 35 "$@"; }; exit $?' - "$out/resolv.conf" "$out/nsswitch.conf" \
		"$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" "https://registry.test" lab/tool "manifest|1|4194304"
	echo "$output"
	[[ $output == *"cannot reach https://registry.test: no answer within 20 seconds" ]]
}

# ces-fetch itself

@test "when one blob is bad, it fails alone, and the others arrive" {
	fetch_ca "https://localhost:$bad" bad-endless/t "blob|$layer|$size" "manifest|1|4194304"
	[ "$status" -eq 1 ]
	[[ $output == *"0 failed"* && $output == *"1 done $manifest_size"* ]]
}

@test "names that would change the path are refused" {
	local bad_name
	for bad_name in ../x x/../y 'a?b' 'a#b' 'a%2fb' /a a/ a//b A; do
		fetch_ca "https://localhost:$bad" "$bad_name" "manifest|1|4194304"
		failed internal "not an image name"
	done
	for bad_name in '../x' 'a/b' 'a?b' '.a' 'sha256:x'; do
		fetch_ca "https://localhost:$bad" lab/tool "manifest|$bad_name|4194304"
		failed internal "not an image name"
	done
}

@test "when a user starts ces-fetch by hand, it does nothing" {
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

@test "the process that speaks with the registry has no way to an address, and the one that connects never has the token" {
	run -0 strace -ff -s 100000 -e trace=socket,recvfrom,recvmsg,read,seccomp -o "$out/trace" "$top/$B/tests/fetch_driver" \
		-e "$top/$B/ces-fetch" -o "$out" -c "$dir/ca.pem" -u researcher -t s3cret "https://localhost:$basic" lab/tool "manifest|1|4194304"
	grep -l s3cret "$out"/trace.* > "$out/holders"
	grep -lE 'socket\(AF_INET6?, SOCK_STREAM.*\) = [0-9]' "$out"/trace.* > "$out/dialers"
	[ "$(count "$out/holders")" = 1 ]
	[ "$(count "$out/dialers")" = 1 ]
	! diff -q "$out/holders" "$out/dialers"
}

@test "when the helper dies, ces-fetch and its dialer die with it" {
	"$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" -c "$dir/ca.pem" "https://localhost:$bad" bad-stall/dies "blob|$layer|$size" > /dev/null 3>&- &
	local driver=$! worker dialer
	eventually grep -qs bad-stall/dies "$dir/bad.log"
	worker=$(pgrep -P $driver)
	dialer=$(pgrep -P "$worker")
	kill -KILL $driver
	wait $driver 2> /dev/null || true
	eventually bash -c "! kill -0 $worker 2> /dev/null"
	eventually bash -c "! grep -qs 'State:.[^Z]' /proc/$dialer/status"
}
