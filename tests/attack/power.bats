#!/usr/bin/env bats
# Cuts the power after each time that CES makes the disk keep something (power.py).

load ../lib/e2e.bash

setup_file() { lab_policy; }
teardown() { rm -rf /home/*/outputs_* /run/faults /srv/power; }

cut_in() # pull|run|rmi
{
	run "$CES_TOP/tests/attack/power.py" "$1" $open/tools:1
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "when the power fails in a pull, no half of an image is used, and the next pull is whole" { cut_in pull; }
@test "when the power fails in a run, nothing has run that is not on record" { cut_in run; }
@test "when the power fails in a removal, the image is whole or gone" { cut_in rmi; }
