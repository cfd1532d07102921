#!/usr/bin/env bats
# Each kind of call that ces-session makes for a run fails once. Whichever it is, nothing is released unrecorded,
# nothing is left behind, and the journal is whole. (faults.py says how; with "all" it takes minutes.)

load ../lib/e2e.bash

setup_file() { lab_policy; have alice tools; }
teardown() { rm -rf /home/*/outputs_* /run/faults; }

whichever_fails() # PATTERN of calls [PROGRAM]
{
	run "$CES_TOP/tests/attack/${2:-faults.py}" $open/tools:1 "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	ces-policy audit verify
}

@test "a call of a run that fails, accept to fchmodat, releases nothing unrecorded and leaves nothing behind" { whichever_fails '[a-e].*|fch.*|fa.*'; }
@test "a call of a run that fails, fcntl to ioctl, releases nothing unrecorded and leaves nothing behind" { whichever_fails 'f[^ac].*|fcntl|fcntl.*|[g-l].*'; }
@test "a call of a run that fails, mkdir to open, releases nothing unrecorded and leaves nothing behind" { whichever_fails '[m-o].*'; }
@test "a call of a run that fails, pidfd to ptrace, releases nothing unrecorded and leaves nothing behind" { whichever_fails 'p.*'; }
@test "a call of a run that fails, read to setuid, releases nothing unrecorded and leaves nothing behind" { whichever_fails 'r.*|se.*'; }
@test "a call of a run that fails, signalfd to write, releases nothing unrecorded and leaves nothing behind" { whichever_fails 's[^e].*|[t-z].*'; }

@test "a call of a pull that fails, accept to mkdir, leaves no half of an image, and its end is on record" { whichever_fails '[a-l].*|m[a-k].*' pull_faults.py; }
@test "a call of a pull that fails, mount to write, leaves no half of an image, and its end is on record" { whichever_fails 'm[l-z].*|[n-z].*' pull_faults.py; }
