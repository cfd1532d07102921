# shellcheck shell=bash disable=SC2154,SC2034 # (bats and the lab set these; the suites use these)
# What the suites of how runs end share. Loaded after e2e.bash.

setup_file() { lab_policy; have alice tools; pull bob $open/tools:1 -q; }
setup() { remember; }
teardown()
{
	: > $lab/over
	rm -rf /home/*/outputs_*
	[ -z "${client:-}" ] || kill -KILL "$client" 2> /dev/null || true
}

# Starts a run of alice's that makes a file when it is up, and then stays. Sets $client to the pid of ces-client.
start_run() # [COMMAND]
{
	rm -f $lab/up
	# (bash starts background commands with SIGINT ignored, and the client would leave it ignored)
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice --default-signal=INT,QUIT \
		ces-client run -q $open/tools:1 sh -c "${1:-echo up; exec sleep 600}" > $lab/up 2> $lab/err 3>&- < /dev/null &
	client=$!
	eventually test -s $lab/up
}

# The tests' own sleeps are shorter.
none_alive() { no pgrep -x 'ces-helper|ces-admit|ces-session|crun|runc' && no pgrep -xf 'sleep 600'; }

gone()
{
	eventually none_alive
	nothing_left_behind
	no compgen -G '/home/alice/scratch_*'
}

# Prints the pid of the helper that supervises the run: a child of the client.
helper_of() { pgrep -P "$1" -x 'ces-helper|ces-admit|ces-session'; }

# Starts a run of alice's, and kills its helper when COMMAND has done its work there. Sets $n to the run's number and
# $scratch to its scratch.
killed_run() # COMMAND
{
	start_run "$1; echo up; exec sleep 600"
	n=$(ces alice ps --format json | jq -r '.[0].run')
	scratch=/home/alice/scratch_$n
	kill -KILL "$(helper_of $client)"
	wait $client || true
	eventually none_alive
}

cleared_by_a_start() # RUN
{
	inside -- true
	[ ! -e "/run/ces/$1" ]
}
