#!/usr/bin/env bats
# A hostile local caller attacks in the moments between two steps.

load ../lib/e2e.bash

setup_file()
{
	lab_policy
	have alice tools
	install -m 755 "${B:-build}/tests/swap_driver" /usr/local/bin/swapper
}
setup() { remember; }
teardown()
{
	[ -z "${swapper:-}" ] || kill -KILL "$swapper" 2> /dev/null || true
	rm -rf /home/alice/*
	lab_policy
}

# Exchanges ~/out with ~/other again and again.
swap()
{
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice swapper out other 3>&- &
	swapper=$!
}

canaries() { find /etc /safe_data /home/bob -printf '%p %u %g %m %s %T@\n' | sort | sha256sum; }

@test "E01: when the parent of outputs or scratch is swapped for a symlink, they never lead elsewhere" {
	lab_policy '.defaults.outputs.source = "~/out/ces" | .defaults.scratch.source = "~/out/{run}"'
	for target in /etc /safe_data/nsh-2024-0002 /home/bob /; do
		as alice sh -c "rm -rf out other; mkdir out; ln -s $target other"
		canary=$(canaries)
		swap
		for i in {1..25}; do
			inside -- sh -c 'echo x > /safe_outputs/f; echo x > /scratch/f' 2> /dev/null || true
		done
		kill -KILL $swapper
		[ "$(canaries)" = "$canary" ]
		[ ! -e /ces ]
	done
	nothing_left_behind
}

@test "E08: when scratch is swapped for another directory while it is deleted, nobody else's directory is emptied" {
	lab_policy '.defaults.scratch.source = "~/out/{run}"'
	as alice mkdir -p out other
	install -d -m 777 /home/alice/other/theirs
	touch /home/alice/other/theirs/kept
	swap
	for i in {1..25}; do
		inside -- sh -c 'cd /scratch; seq 200 | xargs touch' 2> /dev/null || true
	done
	kill -KILL $swapper
	[ -n "$(find /home/alice -name kept)" ]
}

@test "A12: during a hundred starts, no process of the caller's ever has anything to rob" {
	setpriv --reuid=alice --regid=alice --init-groups --reset-env \
		"$CES_TOP/tests/attack/robber.py" --for ever crun runc runc:\[1:CHILD\] runc:\[2:INIT\] ces-helper ces-admit ces-session exe > $lab/robbed 3>&- &
	swapper=$!
	for i in {1..100}; do
		inside -- true
	done
	kill -TERM $swapper
	wait $swapper || true
	cat $lab/robbed
	grep -q ' tries, nothing' $lab/robbed
}

@test "A12, X: during thirty pulls, no worker ever has anything to rob for another process of its user" {
	for worker in ces-fetch ces-resolve ces-unpack; do
		setpriv --reuid=$worker --regid=$worker --clear-groups --reset-env \
			"$CES_TOP/tests/attack/robber.py" --for ever $worker > $lab/robbed.$worker 3>&- &
		robbers+=($!)
	done
	for i in {1..15}; do
		ces alice rmi -q $image/tools:1 2> /dev/null || true
		pull alice $image/tools:1 -q
		pull alice $open/stroke:1 -q
	done
	kill -TERM "${robbers[@]}" || true # (a robber that found something has ended)
	wait "${robbers[@]}" || true
	cat $lab/robbed.*
	grep -q ' tries, nothing' $lab/robbed.ces-fetch
	grep -q ' tries, nothing' $lab/robbed.ces-resolve
	grep -q ' tries, nothing' $lab/robbed.ces-unpack
}

# Sends SIGNAL to all of alice's processes except the sending shell, until the run is over.
@test "K01: when signals reach all processes of the caller's uid, at any moment, nothing is left" {
	for s in STOP KILL TERM HUP USR1 SEGV; do
		for ms in 4 9 14 20 40; do
			setpriv --reuid=alice --regid=alice --init-groups --reset-env \
				ces-client run -q $open/tools:1 sh -c 'touch /scratch/f; sleep 0.1' > /dev/null 2>&1 3>&- &
			run_pid=$!
			sleep "$(printf '0.%03d' $ms)"
			as alice bash -c "kill -$s -1" 2> /dev/null || true
			sleep 0.03
			as alice bash -c 'kill -CONT -1' 2> /dev/null || true
			wait $run_pid || true
		done
	done
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun|runc'
	inside -- true
	nothing_left_behind
	tests/lib/chain.py $journal
}

# Starts a stream of requests in a cgroup of alice's own, as systemd delegates one to every user.
delegated() # COMMAND
{
	frozen=/sys/fs/cgroup/ces-frozen-$$
	[ -e /sys/fs/cgroup/cgroup.procs ] || frozen=/sys/fs/cgroup/unified/ces-frozen-$$
	mkdir $frozen
	chown alice $frozen $frozen/cgroup.freeze
	bash -c "echo \$\$ > $frozen/cgroup.procs; exec setpriv --reuid=alice --regid=alice --init-groups --reset-env bash -c '
		for i in 1 2 3 4; do while :; do $1; done & done; wait'" > /dev/null 2>&1 3>&- &
	swapper=$!
}

# Freezes alice's cgroup at a moment at which CONDITION holds.
freeze_when() # CONDITION
{
	for ((i = 0; i < 1500; i++)); do
		sleep "0.00$((RANDOM % 9))"
		as alice sh -c "echo 1 > $frozen/cgroup.freeze"
		"$1" && break
		as alice sh -c "echo 0 > $frozen/cgroup.freeze"
	done
	echo "caught it after $i attempts"
	[ $i -lt 1500 ]
}

journal_is_held() { ! flock -w 0.05 "${journal%/*}/head" true; }

@test "N02: a helper that is frozen while it has the journal's lock delays nobody for long" {
	# (these pulls are allowed and fail at once: each makes two records, and no limit of denials holds them back)
	delegated "ces-client pull -q down.tre.test/epcced/none:1"
	freeze_when journal_is_held
	SECONDS=0
	inside -- true || failed=1
	took=$SECONDS
	echo 1 > $frozen/cgroup.kill
	eventually rmdir $frozen
	echo "took $took s"
	[ "${failed:-0}" -eq 0 ]
	[ $took -lt 25 ]
	tests/lib/chain.py $journal
}

store_is_held() { ! flock -s -w 0.05 $store/locks true; }

@test "F14: a helper that is frozen while it collects does not keep others from the store" {
	pull bob $open/tools:1 -q
	# (so many that the test can catch the helper while it looks at these)
	seq 100000 130000 | (cd $store/grants && xargs mkdir -m 700)
	delegated "ces-client pull -q $open/tools:1"
	freeze_when store_is_held
	who=bob inside -- true || failed=1
	echo 1 > $frozen/cgroup.kill
	eventually rmdir $frozen
	seq 100000 130000 | (cd $store/grants && xargs rmdir)
	[ "${failed:-0}" -eq 0 ]
}

subids_are_held() { ! flock -w 0.05 $store/subids true; }

@test "D05: a helper that is frozen while it looks for its ids does not keep others from starting" {
	pull bob $open/tools:1 -q
	who=bob inside -- true
	inside -- true
	# (so many users that the test can catch it)
	seq 100000 200000 >> $store/subids
	delegated "ces-client run -q $open/tools:1 true"
	freeze_when subids_are_held
	who=bob inside -- true || failed=1
	echo 1 > $frozen/cgroup.kill
	eventually rmdir $frozen
	sed -i '/^[12][0-9]\{5\}$/d' $store/subids
	[ "${failed:-0}" -eq 0 ]
}
