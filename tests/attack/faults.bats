#!/usr/bin/env bats
# Each kind of call that ces-session makes for a run fails once. After any failure, nothing is released unrecorded, nothing
# is left behind, and the journal is whole. (faults.py makes the failures; with "all" it takes minutes.)

load ../lib/e2e.bash

setup_file() { lab_policy; have alice tools; }
setup() { remember; }
teardown() { chmod u+w /home/alice; rm -rf /home/*/outputs_* /run/faults; }

whichever_fails() # PATTERN of calls [PROGRAM [all]]
{
	run "$CES_TOP/tests/attack/${2:-faults.py}" $open/tools:1 "$1" ${3:+"$3"}
	echo "$output"
	[ "$status" -eq 0 ]
	ces-policy audit verify
}

@test "when a call of a run fails, accept to fchmodat, nothing is released unrecorded and nothing is left behind" { whichever_fails '[a-e].*|fch.*|fa.*'; }
@test "when a call of a run fails, fcntl to ioctl, nothing is released unrecorded and nothing is left behind" { whichever_fails 'f[^ac].*|fcntl|fcntl.*|[g-l].*'; }
@test "when a call of a run fails, mkdir to open, nothing is released unrecorded and nothing is left behind" { whichever_fails '[m-o].*'; }
@test "when a call of a run fails, pidfd to ptrace, nothing is released unrecorded and nothing is left behind" { whichever_fails 'p.*'; }
@test "when a call of a run fails, read to setuid, nothing is released unrecorded and nothing is left behind" { whichever_fails 'r.*|se.*'; }
@test "when a call of a run fails, signalfd to write, nothing is released unrecorded and nothing is left behind" { whichever_fails 's[^e].*|[t-z].*'; }

# (there is no place for its outputs)
@test "when any read or write of a file fails in a run that cannot start, nothing is left behind, and its end is on record" {
	chmod u-w /home/alice
	whichever_fails 'flock|pread64|write' faults.py all
	journal_new -s -e 'map(select(.event == "end" and .status == 125)) | length > 9' > /dev/null
}

@test "when a call of a pull fails, accept to mkdir, no half of an image is left, and the pull's end is on record" { whichever_fails '[a-l].*|m[a-k].*' pull_faults.py; }
@test "when a call of a pull fails, mount to pwrite, no half of an image is left, and the pull's end is on record" { whichever_fails 'm[l-z].*|[n-q].*' pull_faults.py; }
@test "when a call of a pull fails, read to write, no half of an image is left, and the pull's end is on record" { whichever_fails '[r-z].*' pull_faults.py; }
