#!/usr/bin/env bats
# What code in a container can leave behind, keep open or reach.

load ../lib/e2e.bash

setup_file() { lab_policy; have alice tools user-number; }
setup() { remember; }
teardown() { rm -rf /home/*/outputs_* /home/*/scratch_*; }

dig='i=0; while [ $i -lt 1200 ]; do mkdir d && cd d || exit; echo patient > f; i=$((i+1)); done'

@test "E08: scratch is removed however deep its directories are" {
	inside -- sh -c "cd /scratch; $dig; mkdir /scratch/beside; cd /scratch/beside; $dig"
	no compgen -G '/home/alice/scratch_*'
}

@test "D06: the caller cannot trace or read the helper, the runtime or the container, nor take an fd from it" {
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q $open/tools:1 sh -c 'echo up; exec sleep 599' > $lab/up 2> /dev/null 3>&- < /dev/null &
	client=$!
	eventually test -s $lab/up
	h=$(pgrep -P $client -x 'ces-helper|ces-admit|ces-session')
	mapfile -t pids < <(echo "$h"; pgrep -P "$h"; pgrep -xf 'sleep 599')
	[ ${#pids[@]} -eq 5 ] # with ces-list and ces-clean
	run as alice "$CES_TOP/tests/attack/robber.py" "${pids[@]}"
	kill -KILL "$client"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "5 processes, nothing" ]
}

@test "D06: nor from ces-inside, which waits at the gate as root of the container" {
	lab_has_selinux && skip "strace is in no domain of CES's"
	mv /usr/libexec/ces/ces-session $lab/real
	# (it is kept there for as long as this call takes)
	printf '#!/bin/bash\nexec strace -D -qq -e signal=none -o /dev/null -e trace=pivot_root -e inject=pivot_root:delay_enter=3000000 %s\n' \
		$lab/real > /usr/libexec/ces/ces-session
	chmod 700 /usr/libexec/ces/ces-session
	inside -- sh -c 'echo ran' > $lab/ran 3>&- &
	client=$!
	eventually pgrep -x ces-inside
	mv $lab/real /usr/libexec/ces/ces-session
	pid=$(pgrep -x ces-inside)
	run as alice "$CES_TOP/tests/attack/robber.py" "$pid"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "1 processes, nothing" ]
	[ "$(readlink "/proc/$pid/exe")" = /usr/libexec/ces/ces-inside ] # (still)
	# the gate, the report, the order, and nothing of root's
	[ "$(find "/proc/$pid/fd" -mindepth 1 -printf '%f\n' | sort | paste -sd ' ')" = "0 1 2 3 4 5" ]
	find "/proc/$pid/fd" -name '[3-9]' -printf '%l\n' | grep -vE '^(socket|pipe):|^/memfd:ces-order' > $lab/others || true
	[ ! -s $lab/others ]
	grep -qxP 'CapEff:\t[0-9a-f]*ff' "/proc/$pid/status"
	[ "$(awk '{ print $2 }' "/proc/$pid/uid_map" | head -n 1)" -eq 4401 ]
	wait "$client"
	[ "$(cat $lab/ran)" = ran ]
}

# KILL, SETUID, SETGID, DAC_OVERRIDE and FOWNER; helper/session/weaken.h says why
@test "the process that watches a run has five capabilities, no way to more, a filter, nothing of /etc open, and little memory" {
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q $open/tools:1 sh -c 'echo up; exec sleep 599' > $lab/up 2> /dev/null 3>&- < /dev/null &
	client=$!
	eventually test -s $lab/up
	h=$(pgrep -P $client -x 'ces-helper|ces-admit|ces-session')
	cat "/proc/$h/status" "/proc/$h/smaps_rollup"
	find "/proc/$h/fd" -printf '%l\n' > $lab/fds
	status=$(grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):' "/proc/$h/status" | tr -d '\t')
	pss=$(awk '/^Pss:/ { print $2 }' "/proc/$h/smaps_rollup")
	kill -TERM "$client"
	wait "$client" || true
	[ "$status" = $'CapInh:0000000000000000\nCapPrm:00000000000000ea\nCapEff:00000000000000ea\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2' ]
	no grep /etc/ $lab/fds
	[ "$pss" -lt 1536 ] || grep -aq __asan_init "/proc/$h/exe"
	no compgen -G '/home/alice/scratch_*'
}

@test "E10: a working directory in /proc/self/fd leads nowhere" {
	for n in 3 4 5 6 7 8 9 10 12 14; do
		status=0
		output=$(inside -w /proc/self/fd/$n -- sh -c 'ls -a . .. ../.. ../../../..' 2>&1) || status=$?
		echo "$n: $status $output"
		[ "$status" -ne 0 ]
		[[ $output != *safe_data* && $output != *bundle* ]]
	done
}

@test "A03: inside, only the container's own stdio is open, and its first process has CES's environment alone" {
	run inside -- sh -c 'ls /proc/1/fd; true'
	[ "$(grep -c '^[3-9]$' <<< "$output")" -eq 0 ]
	run as alice env CANARY=1 LISTEN_FDS=3 NOTIFY_SOCKET=/x RUN_OCI_SECCOMP_RECEIVER=/x \
		ces-client run -q $open/tools:1 sh -c 'cat /proc/1/environ'
	no grep -qaE 'CANARY|LISTEN|NOTIFY|RUN_OCI' <<< "$output"
}

@test "an image's own user can write /dev/shm" {
	from=user-number run inside -- sh -c 'echo x > /dev/shm/f && cat /dev/shm/f'
	[ "$output" = x ]
}

@test "nobody in a container can write, remove or read the marks that hide or redirect files of an image" {
	have alice rules
	install -m 755 "${B:-build}/tests/marks_driver" /safe_data/nsh-2024-0001/marks
	from=rules run inside -- sh -c '/safe_data/marks /o; /safe_data/marks /; ls /o; ls -d /etc /d'
	rm -f /safe_data/nsh-2024-0001/marks
	echo "$output"
	[ "$output" = $'tried\ntried\nnew\n/d\n/etc' ]
}

@test "A09: a caller who is the first to be killed when memory is short does not make their run's helper so" {
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice choom -n 1000 -- \
		ces-client run -q $open/tools:1 sh -c 'cat /proc/self/oom_score_adj; exec sleep 600' > $lab/up 3>&- < /dev/null &
	client=$!
	eventually test -s $lab/up
	helper=$(cat /proc/"$(pgrep -n -x ces-session)"/oom_score_adj)
	kill -KILL $client
	eventually no pgrep -x ces-session
	echo "$helper $(cat $lab/up)"
	[ "$helper" -eq 0 ]
	[ "$(cat $lab/up)" -eq 0 ]
}

# bats test_tags=cap-sys-resource
@test "J05: a program has no real-time priority, and no better one, whatever limits its user has" {
	run prlimit --rtprio=50:50 --nice=40:40 -- setpriv --reuid=alice --regid=alice --init-groups --reset-env \
		env -C /home/alice ces-client run -q "$open/tools:1" sh -c 'grep -E "^Max (realtime|nice) priority" /proc/self/limits; nice -n -5 true'
	echo "$output"
	[ "$(grep -cE '^Max (realtime|nice) priority +0 +0' <<< "$output")" -eq 2 ]
	[ "$status" -ne 0 ]
}

# bats test_tags=cap-sys-resource
@test "A10: the caller's limit of processes does not stop the workers, even when their user has many already" {
	setpriv --reuid=ces-fetch --regid=ces-fetch --clear-groups bash -c 'for i in {1..300}; do sleep 600 & done; wait' 3>&- > /dev/null &
	crowd=$!
	eventually bash -c '[ $(pgrep -u ces-fetch | wc -l) -gt 300 ]'
	run as alice prlimit --nproc=256:256 ces-client pull -q "$open/tools:1"
	pkill -KILL -u ces-fetch
	wait $crowd || true
	echo "$output"
	[ "$status" -eq 0 ]
}
