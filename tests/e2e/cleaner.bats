#!/usr/bin/env bats
# ces-clean and ces-list, which work on the directories of a run that ends: who may stop them, and what happens without them.

load ../lib/e2e.bash
load ../lib/endings.bash

@test "the user cannot stop or kill the process that empties their scratch" {
	killed_run 'mkdir /scratch/d; cd /scratch/d; seq 30000 | xargs touch'
	as alice sh -c 'until [ -e /tmp/over ]; do pkill -STOP -x "ces-helper|ces-admit|ces-session|ces-clean"; pkill -KILL -x "ces-helper|ces-admit|ces-session|ces-clean"; done 2> /dev/null' 3>&- &
	ces-client clean
	touch /tmp/over
	wait $! || true
	rm /tmp/over
	[ ! -e "/run/ces/$n" ]
	gone
}

@test "ces-clean has the caller's rights to files, three capabilities, and a user that the caller cannot stop" {
	grep -aq __asan_init /usr/libexec/ces/ces-clean && skip "a build with sanitizers has no filter"
	start_run
	clean=$(process ces-clean)
	eventually grep -q 'Seccomp:.2' "/proc/$clean/status"
	grep -E '^(Uid|Gid|Cap|NoNewPrivs|Seccomp:|Groups)' "/proc/$clean/status"
	# CHOWN, DAC_OVERRIDE, FOWNER
	[ "$(grep -c -E '^Cap(Prm|Eff):.000000000000000b$' "/proc/$clean/status")" -eq 2 ]
	[ "$(grep -c -E '^Cap(Inh|Bnd|Amb):.0000000000000000$' "/proc/$clean/status")" -eq 3 ]
	grep -q 'NoNewPrivs:.1' "/proc/$clean/status"
	works_for_alice "$clean"
	[ "$(stat -L -c %d:%i "/proc/$clean/root")" = "$(stat -c %d:%i /home/alice/outputs_*)" ]
	[ "$(grep -c . "/proc/$clean/cgroup")" -gt 0 ]
	no grep -E '/ces/[0-9]+/[0-9]{10}' "/proc/$clean/cgroup"
	kill -TERM $client
	wait $client || true
	eventually no pgrep -x ces-clean
	gone
}

@test "the user cannot kill ces-clean or ces-list in its first moment either" {
	as alice sh -c 'until [ -e /tmp/over ]; do pkill -KILL -x "ces-(clean|list)"; done 2> /dev/null' 3>&- &
	for i in 1 2 3; do
		inside -- sh -c "mkdir /scratch/d; echo $i > /scratch/d/file"
	done
	touch /tmp/over
	wait $! || true
	rm /tmp/over
	[ "$(jq -r 'select(.event == "end") | .outputs' $journal | tail -n 3 | sort -u)" = listed ]
	gone
}

@test "without its ces-clean a run ends as it would, and its scratch is emptied by the next start or the janitor" {
	for next in "inside -- true" "ces-client clean"; do
		start_run 'mkdir /scratch/d; echo secret > /scratch/d/file; echo x > /safe_outputs/f; echo up; until [ -e /safe_outputs/go ]; do sleep 0.1; done; exit 3'
		n=$(ces alice ps -q)
		kill -KILL "$(process ces-clean)"
		as alice touch "/home/alice/outputs_$n/go"
		wait $client || status=$?
		[ "$status" -eq 3 ]
		[ -s "/home/alice/outputs_$n/f" ]
		[ -e "/home/alice/scratch_$n/scratch/d/file" ]
		[ -d "/run/ces/$n" ]
		$next
		eventually no test -e "/run/ces/$n"
		[ ! -e "/home/alice/scratch_$n" ]
		rm -r "/home/alice/outputs_$n"
	done
	gone
}

@test "the signals that end a session end neither ces-clean nor ces-list, and its run ends whole" {
	start_run 'echo x > /safe_outputs/f; chown 33 /safe_outputs/f; echo up; until [ -e /safe_outputs/go ]; do sleep 0.1; done; exit 3'
	n=$(ces alice ps -q)
	for s in TERM HUP INT QUIT; do kill -$s "$(process ces-clean)" "$(process ces-list)"; done
	as alice touch "/home/alice/outputs_$n/go"
	wait $client || status=$?
	[ "$status" -eq 3 ]
	[ "$(stat -c %U "/home/alice/outputs_$n/f")" = alice ]
	[ ! -e "/run/ces/$n" ]
	journal_new -s -e --arg n "$n" 'map(select(.event == "end" and .run == $n)) | length == 1 and .[0].outputs == "listed"'
	gone
}

@test "without its ces-clean, a run's outputs become its user's at the next start, once" {
	start_run 'echo x > /safe_outputs/f; chown 33 /safe_outputs/f; echo up; until [ -e /safe_outputs/go ]; do sleep 0.1; done; exit 3'
	n=$(ces alice ps -q)
	kill -KILL "$(process ces-clean)"
	as alice touch "/home/alice/outputs_$n/go"
	wait $client || status=$?
	[ "$status" -eq 3 ]
	[ "$(stat -c %U "/home/alice/outputs_$n/f")" != alice ]
	[ ! -e "/home/alice/scratch_$n" ]
	[ "$(ces alice ps --format json)" = "[]" ]
	eventually cleared_by_a_start "$n"
	[ "$(stat -c %U "/home/alice/outputs_$n/f")" = alice ]
	journal_new -s -e --arg n "$n" 'map(select(.event == "end" and .run == $n)) | length == 1 and .[0].status == 3'
	gone
}
