#!/usr/bin/env bats
# Hostile input through the pipe, the environment and the limits of a caller.

load ../lib/e2e.bash

setup_file() { lab_policy; have alice tools; }
setup() { remember; }
teardown() { rm -rf /home/*/outputs_*; }

frame() { as alice timeout 30 "$CES_TOP/tests/lib/frame.py" "$@"; }

# Fails unless the helper answered with an error event and 125, left one record, and left nothing else.
frame_refused()
{
	run frame "$@"
	echo "$* -> $status: $output"
	[ "$status" -eq 125 ]
	[[ $output == *"13 {"* ]]
	refused_on_record
}

@test "a well-formed request is answered" {
	run frame u64:1:3 wrap:1
	[ "$status" -eq 0 ]
	[[ $output == *"17 {"* ]]
}

@test "a malformed frame is refused: a wrong magic" { frame_refused text:XXXX1 zeros:5; }
@test "a malformed frame is refused: a wrong type" { frame_refused u64:1:3 wrap:2; }
@test "a malformed frame is refused: no fields" { frame_refused wrap:1; }
@test "a malformed frame is refused: cut short" { frame_refused hex:43455331010010000000; }
@test "a malformed frame is refused: an unknown verb" { frame_refused u64:1:99 wrap:1; }
@test "a malformed frame is refused: an unknown tag" { frame_refused u64:1:3 u64:77:1 wrap:1; }
@test "a malformed frame is refused: an unknown flag" { frame_refused u64:1:2 u64:2:65536 field:3:$open/tools:1 wrap:1; }
@test "a malformed frame is refused: a field twice" { frame_refused u64:1:3 u64:1:2 wrap:1; }
@test "a malformed frame is refused: a number of the wrong size" { frame_refused field:1:abc wrap:1; }
@test "a malformed frame is refused: a newline in a name" {
	frame_refused u64:1:2 field:3:$'open.tre.test/epcced/tools:1\nx' wrap:1
}
@test "a malformed frame is refused: trailing bytes in the frame" { frame_refused u64:1:3 hex:00 wrap:1; }
@test "an oversized frame is refused by its header alone" { frame_refused --hold hex:43455331010000001000 zeros:64; }
@test "a frame of 4 GiB is refused by its header alone" { frame_refused --hold hex:434553310100ffffffff zeros:64; }
@test "a project name that is a path is refused" {
	frame_refused u64:1:2 field:3:$open/tools:1 field:4:../nsh-2024-0002 wrap:1
}

@test "a request that is not complete within ten seconds is refused" {
	SECONDS=0
	frame_refused --hold hex:4345
	[ $SECONDS -ge 9 ]
	[ $SECONDS -lt 25 ]
}

@test "when a client says nothing and goes away, that is on record, and nothing else happens" {
	frame_refused
}

@test "an option or an argument of the helper is refused" {
	run as alice $helper --help
	[ "$status" -ne 0 ]
	run as alice $helper --config=/tmp/policy.json
	[ "$status" -ne 0 ]
	nothing_left_behind
}

@test "when the helper has no arguments at all (argc 0), it refuses" {
	run as alice /usr/bin/python3 -c "
import ctypes, os
libc = ctypes.CDLL(None)
libc.execve(b'$helper', (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))"
	[ "$status" -ne 0 ]
	[ "$status" -lt 128 ]
	nothing_left_behind
}

@test "the caller's environment changes nothing" {
	run as alice env LD_PRELOAD=/x.so LD_LIBRARY_PATH=/tmp GLIBC_TUNABLES=glibc.malloc.check=3 GCONV_PATH=/tmp \
		TZ=../../etc/x TMPDIR=/nowhere SSLKEYLOGFILE=/tmp/keys https_proxy=http://127.0.0.1:1 \
		CURL_CA_BUNDLE=/dev/null SSL_CERT_FILE=/dev/null NETRC=/x CES_POLICY=/tmp/p.json \
		LISTEN_FDS=3 NOTIFY_SOCKET=/x XDG_RUNTIME_DIR=/x \
		ces-client pull -q $open/tools:1
	echo "$output"
	[ "$status" -eq 0 ]
	[ ! -e /tmp/keys ]
}

@test "tiny limits of the caller's are lifted or refused, never half obeyed" {
	for l in '-f 0' '-f 1' '-n 8' '-u 1' '-t 1' '-c unlimited'; do
		run as alice bash -c "ulimit $l 2> /dev/null; exec ces-client run -q $open/tools:1 echo fine"
		echo "$l: $status $output"
		[ "$output" = fine ] || [ "$status" -ne 0 ]
	done
	nothing_left_behind
	tests/lib/chain.py $journal
}

@test "an odd umask of the caller's changes no mode of CES's files" {
	run as alice sh -c "umask 0; ces-client run -q $open/tools:1 sh -c 'umask; touch /safe_outputs/f'"
	[ "$output" = 0022 ]
	[ -z "$(find $store /run/ces /var/log/ces -maxdepth 2 -perm /022 ! -type l)" ]
	[ "$(stat -c %a "$(outputs alice)")" -le 755 ]
}

@test "when it starts in a user namespace of the caller's, the helper refuses" {
	run as alice unshare -Ur ces-client run $open/tools:1 true
	[ "$status" -ne 0 ]
	nothing_left_behind
}

@test "a policy in a mount namespace of the caller's is not believed" {
	run as alice unshare -Urm sh -c "mkdir -p /tmp/fake; mount --bind /tmp/fake /etc/ces; ces-client run $open/tools:1 true"
	[ "$status" -ne 0 ]
	nothing_left_behind
}

@test "a hundred kilobytes of arguments arrive" {
	words=$(printf 'w%.0s' {1..60000})
	run inside -- sh -c 'echo ${#1} ${#2}' x "$words" "$words"
	[ "$output" = "60000 60000" ]
}

@test "more arguments than a request holds are refused" {
	words=$(printf 'w%.0s' {1..60000})
	run --separate-stderr ces alice run $open/tools:1 true "$words" "$words" "$words" "$words" "$words" "$words"
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "* ]]
	nothing_left_behind
}

@test "an impossible NAME of an environment variable is refused" {
	run --separate-stderr ces alice run -e '=x' $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "* ]]
	nothing_left_behind
}

@test "an unknown option is refused with what to type" {
	for o in --privileged --cap-add=SYS_ADMIN --device=/dev/sda --network=host --pid=host --security-opt=x \
		--userns=host --runtime=/x --hooks-dir=/x --config=/x; do
		run --separate-stderr ces alice run $o $open/tools:1 true
		echo "$o: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "* && $stderr == *"${o%%=*}"* ]]
	done
	nothing_left_behind
}
